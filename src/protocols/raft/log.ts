import { assert } from '../../base/assert.ts'
import type { Entry, RestoredState } from './types.ts'

/** What one entry weighs besides its data, in memory and on the wire: a rough figure that keeps a flood of empty entries bounded. */
export const entryOverheadBytes = 32

export function entryBytes(entry: Entry): number {
  return entry.data.byteLength + entryOverheadBytes
}

const released: Entry = { index: 0, term: 0, kind: 'empty', data: new Uint8Array(0) }
const noEntries: readonly Entry[] = []

/**
 * The part of the log that is in memory: the entries after `baseIndex`, of which only the term is known
 * (`baseIndex` 0: nothing was ever cut off). Entries hold `index = position + baseIndex + 1`, terms never fall.
 */
export class RaftLog {
  #baseIndex: number
  #baseTerm: number
  /** Entries `#dead..` are live; those before were cut off and are removed when they outnumber the live ones. */
  readonly #slots: Entry[]
  #dead = 0
  /** The newest slice handed out: the same entries go to several followers, and one array for all lets them be encoded once. */
  #memo: readonly Entry[] = noEntries

  constructor(baseIndex: number, baseTerm: number, entries: readonly Entry[] = noEntries) {
    this.#baseIndex = baseIndex
    this.#baseTerm = baseTerm
    this.#slots = []
    this.append(entries)
  }

  /**
   * The log that a node finds after a start. Entries that do not reach the snapshot, or differ at its index, are dropped: they are
   * what the snapshot has replaced (the node stopped before it could say so on disk: {@link isReplaced}).
   */
  static restore(state: RestoredState): RaftLog {
    const { snapshot, entries } = state
    const first = entries[0]
    if (snapshot === undefined) {
      assert(first === undefined || first.index === 1, 'a log without snapshot starts at 1', { first })
      return new RaftLog(0, 0, entries)
    }
    if (first === undefined) return new RaftLog(snapshot.index, snapshot.term)
    assert(first.index <= snapshot.index + 1, 'no gap between snapshot and log', { first, snapshot })
    if (first.index === snapshot.index + 1) return new RaftLog(snapshot.index, snapshot.term, entries)
    if (RaftLog.isReplaced(state)) return new RaftLog(snapshot.index, snapshot.term)
    // The term before a kept tail was not stored: its first entry serves as the base instead.
    return first.index === 1
      ? new RaftLog(0, 0, entries)
      : new RaftLog(first.index, first.term, entries.slice(1))
  }

  /** Whether the snapshot that was found stands in place of all entries that were found. */
  static isReplaced({ snapshot, entries }: RestoredState): boolean {
    const first = entries[0]
    if (snapshot === undefined || first === undefined || first.index > snapshot.index) return false
    return entries[snapshot.index - first.index]?.term !== snapshot.term
  }

  /** The first entry held; one more than `lastIndex` when none is. */
  get firstIndex(): number {
    return this.#baseIndex + 1
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#slots.length - this.#dead
  }

  get lastTerm(): number {
    return this.#slots.length > this.#dead ? this.#slot(this.lastIndex).term : this.#baseTerm
  }

  /** `undefined` when the index is past the end, or cut off (the term right before the first entry is known). */
  term(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm
    if (index < this.#baseIndex || index > this.lastIndex) return undefined
    return this.#slot(index).term
  }

  /** Appends entries that continue the log. */
  append(entries: readonly Entry[]): void {
    let index = this.lastIndex
    let term = this.lastTerm
    for (const entry of entries) {
      index++
      assert(entry.index === index && entry.term >= term, 'entries continue the log', { index, term, entry })
      term = entry.term
      this.#slots.push(entry)
    }
    if (entries.length > 0) this.#memo = entries
  }

  /** Removes the entries from `index` on. */
  truncateFrom(index: number): void {
    assert(index > this.#baseIndex && index <= this.lastIndex, 'truncates what is held', { index })
    this.#slots.length = this.#dead + index - this.#baseIndex - 1
    this.#memo = noEntries
  }

  /**
   * Entries `from..through`, both included, as many as fit into `bytesMax` but at least one. The array is shared and never changes.
   */
  entries(from: number, through: number, bytesMax: number): readonly Entry[] {
    assert(from > this.#baseIndex && through <= this.lastIndex, 'reads what is held', { from, through })
    if (from > through) return noEntries
    const count = this.#countWithin(from, through, bytesMax)
    const memo = this.#memo
    if (memo.length === count && memo[0]?.index === from) return memo
    const start = this.#dead + from - this.#baseIndex - 1
    this.#memo = this.#slots.slice(start, start + count)
    return this.#memo
  }

  /** Sum of {@link entryBytes} of the entries after `index`. */
  bytesAfter(index: number): number {
    let bytes = 0
    for (let at = index + 1; at <= this.lastIndex; at++) bytes += entryBytes(this.#slot(at))
    return bytes
  }

  /** The smallest index held whose term is `term` or more; one more than `lastIndex` when there is none. */
  firstIndexOfTerm(term: number): number {
    let low = this.firstIndex
    let high = this.lastIndex + 1
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.#slot(middle).term >= term) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Forgets the entries up to and with `index`. */
  compact(index: number): void {
    if (index <= this.#baseIndex) return
    assert(index <= this.lastIndex, 'compacts what is held', { index, lastIndex: this.lastIndex })
    const dropped = index - this.#baseIndex
    this.#baseTerm = this.#slot(index).term
    this.#slots.fill(released, this.#dead, this.#dead + dropped)
    this.#dead += dropped
    this.#baseIndex = index
    this.#memo = noEntries
    if (this.#dead > this.#slots.length / 2) {
      this.#slots.splice(0, this.#dead)
      this.#dead = 0
    }
  }

  /** Forgets everything: the log goes on after `index`. */
  reset(index: number, term: number): void {
    this.#baseIndex = index
    this.#baseTerm = term
    this.#slots.length = 0
    this.#dead = 0
    this.#memo = noEntries
  }

  #countWithin(from: number, through: number, bytesMax: number): number {
    let bytes = 0
    for (let at = from; at <= through; at++) {
      bytes += entryBytes(this.#slot(at))
      if (bytes > bytesMax && at > from) return at - from
    }
    return through - from + 1
  }

  #slot(index: number): Entry {
    return this.#slots[this.#dead + index - this.#baseIndex - 1] as Entry
  }
}
