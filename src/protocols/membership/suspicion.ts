import type { MemberId } from './types.ts'

export interface SuspicionBounds {
  readonly minMs: number
  readonly maxMs: number
  /** Confirmations by others after which it lasts `minMs`; 0: it lasts `minMs` from the start. */
  readonly confirmations: number
}

/**
 * How long one suspicion may still be refuted (LHA-Suspicion, section IV.B of the Lifeguard paper): long while this member alone suspects, for it may be this member that is
 * slow, and shorter with each other that comes to the same finding on its own.
 */
export class Suspicion {
  readonly #bounds: SuspicionBounds
  readonly #by: MemberId[]
  readonly #startMs: number
  #grantedMs = 0

  constructor(by: MemberId, startMs: number, bounds: SuspicionBounds) {
    this.#by = [by]
    this.#startMs = startMs
    this.#bounds = bounds
  }

  get by(): readonly MemberId[] {
    return this.#by
  }

  /** When the suspect is to be taken for failed. */
  get dueMs(): number {
    const { minMs, maxMs, confirmations } = this.#bounds
    if (confirmations === 0) return this.#startMs + this.#grantedMs + minMs
    const share = Math.log(this.#by.length) / Math.log(confirmations + 1)
    return this.#startMs + this.#grantedMs + Math.max(minMs, maxMs - (maxMs - minMs) * share)
  }

  /** Another suspects it too. `true`: that was not known, and counts. */
  confirm(by: MemberId): boolean {
    if (this.#by.length > this.#bounds.confirmations || this.#by.includes(by)) return false
    this.#by.push(by)
    return true
  }

  /** Time in which this member could not hear a refutation does not count; no more of it than a suspicion may last. */
  grant(ms: number): void {
    this.#grantedMs = Math.min(this.#bounds.maxMs, this.#grantedMs + ms)
  }
}
