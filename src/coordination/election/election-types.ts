import type { Duration } from '../../base/duration.ts'
import type { KeyRight } from '../right.ts'

export interface CampaignOptions {
  /** What the candidate says of itself when it leads: an address, for example. At most 65536 characters, default `''`. */
  readonly value?: string
  /** Default 10 s. After the leader's death the next one leads within this time. */
  readonly ttl?: Duration
  /** The candidate's name, for a transfer. Unique among those who campaign (`conflict`). Default: drawn at random. */
  readonly candidate?: string
  /** Ends the campaign (`aborted`). Without it a campaign lasts until it is won or the service is closed. */
  readonly signal?: AbortSignal
}

/** A leadership of one's own. */
export interface Leadership extends KeyRight, AsyncDisposable {
  readonly election: string
  readonly candidate: string
  /** The fencing token: larger than that of every earlier leader of this election. No two leaders have the same. */
  readonly term: number
  /** Computed at each reading: true only if no other can lead at this moment. */
  readonly isLeader: boolean
  /** Changes the value that observers see. `lost` or `stale-token` when this is the leader no more. */
  proclaim(value: string): Promise<void>
  /** Ends the leadership here at once, then in the store. The next candidate leads. Idempotent. */
  resign(): Promise<void>
  /**
   * Makes a candidate that campaigns now the next leader, before those who came earlier. Rejects with `not-found` when it does not campaign
   * (this one then leads on). When it dies before it has taken over, the others go on in their order.
   */
  transfer(candidate: string): Promise<void>
}

/** The leader as the store has it. */
export interface Leader {
  readonly term: number
  readonly candidate: string
  readonly value: string
  /** Wall time of the leader's machine. */
  readonly electedAtMs: number
}

export interface ElectionState {
  /** Undefined while nobody leads. */
  readonly leader: Leader | undefined
  /** Store revision of which this is the state, or a later one without change. */
  readonly revision: number
}

export interface Candidate {
  readonly candidate: string
  /** Wall time of the candidate's machine. */
  readonly since: number
  /** Named by the last leader as the next. */
  readonly isHeir: boolean
}
