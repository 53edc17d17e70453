import { CompactReader, CompactWriter } from '../../base/compact-bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import { checkNodeName } from '../clocks/node-name.ts'
import { counterAmount } from './counter-amount.ts'
import { type Counts, countBitsMax, mergeCounts, readCounts, sumOf, writeCounts } from './counts.ts'
import { invalidArgument } from '../../contracts/errors.ts'

/**
 * A counter that only grows, without coordination (G-Counter: Shapiro, Preguiça, Baquero and Zawirski, *A Comprehensive Study of Convergent and Commutative Replicated
 * Data Types*, INRIA 7506, 2011, specification 6). Each replica adds to an entry of its own; to merge is to take the greater of each entry. So replicas that have seen the same
 * additions agree, in whatever order, however often, and over whomever they heard.
 *
 * A state travels whole (`encode`) or as what is new (`takeDelta`: Almeida, Shoker and Baquero, *Delta State Replicated Data Types*, 2018); `merge` takes both.
 *
 * A replica's name belongs to one live object at a time. One that restarts goes on from its saved state, or takes a new name: two that add under one name lose additions.
 */
export class GrowOnlyCounter {
  readonly replica: string
  readonly #counts = new Map<string, bigint>()
  #delta = new Map<string, bigint>()

  constructor(replica: string) {
    this.replica = checkNodeName('replica', replica)
  }

  /** Goes on from what {@link encode} saved. Throws `corrupt`. */
  static decode(replica: string, state: Uint8Array): GrowOnlyCounter {
    const counter = new GrowOnlyCounter(replica)
    counter.merge(state)
    counter.#delta.clear()
    return counter
  }

  get value(): bigint {
    return sumOf(this.#counts)
  }

  /** What each replica has added. */
  get counts(): Counts {
    return new Map(this.#counts)
  }

  /** Adds a whole number of 0 or more (default 1). Throws `invalid-argument`. */
  increment(amount: bigint | number = 1): void {
    const added = counterAmount('amount', amount)
    if (added === 0n) return
    const count = (this.#counts.get(this.replica) ?? 0n) + added
    if (count >> BigInt(countBitsMax) !== 0n)
      throw invalidArgument(
        'amount',
        amount,
        `so small that one replica's count stays below 2^${countBitsMax}`,
      )
    this.#counts.set(this.replica, count)
    this.#delta.set(this.replica, count)
  }

  /** Takes over what another replica knows: itself, or its encoded state or delta. Commutative, associative, idempotent. Throws `corrupt`, and is then unchanged. */
  merge(other: GrowOnlyCounter | Uint8Array): void {
    const counts = other instanceof GrowOnlyCounter ? other.#counts : decodeCounts(other)
    for (const [replica, count] of mergeCounts(this.#counts, counts)) this.#delta.set(replica, count)
  }

  /** The whole state. Equal states have equal bytes. */
  encode(): Uint8Array {
    return encodeCounts(this.#counts)
  }

  /**
   * What is new since the last call, to be merged by others; `undefined` when nothing is. What was taken is not kept: when it may not have arrived, send the whole
   * state once.
   */
  takeDelta(): Uint8Array | undefined {
    if (this.#delta.size === 0) return undefined
    const delta = encodeCounts(this.#delta)
    this.#delta = new Map()
    return delta
  }
}

function encodeCounts(counts: Counts): Uint8Array {
  const writer = new CompactWriter()
  writeCounts(writer, counts)
  return writer.finish()
}

function decodeCounts(bytes: Uint8Array): Counts {
  try {
    const reader = new CompactReader(bytes)
    const counts = readCounts(reader)
    if (!reader.isAtEnd) throw new RangeError('bytes are left over')
    return counts
  } catch (cause) {
    const message = `the bytes are no state of a grow-only counter: ${(cause as Error).message}`
    throw new AlthingError('corrupt', message, { outcome: 'none', cause })
  }
}
