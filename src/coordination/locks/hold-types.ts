import type { FenceStamp } from '../fencing.ts'
import type { KeyRight, Right } from '../right.ts'

/** What a lock, several locks at once and the permits of a semaphore have in common. Each must be released once. */
export interface Hold extends Right, AsyncDisposable {
  /** The fencing token: larger than that of every earlier holder that may not hold beside this one. */
  readonly token: number
  /** What to show to a resource outside the store: see `PostgresGuard`, `GuardedFile`, `HttpGuard`. */
  readonly stamp: FenceStamp
  /** Computed at each reading: true only if no other can have the right at this moment. */
  readonly isHeld: boolean
  /**
   * Ends the hold here at once, then in the store, where nothing is left. Rejects when the store cannot be told: call it again, or leave it: the
   * right is free after its ttl at the latest. Idempotent.
   */
  release(): Promise<void>
}

/** A hold with one key in the store. */
export interface SingleHold extends Hold, KeyRight {
  readonly name: string
}
