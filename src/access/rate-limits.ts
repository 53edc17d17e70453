import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Clock } from '../contracts/world.ts'

/** How much one caller may ask of one node. Absent: as much as it likes. A second's worth may come at once. */
export interface RateLimitOptions {
  readonly requestsPerSecond?: number
  readonly bytesPerSecond?: number
}

interface Bucket {
  requests: number
  bytes: number
  filledMs: number
}

/** Callers remembered; past it the one that was heard longest ago is forgotten, and begins with a full bucket. */
const callersMax = 10_000

/** A token bucket for each caller (by its name, or its address where it has none). */
export class RateLimits {
  readonly #clock: Clock
  readonly #requestsPerSecond: number
  readonly #bytesPerSecond: number
  readonly #buckets = new Map<string, Bucket>()
  #refusedTotal = 0

  /** Throws `invalid-argument`. */
  constructor(clock: Clock, options: RateLimitOptions = {}) {
    const { requestsPerSecond = Number.POSITIVE_INFINITY, bytesPerSecond = Number.POSITIVE_INFINITY } =
      options
    if (!(requestsPerSecond > 0))
      throw invalidArgument('requestsPerSecond', requestsPerSecond, 'a number > 0')
    if (!(bytesPerSecond > 0)) throw invalidArgument('bytesPerSecond', bytesPerSecond, 'a number > 0')
    this.#clock = clock
    this.#requestsPerSecond = requestsPerSecond
    this.#bytesPerSecond = bytesPerSecond
  }

  get isUnlimited(): boolean {
    return (
      this.#requestsPerSecond === Number.POSITIVE_INFINITY &&
      this.#bytesPerSecond === Number.POSITIVE_INFINITY
    )
  }

  /** Requests refused since the start. */
  get refusedTotal(): number {
    return this.#refusedTotal
  }

  /**
   * Takes one request of so many bytes. Throws `overloaded` (outcome none) with `details.retryAfterMs`. A request larger than a second's bytes passes when
   * the bucket is full, and the bucket owes the rest.
   */
  take(caller: string, bytes: number): void {
    if (this.isUnlimited) return
    const bucket = this.#filled(caller)
    const missingRequests = Math.max(0, 1 - bucket.requests) / this.#requestsPerSecond
    const missingBytes =
      Math.max(0, Math.min(bytes, this.#bytesPerSecond) - bucket.bytes) / this.#bytesPerSecond
    // Less than a nanosecond is the rounding of the sums above.
    const waitMs = Math.ceil(1_000 * Math.max(missingRequests, missingBytes) - 1e-6)
    if (waitMs > 0) {
      this.#refusedTotal++
      throw new AlthingError('overloaded', `the rate limit of ${caller} is reached`, {
        outcome: 'none',
        details: { retryAfterMs: waitMs },
      })
    }
    bucket.requests -= 1
    bucket.bytes -= bytes
  }

  #filled(caller: string): Bucket {
    const nowMs = this.#clock.monotonicMs()
    const before = this.#buckets.get(caller)
    const seconds = before === undefined ? 0 : (nowMs - before.filledMs) / 1_000
    const requestsMax = Math.max(1, this.#requestsPerSecond)
    const bucket = before ?? { requests: requestsMax, bytes: this.#bytesPerSecond, filledMs: nowMs }
    bucket.requests = Math.min(requestsMax, plus(bucket.requests, seconds, this.#requestsPerSecond))
    bucket.bytes = Math.min(this.#bytesPerSecond, plus(bucket.bytes, seconds, this.#bytesPerSecond))
    bucket.filledMs = nowMs
    // Last in the order of the map: the first is the one heard longest ago.
    this.#buckets.delete(caller)
    this.#buckets.set(caller, bucket)
    if (this.#buckets.size > callersMax) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}

/** Without the NaN of infinity times zero. */
function plus(amount: number, seconds: number, perSecond: number): number {
  return seconds === 0 ? amount : amount + seconds * perSecond
}
