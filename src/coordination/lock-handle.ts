import type { Duration } from '../base/duration.ts'
import { textFromBytes } from '../base/bytes.ts'
import type { CallOptions, Compare, Operation, TxnReply, TxnRequest } from '../contracts/store.ts'
import type { ExclusiveHold } from './exclusive-hold.ts'
import { type Fence, type FencedTxnRequest, fenceCompare, staleToken } from './fencing.ts'
import { encodeLockEntry, type LockEntry } from './lock-entry.ts'
import type { Lock } from './lock-types.ts'
import { leaseTtlMs } from './names.ts'

/** One hold and the number of handles on it. The last one to go releases it. */
export class SharedHold {
  readonly hold: ExclusiveHold
  entry: LockEntry
  readonly #onEnd: () => void
  #handles = 0

  constructor(hold: ExclusiveHold, entry: LockEntry, onEnd: () => void) {
    this.hold = hold
    this.entry = entry
    this.#onEnd = onEnd
  }

  /** False too once the last handle has let go. */
  get isHeld(): boolean {
    return this.hold.isHeld
  }

  retain(): void {
    this.#handles += 1
  }

  async release(): Promise<void> {
    this.#handles -= 1
    if (this.#handles > 0) return
    this.#onEnd()
    await this.hold.release()
  }
}

export class LockHandle implements Lock {
  readonly name: string
  readonly #shared: SharedHold
  #release: Promise<void> | undefined

  constructor(name: string, shared: SharedHold) {
    this.name = name
    this.#shared = shared
    shared.retain()
  }

  get token(): number {
    return this.fence.token
  }

  get fence(): Fence {
    return this.#shared.hold.fence
  }

  get isHeld(): boolean {
    return this.#release === undefined && this.#shared.isHeld
  }

  get lost(): AbortSignal {
    return this.#shared.hold.lost
  }

  validUntilMs(): number {
    return this.#shared.hold.validUntilMs()
  }

  compare(): Compare {
    return fenceCompare(this.fence)
  }

  guard(operations: readonly Operation[]): TxnRequest {
    return { compare: [this.compare()], then: operations }
  }

  async txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply> {
    if (this.#release !== undefined) throw staleToken(this.fence)
    return await this.#shared.hold.txn(request, options)
  }

  async extend(ttl: Duration): Promise<void> {
    if (this.#release !== undefined) throw staleToken(this.fence)
    const entry = { ...this.#shared.entry, ttlMs: leaseTtlMs('ttl', ttl) }
    await this.#shared.hold.moveToLease(entry.ttlMs, () => textFromBytes(encodeLockEntry(entry)))
    this.#shared.entry = entry
  }

  async release(): Promise<void> {
    this.#release ??= this.#shared.release()
    await this.#release
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
