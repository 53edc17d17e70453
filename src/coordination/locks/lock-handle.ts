import type { Duration } from '../../base/duration.ts'
import { textFromBytes } from '../../base/bytes.ts'
import type { CallOptions, Compare, Operation, TxnReply, TxnRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { type Fence, type FencedTxnRequest, fenceCompare, staleToken } from '../fencing.ts'
import { encodeLockEntry, type LockEntry } from './lock-entry.ts'
import type { Turn } from './lock-queue.ts'
import type { Lock } from './lock-types.ts'
import { leaseTtlMs } from '../names.ts'

/** Who had to wait writes since when the lock is held, unless it is over by then: a write less for each turn of a busy lock. */
const announceAfterMs = 100

/** One hold and the number of handles on it. The last one to go releases it. */
export class SharedHold {
  readonly hold: ExclusiveHold
  entry: LockEntry
  readonly #onEnd: () => void
  readonly #announcement: Timer | undefined
  #handles = 0

  constructor(world: World, { hold, entry }: Turn, onEnd: () => void) {
    this.hold = hold
    this.entry = entry
    this.#onEnd = onEnd
    if (entry.heldSinceMs === undefined) return
    this.#announcement = world.timers.after(announceAfterMs, () => void this.#announce(world))
  }

  /** False too once the last handle has let go. */
  get isHeld(): boolean {
    return this.hold.isHeld
  }

  retain(): void {
    this.#handles += 1
  }

  letGo(): void {
    this.#handles -= 1
    if (this.#handles > 0) return
    this.#announcement?.cancel()
    this.#onEnd()
  }

  /** Ends the hold once nobody has a handle on it. May be called again when it has failed. */
  async releaseIfUnused(): Promise<void> {
    if (this.#handles === 0) await this.hold.release()
  }

  /** For {@link LockService.explain}. The right is in the store already; only since when it is held is not. */
  async #announce(world: World): Promise<void> {
    if (!this.isHeld) return
    try {
      await this.hold.setValue(textFromBytes(encodeLockEntry(this.entry)))
    } catch (error) {
      world.logger.log('debug', 'since when a lock is held could not be written', { error: String(error) })
    }
  }
}

export class LockHandle implements Lock {
  readonly name: string
  readonly #shared: SharedHold
  #isReleased = false

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
    return !this.#isReleased && this.#shared.isHeld
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
    if (this.#isReleased) throw staleToken(this.fence)
    return await this.#shared.hold.txn(request, options)
  }

  async extend(ttl: Duration): Promise<void> {
    if (this.#isReleased) throw staleToken(this.fence)
    const entry = { ...this.#shared.entry, ttlMs: leaseTtlMs('ttl', ttl) }
    await this.#shared.hold.moveToLease(entry.ttlMs, () => textFromBytes(encodeLockEntry(entry)))
    this.#shared.entry = entry
  }

  async release(): Promise<void> {
    if (!this.#isReleased) {
      this.#isReleased = true
      this.#shared.letGo()
    }
    await this.#shared.releaseIfUnused()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
