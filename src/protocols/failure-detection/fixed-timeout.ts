import { invalidArgument } from '../../contracts/errors.ts'
import type { FailureDetector } from './failure-detector.ts'

export interface FixedTimeoutOptions {
  /** How often heartbeats are sent: 1 to 5 s is usual (default 1,000). */
  readonly intervalMs: number
  /** Intervals without one after which the process is suspected: 3 to 5 is usual (default 4). */
  readonly missedMax: number
}

/**
 * Suspects after a fixed time of silence. Its `suspicion` is the number of intervals that have passed since the last heartbeat. Simple to reason about: found within `intervalMs * missedMax`
 * after the last heartbeat, no sooner and no later; on a network that is worse than thought it is wrong again and again, for it learns nothing.
 */
export class FixedTimeoutDetector implements FailureDetector {
  readonly #intervalMs: number
  readonly threshold: number
  #lastMs: number | undefined

  /** Throws `invalid-argument`. */
  constructor({ intervalMs = 1_000, missedMax = 4 }: Partial<FixedTimeoutOptions> = {}) {
    if (!(intervalMs > 0 && intervalMs <= 3_600_000))
      throw invalidArgument('intervalMs', intervalMs, 'over 0, to 3600000')
    if (!(missedMax >= 1 && missedMax <= 1_000)) throw invalidArgument('missedMax', missedMax, '1 to 1000')
    this.#intervalMs = intervalMs
    this.threshold = missedMax
  }

  heartbeat(nowMs: number): void {
    this.#lastMs = nowMs
  }

  suspicion(nowMs: number): number {
    return this.#lastMs === undefined ? 0 : Math.max(0, nowMs - this.#lastMs) / this.#intervalMs
  }

  isSuspected(nowMs: number): boolean {
    return this.suspicion(nowMs) >= this.threshold
  }
}
