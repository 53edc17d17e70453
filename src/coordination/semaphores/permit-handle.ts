import { textFromBytes } from '../../base/bytes.ts'
import type { Duration } from '../../base/duration.ts'
import type { CallOptions, Compare, Operation, TxnReply, TxnRequest } from '../../contracts/store.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { type Fence, type FencedTxnRequest, type FenceStamp, fenceCompare, staleToken } from '../fencing.ts'
import { encodeLockEntry } from '../locks/lock-entry.ts'
import { leaseTtlMs } from '../names.ts'
import type { PermitEntry } from './semaphore-entry.ts'
import type { Permit } from './semaphore-types.ts'

export interface PermitParts {
  readonly name: string
  readonly hold: ExclusiveHold
  readonly entry: PermitEntry
  readonly limit: number
  /** Tokens that held at revision `asOf`, this one's among them. */
  readonly live: readonly number[]
  readonly asOf: number
}

export class PermitHandle implements Permit {
  readonly name: string
  readonly permits: number
  readonly limit: number
  readonly stamp: FenceStamp
  readonly #hold: ExclusiveHold
  readonly #onEnd: () => void
  #entry: PermitEntry
  #isReleased = false

  constructor({ name, hold, entry, limit, live, asOf }: PermitParts, onEnd: () => void) {
    this.name = name
    this.permits = entry.permits
    this.limit = limit
    this.stamp = { token: hold.fence.token, kind: 'member', asOf, live }
    this.#hold = hold
    this.#entry = { ...entry, heldSinceMs: entry.heldSinceMs ?? entry.queuedAtMs }
    this.#onEnd = onEnd
  }

  get token(): number {
    return this.fence.token
  }

  get fence(): Fence {
    return this.#hold.fence
  }

  get isHeld(): boolean {
    return !this.#isReleased && this.#hold.isHeld
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
    if (this.#isReleased) throw staleToken(this.fence)
    return await this.#hold.txn(request, options)
  }

  async extend(ttl: Duration): Promise<void> {
    if (this.#isReleased) throw staleToken(this.fence)
    const entry = { ...this.#entry, ttlMs: leaseTtlMs('ttl', ttl) }
    await this.#hold.moveToLease(entry.ttlMs, () => textFromBytes(encodeLockEntry(entry)))
    this.#entry = entry
  }

  async release(): Promise<void> {
    this.#isReleased = true
    this.#onEnd()
    await this.#hold.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
