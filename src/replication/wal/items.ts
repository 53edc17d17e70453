import { AlthingError } from '../../contracts/errors.ts'
import type { Entry, HardState } from '../../protocols/raft/types.ts'
import { decodeEntry, encodedEntryBytes, readUint53, writeEntry, writeUint53 } from '../entry-codec.ts'

/**
 * What a record's payload consists of: items, one after the other, in the order in which they take effect.
 *
 *     hard state  u8 1, u53 term, u53 vote
 *     entry       u8 2, u32 length, entry (see entry-codec.ts)
 *     reset       u8 3, u53 index, u53 term: the log starts after this snapshot
 */
export type Item =
  | { readonly type: 'hardState'; readonly hardState: HardState }
  | { readonly type: 'entry'; readonly entry: Entry }
  | { readonly type: 'reset'; readonly index: number; readonly term: number }

const hardStateTag = 1
const entryTag = 2
const resetTag = 3
const pairBytes = 17

export function itemBytes(item: Item): number {
  return item.type === 'entry' ? 5 + encodedEntryBytes(item.entry) : pairBytes
}

/** Writes the item at `offset` and returns the offset after it. */
export function writeItem(target: Buffer, offset: number, item: Item): number {
  switch (item.type) {
    case 'hardState':
      return writePair(target, offset, hardStateTag, item.hardState.term, item.hardState.vote)
    case 'reset':
      return writePair(target, offset, resetTag, item.index, item.term)
    case 'entry':
      target[offset] = entryTag
      target.writeUInt32LE(encodedEntryBytes(item.entry), offset + 1)
      return writeEntry(target, offset + 5, item.entry)
  }
}

/** Data of entries are views into `payload`. Throws `corrupt` when the payload is not a sequence of items. */
export function readItems(payload: Buffer): Item[] {
  const items: Item[] = []
  let offset = 0
  while (offset < payload.length) {
    const tag = payload[offset]
    const length = tag === entryTag ? entryItemBytes(payload, offset) : pairBytes
    if (offset + length > payload.length) throw malformed('an item goes over the end')
    items.push(readItem(payload.subarray(offset, offset + length)))
    offset += length
  }
  return items
}

function readItem(bytes: Buffer): Item {
  switch (bytes[0]) {
    case hardStateTag:
      return { type: 'hardState', hardState: { term: readUint53(bytes, 1), vote: readUint53(bytes, 9) } }
    case entryTag:
      return { type: 'entry', entry: decodeEntry(bytes.subarray(5)) }
    case resetTag:
      return { type: 'reset', index: readUint53(bytes, 1), term: readUint53(bytes, 9) }
    default:
      throw malformed(`an item has the unknown type ${bytes[0]}`)
  }
}

function entryItemBytes(payload: Buffer, offset: number): number {
  if (offset + 5 > payload.length) throw malformed('an item goes over the end')
  return 5 + payload.readUInt32LE(offset + 1)
}

function writePair(target: Buffer, offset: number, tag: number, first: number, second: number): number {
  target[offset] = tag
  writeUint53(target, offset + 1, first)
  writeUint53(target, offset + 9, second)
  return offset + pairBytes
}

function malformed(reason: string): AlthingError {
  return new AlthingError('corrupt', `a record of the write-ahead log does not have its form: ${reason}`)
}
