interface SentRound {
  readonly round: number
  readonly sentMs: number
}

/** Rounds under way that may begin a lease. More are not noted: an answer to a later one then counts for the one before it. */
const roundsMax = 16

/**
 * Until when a leader may serve reads without asking (thesis section 6.4.1). A follower that has answered a round votes for nobody, unless this leader asks for
 * it, until an election timeout after it heard the round; it cannot have heard it before it was sent. So, where clocks keep to the same rate within `driftMax`, nobody
 * else leads for an election timeout, less that share, from the **sending** of the newest round that a quorum has answered.
 */
export class LeaderLease {
  readonly #lengthMs: number
  #rounds: SentRound[] = []
  #endMs = Number.NEGATIVE_INFINITY
  #isForfeited = false

  constructor(electionTimeoutMs: number, driftMax: number) {
    this.#lengthMs = electionTimeoutMs * (1 - driftMax)
  }

  isHeld(nowMs: number): boolean {
    return nowMs < this.#endMs
  }

  roundBegun(round: number, nowMs: number): void {
    if (this.#isForfeited) return
    while (this.#rounds.length > 0 && (this.#rounds[0] as SentRound).sentMs + this.#lengthMs <= nowMs) {
      this.#rounds.shift()
    }
    if (this.#rounds.length < roundsMax) this.#rounds.push({ round, sentMs: nowMs })
  }

  /** A quorum has answered `round`. */
  roundConfirmed(round: number): void {
    while (this.#rounds.length > 0 && (this.#rounds[0] as SentRound).round <= round) {
      this.#endMs = (this.#rounds.shift() as SentRound).sentMs + this.#lengthMs
    }
  }

  /** Another configuration is in use: its quorums have promised nothing yet. */
  renounce(): void {
    this.#rounds = []
    this.#endMs = Number.NEGATIVE_INFINITY
  }

  /** Voters may be asked to overlook this leader, and the message that says so may come at any time: no lease in this term any more. */
  forfeit(): void {
    this.renounce()
    this.#isForfeited = true
  }
}
