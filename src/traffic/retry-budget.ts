export interface RetryBudgetOptions {
  /** Retries allowed per request that came. Default 0.2: a failing service is burdened with at most a fifth more. */
  readonly ratio: number
  /** Retries allowed per second whatever the traffic. Default 5. */
  readonly perSecondMin: number
}

/** Tokens that can be saved up, in seconds of `perSecondMin` and in requests times `ratio`. */
const savedMax = 100

/**
 * Bounds retries to a share of the traffic, so that an outage is not made worse by being asked again (the retry budget of Finagle).
 * Pure: time is given.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions
  #tokens: number
  #countedMs: number

  constructor(options: RetryBudgetOptions, nowMs: number) {
    this.#options = options
    this.#tokens = options.perSecondMin
    this.#countedMs = nowMs
  }

  /** One request came. */
  deposit(): void {
    this.#tokens = Math.min(savedMax, this.#tokens + this.#options.ratio)
  }

  /** True: the retry is paid for. */
  tryWithdraw(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#countedMs)
    this.#countedMs = nowMs
    this.#tokens = Math.min(savedMax, this.#tokens + (elapsedMs / 1_000) * this.#options.perSecondMin)
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
