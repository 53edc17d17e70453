import type { Entry, HardState, SnapshotMeta } from '../../protocols/raft/types.ts'
import type { Item } from './items.ts'

/** One group's log as the items of the segments, applied in their order, make it. Pure: what recovery decides, it decides here. */
export class LogImage {
  #hardState: HardState
  #entries: Entry[] = []
  #nextIndex: number
  #resetIndex = 0
  #nextIndexMax: number

  /** `nextIndex`, `hardState`: from the first record of the oldest segment. */
  constructor(nextIndex: number, hardState: HardState) {
    this.#nextIndex = nextIndex
    this.#nextIndexMax = nextIndex
    this.#hardState = hardState
  }

  get hardState(): HardState {
    return this.#hardState
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  get nextIndex(): number {
    return this.#nextIndex
  }

  /** As the log reckons it while it is written, without knowing what a reset has dropped: see `GroupState.nextIndex`. */
  get nextIndexMax(): number {
    return this.#nextIndexMax
  }

  /** The lowest index that is in the log, or would be. */
  get firstIndex(): number {
    return this.#entries[0]?.index ?? this.#nextIndex
  }

  /** A text says why the item cannot follow what came before it. */
  apply(item: Extract<Item, { type: 'hardState' | 'entry' | 'reset' }>): string | undefined {
    switch (item.type) {
      case 'hardState':
        this.#hardState = item.hardState
        return undefined
      case 'entry':
        return this.#append(item.entry)
      case 'reset':
        this.#resetIndex = item.index
        this.#nextIndexMax = Math.max(this.#nextIndexMax, item.index + 1)
        this.#startAfter(item.index, item.term)
        return undefined
    }
  }

  /**
   * Fits the log to the newest snapshot. `dropped`: the log did not lead up to the snapshot (the node died between receiving it and
   * writing so into the log), and now starts after it. A text says what is missing.
   */
  join(snapshot: SnapshotMeta | undefined): { readonly dropped: boolean } | string {
    const snapshotIndex = snapshot?.index ?? 0
    if (snapshotIndex < this.#resetIndex) return `the snapshot of index ${this.#resetIndex} or a later one`
    const firstIndex = this.#entries[0]?.index ?? this.#nextIndex
    if (firstIndex > snapshotIndex + 1) return `the entries ${snapshotIndex + 1}..${firstIndex - 1}`
    if (snapshot === undefined) return { dropped: false }
    const isFresh = this.#entries.length === 0 && this.#nextIndex === snapshot.index + 1
    return { dropped: !isFresh && !this.#startAfter(snapshot.index, snapshot.term) }
  }

  #append(entry: Entry): string | undefined {
    // Of a log whose beginning has gone with its segment nobody knows what a reset kept. Whoever needs what is missing finds so in `join`.
    const mayBegin = this.#entries.length === 0 && entry.index <= this.#nextIndexMax
    if (entry.index > this.#nextIndex && !mayBegin) {
      return `entry ${entry.index} follows, but ${this.#nextIndex} should be the next`
    }
    const firstIndex = this.#entries[0]?.index ?? entry.index
    this.#entries.length = Math.max(0, Math.min(this.#entries.length, entry.index - firstIndex))
    this.#entries.push(entry)
    this.#nextIndex = entry.index + 1
    this.#nextIndexMax = this.#nextIndex
    return undefined
  }

  /** Keeps the entries when the snapshot's last entry is among them (paper figure 13, step 6); drops them all otherwise. */
  #startAfter(index: number, term: number): boolean {
    const firstIndex = this.#entries[0]?.index
    const last = firstIndex === undefined ? undefined : this.#entries[index - firstIndex]
    const follows = firstIndex === index + 1
    if (last?.term === term || follows) return true
    this.#entries = []
    this.#nextIndex = index + 1
    return false
  }
}
