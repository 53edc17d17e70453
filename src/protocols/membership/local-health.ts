/**
 * How far this member may trust its own findings (section IV.A of the Lifeguard paper): a score from 0 (healthy) to `scoreMax`. It rises with what a slow member
 * sees (probes that fail, helpers that are silent, suspicions of itself) and falls with each probe that succeeds.
 */
export class LocalHealth {
  readonly #scoreMax: number
  #score = 0

  /** `scoreMax` 0: it never changes. */
  constructor(scoreMax: number) {
    this.#scoreMax = scoreMax
  }

  get score(): number {
    return this.#score
  }

  /** By what the period and the time-out of probes are stretched. */
  get multiplier(): number {
    return this.#score + 1
  }

  change(by: number): void {
    this.#score = Math.min(this.#scoreMax, Math.max(0, this.#score + by))
  }
}
