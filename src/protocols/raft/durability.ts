import { assert } from '../../base/assert.ts'

interface PendingWrite {
  readonly sequence: number
  /** Up to here the log of today is in this write or an earlier one; lowered when entries are overwritten while the write is under way. */
  lastIndex: number
}

/**
 * Which writes are under way, and how much of the log **of today** is on this node's disk.
 *
 * The disk may lag: a write that ends can hold entries that were overwritten meanwhile, even overwritten twice, back to entries of the same
 * index. So a write counts only up to the first index overwritten after it was begun.
 */
export class Durability {
  #sequence = 0
  #durableSequence = 0
  #persistedIndex: number
  readonly #pending: PendingWrite[] = []
  #hardStateSequence = 0

  constructor(persistedIndex: number) {
    this.#persistedIndex = persistedIndex
  }

  get persistedIndex(): number {
    return this.#persistedIndex
  }

  /** The newest write, durable or not; 0 for none. */
  get sequence(): number {
    return this.#sequence
  }

  get durableSequence(): number {
    return this.#durableSequence
  }

  /** The write that a message waits for so that the sender's term and vote are durable before it leaves; 0: none. */
  get hardStateBarrier(): number {
    return this.#hardStateSequence > this.#durableSequence ? this.#hardStateSequence : 0
  }

  /** The write that a claim to hold the log up to `index` waits for; 0: none. */
  entriesBarrier(index: number): number {
    if (index <= this.#persistedIndex) return 0
    // Nearly always it is the newest write, so the search starts there.
    let at = this.#pending.length
    while (at > 0 && (this.#pending[at - 1] as PendingWrite).lastIndex >= index) at--
    const write = this.#pending[at]
    assert(write !== undefined, 'what is not durable is being written', {
      index,
      persisted: this.#persistedIndex,
    })
    return write.sequence
  }

  /** A write begins that brings the log on disk up to `lastIndex`. Returns its sequence. */
  begin(lastIndex: number, hasHardState: boolean): number {
    this.#sequence++
    if (hasHardState) this.#hardStateSequence = this.#sequence
    this.#pending.push({ sequence: this.#sequence, lastIndex })
    return this.#sequence
  }

  /** The entries from `index` on are no longer those of the log: no write begun before now may count for them. */
  truncated(index: number): void {
    this.#persistedIndex = Math.min(this.#persistedIndex, index - 1)
    for (const write of this.#pending) write.lastIndex = Math.min(write.lastIndex, index - 1)
  }

  /** The log was replaced by a durable snapshot at `index`. */
  replaced(index: number): void {
    for (const write of this.#pending) write.lastIndex = 0
    this.#persistedIndex = index
  }

  /** All writes up to and with `sequence` are durable. */
  complete(sequence: number): void {
    assert(sequence <= this.#sequence, 'completes a write that was begun', {
      sequence,
      begun: this.#sequence,
    })
    if (sequence <= this.#durableSequence) return
    this.#durableSequence = sequence
    let done = 0
    for (; done < this.#pending.length; done++) {
      const write = this.#pending[done] as PendingWrite
      if (write.sequence > sequence) break
      this.#persistedIndex = Math.max(this.#persistedIndex, write.lastIndex)
    }
    this.#pending.splice(0, done)
  }
}
