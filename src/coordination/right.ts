import type { CallOptions, Compare, Operation, TxnReply, TxnRequest } from '../contracts/store.ts'
import type { ExclusiveHold } from './exclusive-hold.ts'
import { type Fence, type FencedTxnRequest, fenceCompare, staleToken } from './fencing.ts'

/** What a program has of a right that the store knows of: a lock, permits, a leadership, a run of a schedule. */
export interface Right {
  /**
   * Fires with the cause (`lost`) before another can have the right, unless an operator took it by force: then as soon as the store reports
   * it, and transactions under the fence have been refused from that moment on. Does not fire when it is given up.
   */
  readonly lost: AbortSignal
  /** Monotonic time until which it is held as far as is known now. */
  validUntilMs(): number
  /** A transaction of `operations` that the store refuses once this is not held. */
  guard(operations: readonly Operation[]): TxnRequest
  /** Applies the request under the fence. Rejects with `stale-token`, nothing changed, when this is not held any more. */
  txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply>
}

/** A right that is one key in the store. */
export interface KeyRight extends Right {
  /** Key and token, for {@link fencedTxn} and for resources of one's own. */
  readonly fence: Fence
  /** Added to any transaction on the same store, makes the store refuse it once this is not held. */
  compare(): Compare
}

/** One handle on a hold; where several share it, each is given up by itself. */
export class RightHandle implements KeyRight {
  readonly #hold: ExclusiveHold
  #isGivenUp = false

  constructor(hold: ExclusiveHold) {
    this.#hold = hold
  }

  get token(): number {
    return this.fence.token
  }

  get fence(): Fence {
    return this.#hold.fence
  }

  get isHeld(): boolean {
    return !this.#isGivenUp && this.#hold.isHeld
  }

  get lost(): AbortSignal {
    return this.#hold.lost
  }

  validUntilMs(): number {
    return this.#hold.validUntilMs()
  }

  compare(): Compare {
    return fenceCompare(this.fence)
  }

  guard(operations: readonly Operation[]): TxnRequest {
    return { compare: [this.compare()], then: operations }
  }

  async txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply> {
    this.assertNotGivenUp()
    return await this.#hold.txn(request, options)
  }

  /** True at the first call. */
  protected giveUp(): boolean {
    const isFirst = !this.#isGivenUp
    this.#isGivenUp = true
    return isFirst
  }

  protected assertNotGivenUp(): void {
    if (this.#isGivenUp) throw staleToken(this.fence)
  }
}
