import type { CallOptions, Compare, Operation, TxnReply, TxnRequest } from '../../contracts/store.ts'
import type { FencedTxnRequest, FenceStamp } from '../fencing.ts'

/** What a lock, several locks at once and the permits of a semaphore have in common. Each must be released once. */
export interface Hold extends AsyncDisposable {
  /** The fencing token: larger than that of every earlier holder that may not hold beside this one. */
  readonly token: number
  /** What to show to a resource outside the store: see `PostgresGuard`, `FileGuard`, `HttpGuard`. */
  readonly stamp: FenceStamp
  /** Computed at each reading: true only if no other can have the right at this moment. */
  readonly isHeld: boolean
  /**
   * Fires with the cause (`lost`) before another can have the right, unless an operator took it by force: then as soon as the store reports
   * it, and transactions under the fence have been refused from that moment on. Does not fire on `release`.
   */
  readonly lost: AbortSignal
  /** Monotonic time until which it is held as far as is known now. */
  validUntilMs(): number
  /** A transaction of `operations` that the store refuses once this is not held. */
  guard(operations: readonly Operation[]): TxnRequest
  /** Applies the request under the fence. Rejects with `stale-token`, nothing changed, when this is not held any more. */
  txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply>
  /**
   * Ends the hold here at once, then in the store, where nothing is left. Rejects when the store cannot be told: call it again, or leave it: the
   * right is free after its ttl at the latest. Idempotent.
   */
  release(): Promise<void>
}

/** A hold with one key in the store. */
export interface SingleHold extends Hold {
  readonly name: string
  /** Key and token, for {@link fencedTxn} and for resources of one's own. */
  readonly fence: { readonly key: string; readonly token: number }
  /** Added to any transaction on the same store, makes the store refuse it once this is not held. */
  compare(): Compare
}
