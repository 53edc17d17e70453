import { isLive } from './claim.ts'
import type { Suspicion } from './suspicion.ts'
import type { Claim, MemberDetails, MemberId, MemberState, MemberView } from './types.ts'

/** Slow answers in a row after which a member is degraded as this one sees it: one alone may be the network's. */
const slowAnswersMax = 2

/** What this member holds of another. */
export class MemberRecord {
  readonly id: MemberId
  details: MemberDetails
  claim: Claim
  /** Exactly while the claim that holds is `suspect`. */
  suspicion: Suspicion | undefined
  /** Of a failed one: who suspected it. */
  blamedBy: readonly MemberId[] = []
  shown: MemberState | undefined
  sinceMs: number
  /** When it failed or left; 0: it has not. */
  endedMs = 0
  recoveredUntilMs = 0
  #roundTripMs = -1
  #score = -1
  #slowAnswers = 0

  constructor(claim: Claim, details: MemberDetails, nowMs: number) {
    this.id = claim.id
    this.claim = claim
    this.details = details
    this.sinceMs = nowMs
  }

  get isLive(): boolean {
    return isLive(this.claim)
  }

  /** The claim that holds, with all that is known. */
  get whole(): Claim {
    return { ...this.claim, details: this.details }
  }

  state(nowMs: number): MemberState {
    const { state } = this.claim
    if (state !== 'alive') return state
    if (this.details.degraded !== '' || this.isSlow) return 'degraded'
    return nowMs < this.recoveredUntilMs ? 'recovered' : 'alive'
  }

  get isSlow(): boolean {
    return this.#slowAnswers >= slowAnswersMax
  }

  answered(roundTripMs: number, slowMs: number): void {
    this.#roundTripMs = roundTripMs
    this.#slowAnswers = roundTripMs > slowMs ? Math.min(slowAnswersMax, this.#slowAnswers + 1) : 0
  }

  set score(score: number) {
    this.#score = score
  }

  view(nowMs: number): MemberView {
    const { claim, details, suspicion } = this
    return {
      id: this.id,
      address: details.address,
      tags: details.tags,
      state: this.state(nowMs),
      sinceMs: this.sinceMs,
      incarnation: claim.incarnation,
      degraded: details.degraded === '' && this.isSlow ? 'response-time' : details.degraded,
      suspectedBy: [...(suspicion?.by ?? this.blamedBy)],
      roundTripMs: this.#roundTripMs < 0 ? undefined : this.#roundTripMs,
      healthScore: this.#score < 0 ? undefined : this.#score,
    }
  }
}
