import type { Duration } from '../../base/duration.ts'
import type { ForcedRelease } from '../locks/forced-release.ts'
import type { SingleHold } from '../locks/hold-types.ts'
import type { Party } from '../locks/party.ts'
import type { TurnOptions } from '../locks/turn-taker.ts'

/** Permits are not re-entrant: `owner` is for `explain` alone. */
export interface PermitOptions extends TurnOptions {
  /** How many permits at once: 1 (default) to the limit. They come and go together. */
  readonly permits?: number
  /**
   * How many there are in all, as this program believes: 1..1,000,000. It counts until an operator sets another with `setLimit`. Needed unless one is set; all
   * who share the semaphore must say the same (`conflict`).
   */
  readonly limit?: number
}

/** The permits of one successful acquire: held, lost and released together. */
export interface Permit extends SingleHold {
  readonly permits: number
  /** The limit under which they were given. */
  readonly limit: number
  /** From now on they have this ttl, and its time starts anew. `lost` or `stale-token` when they are held no more. */
  extend(ttl: Duration): Promise<void>
}

export interface PermitParty extends Party {
  readonly permits: number
}

export interface SemaphoreExplanation {
  readonly name: string
  /** In force now: an operator's, else what the first in line says; absent when neither is there. */
  readonly limit: number | undefined
  /** Set where an operator has set it. */
  readonly limitSetBy: string | undefined
  /** Permits that are held. More than the limit only after it was lowered. */
  readonly taken: number
  /** In the order of their coming. */
  readonly holders: readonly PermitParty[]
  /** In the order in which they will get theirs. */
  readonly waiters: readonly PermitParty[]
  readonly revision: number
}

export type ForcedPermitRelease = ForcedRelease<PermitParty>

/** The record of a limit that an operator set, or took back (`limit` absent). Kept for 30 days. */
export interface LimitChange {
  readonly name: string
  readonly limit?: number
  readonly formerLimit?: number
  readonly by: string
  readonly reason: string
  readonly atMs: number
}
