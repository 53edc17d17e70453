import type { Duration } from '../../base/duration.ts'
import type { CallOptions, Compare, Operation, TxnReply, TxnRequest } from '../../contracts/store.ts'
import type { Fence, FencedTxnRequest } from '../fencing.ts'

export interface AcquireOptions {
  /**
   * Default 30 s, renewed at a third of it while held. After the death of the holder the next has the lock within this time. Short
   * ones fail over sooner and bear less silence of the store.
   */
  readonly ttl?: Duration
  /** Default 1 minute; then `timeout`. */
  readonly waitTimeout?: Duration
  readonly signal?: AbortSignal
  /** Makes the lock re-entrant: within one `LockService`, a second acquire by the same owner shares the hold. 1..256 characters. */
  readonly owner?: string
  /** What the holder does, for `explain`. At most 512 characters. */
  readonly note?: string
  /** Trace of what the holder does, for `explain`. At most 128 characters. */
  readonly traceId?: string
}

/** One successful acquire. Each must be released once; a re-entrant hold ends with the last. */
export interface Lock extends AsyncDisposable {
  readonly name: string
  /** The fencing token: larger than that of every earlier holder of this lock. */
  readonly token: number
  /** Key and token, for {@link fencedTxn} and for resources of one's own. */
  readonly fence: Fence
  /** Computed at each reading: true only if no other can hold the lock at this moment. */
  readonly isHeld: boolean
  /**
   * Fires with the cause (`lost`) before another can have the lock, unless an operator took it by force: then as soon as the store reports
   * it, and transactions under {@link compare} have been refused from that moment on. Does not fire on `release`.
   */
  readonly lost: AbortSignal
  /** Monotonic time until which the lock is held as far as is known now. */
  validUntilMs(): number
  /** Added to any transaction on the same store, makes the store refuse it once the lock is not held. */
  compare(): Compare
  /** A transaction of `operations` that is refused once the lock is not held. */
  guard(operations: readonly Operation[]): TxnRequest
  /** Applies the request under the fence. Rejects with `stale-token`, nothing changed, when the lock is not held any more. */
  txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply>
  /** From now on the lock has this ttl, and its time starts anew. `lost` or `stale-token` when it is held no more. */
  extend(ttl: Duration): Promise<void>
  /**
   * Ends the hold here at once, then in the store, where nothing is left. Rejects when the store cannot be told: call it again, or leave it: the
   * lock is free after its ttl at the latest. Idempotent.
   */
  release(): Promise<void>
}

/** The holder, or one who waits. Wall times are those of the machine that wrote them. */
export interface LockParty {
  readonly token: number
  readonly owner?: string
  readonly note?: string
  readonly traceId?: string
  readonly ttlMs: number
  readonly lease: number
  readonly queuedAtMs: number
  /** Holder only. */
  readonly heldSinceMs?: number
  /** How long ago the store last renewed the lease; absent when the serving node does not measure it. */
  readonly sinceRenewalMs?: number
  /** After this time without a renewal the store gives the lock to the next. Same condition. */
  readonly endsInMs?: number
}

export interface LockExplanation {
  readonly name: string
  readonly holder: LockParty | undefined
  /** In the order in which they will get it. */
  readonly waiters: readonly LockParty[]
  readonly revision: number
}

/** The record of a forced release. Kept for 30 days. */
export interface ForcedRelease {
  readonly name: string
  readonly token: number
  readonly by: string
  readonly reason: string
  readonly atMs: number
  readonly holder: LockParty
}
