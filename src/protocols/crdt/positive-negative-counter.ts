import { CompactReader, CompactWriter } from '../../base/compact-bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import { GrowOnlyCounter } from './grow-only-counter.ts'
import { counterAmount } from './counter-amount.ts'

/**
 * A counter that grows and shrinks without coordination (PN-Counter: Shapiro et al., 2011, specification 7): one grow-only counter of what was added, and one
 * of what was taken. May go below zero: no replica can know what the others take at the same time. For all else, see {@link GrowOnlyCounter}.
 */
export class PositiveNegativeCounter {
  readonly replica: string
  readonly #added: GrowOnlyCounter
  readonly #taken: GrowOnlyCounter

  constructor(replica: string) {
    this.#added = new GrowOnlyCounter(replica)
    this.#taken = new GrowOnlyCounter(replica)
    this.replica = replica
  }

  /** Goes on from what {@link encode} saved. Throws `corrupt`. */
  static decode(replica: string, state: Uint8Array): PositiveNegativeCounter {
    const counter = new PositiveNegativeCounter(replica)
    counter.merge(state)
    counter.takeDelta()
    return counter
  }

  get value(): bigint {
    return this.#added.value - this.#taken.value
  }

  /** A whole number of 0 or more (default 1). */
  increment(amount: bigint | number = 1): void {
    this.#added.increment(amount)
  }

  /** A whole number of 0 or more (default 1). */
  decrement(amount: bigint | number = 1): void {
    this.#taken.increment(amount)
  }

  /** Adds a number of either sign. */
  add(amount: bigint | number): void {
    if (amount < 0) this.decrement(counterAmount('amount', -amount))
    else this.increment(amount)
  }

  /** As for {@link GrowOnlyCounter.merge}. */
  merge(other: PositiveNegativeCounter | Uint8Array): void {
    if (other instanceof PositiveNegativeCounter) {
      this.#added.merge(other.#added)
      this.#taken.merge(other.#taken)
      return
    }
    // Both halves are read before one is merged: bytes that are wrong change nothing.
    const [added, taken] = splitState(this.replica, other)
    this.#added.merge(added)
    this.#taken.merge(taken)
  }

  encode(): Uint8Array {
    return joinStates(this.#added.encode(), this.#taken.encode())
  }

  /** As for {@link GrowOnlyCounter.takeDelta}. */
  takeDelta(): Uint8Array | undefined {
    const added = this.#added.takeDelta()
    const taken = this.#taken.takeDelta()
    if (added === undefined && taken === undefined) return undefined
    return joinStates(added ?? emptyState, taken ?? emptyState)
  }
}

const emptyState = new GrowOnlyCounter('empty').encode()

function joinStates(added: Uint8Array, taken: Uint8Array): Uint8Array {
  const length = new CompactWriter().unsigned(added.byteLength).finish()
  return Uint8Array.from([...length, ...added, ...taken])
}

function splitState(replica: string, bytes: Uint8Array): readonly [GrowOnlyCounter, GrowOnlyCounter] {
  try {
    const length = new CompactReader(bytes).count()
    const start = new CompactWriter().unsigned(length).finish().byteLength
    const added = GrowOnlyCounter.decode(replica, bytes.subarray(start, start + length))
    return [added, GrowOnlyCounter.decode(replica, bytes.subarray(start + length))]
  } catch (cause) {
    const message = `the bytes are no state of a positive-negative counter: ${(cause as Error).message}`
    throw new AlthingError('corrupt', message, { outcome: 'none', cause })
  }
}
