import xxhash from 'xxhash-wasm'
import type { ChordId } from './types.ts'

/** m of the paper. With 52 bits identifiers are exact as JavaScript numbers; a million nodes collide once in ten thousand rings. */
export const chordIdBits = 52
export const chordIdEnd = 2 ** chordIdBits

/** Clockwise from `from` to `to`, 0..2^52 - 1. */
export function distance(from: ChordId, to: ChordId): number {
  return to >= from ? to - from : to - from + chordIdEnd
}

/** Whether `id` lies strictly between, going clockwise from `from` to `to`. From a point to itself is the whole ring but the point. */
export function isBetween(from: ChordId, id: ChordId, to: ChordId): boolean {
  if (id === from || id === to) return false
  return from === to || distance(from, id) < distance(from, to)
}

/** Whether `id` is in (from, to]: belongs to `to` when `from` is the node before it. */
export function belongsTo(from: ChordId, id: ChordId, to: ChordId): boolean {
  return id === to || isBetween(from, id, to)
}

/** Start of the finger: the paper's n + 2^(i - 1), counting from 0. */
export function fingerStart(id: ChordId, finger: number): ChordId {
  return (id + 2 ** finger) % chordIdEnd
}

export type ChordHash = (text: string) => ChordId

/**
 * The place of a key or of an address: the upper 52 bits of XXH64 with seed 0 of its UTF-8. The paper has SHA-1; this one spreads as well and is
 * much faster, but does not stop an adversary from choosing places. Asynchronous only because the WebAssembly module is compiled first.
 */
export async function createChordHash(): Promise<ChordHash> {
  const { h64 } = await xxhash()
  return (text) => Number(h64(text) >> 12n)
}
