import { bytesFromText } from '../base/bytes.ts'
import { AlthingError, isAlthingError, withOutcome } from '../contracts/errors.ts'
import type {
  CallOptions,
  LeaseId,
  Operation,
  Store,
  TxnReply,
  Watch,
  WatchEvent,
} from '../contracts/store.ts'
import type { Timer, World } from '../contracts/world.ts'
import { type Fence, type FencedTxnRequest, fenceCompare, fencedTxn, staleToken } from './fencing.ts'
import type { KeptLease } from './leases/kept-lease.ts'
import type { LeaseKeeper } from './leases/lease-keeper.ts'
import { lostError } from './leases/loss-cause.ts'

/** A right that ends sooner than this is not worth a watch of its own. */
const watchAfterMs = 1_000

export interface HoldOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly fence: Fence
  readonly lease: KeptLease
  /** Other keys hang on the lease too: then it ends with this hold, and they with it. */
  readonly sharesLease?: boolean
  /** Named in errors: `lock "orders"`. */
  readonly what: string
  /** Reads the reason why an operator took the right away out of the value of the key, if it says one. */
  readonly takenAway?: (value: Uint8Array) => string | undefined
}

/**
 * An exclusive right: a key in the store that hangs on a kept lease. Held while the lease is surely alive by the own clock, and
 * neither given up here nor seen removed from the store.
 */
export class ExclusiveHold {
  readonly fence: Fence
  readonly #options: HoldOptions
  readonly #lost = new AbortController()
  /** Usually one. Two while it is not known which of them the key hangs on: the right needs both. */
  #leases: KeptLease[] = []
  #hasEnded = false
  #isYielded = false
  #watchTimer: Timer | undefined
  /** The last of the moves to another lease. */
  #moving: Promise<void> = Promise.resolve()
  #watch: Watch | undefined

  constructor(options: HoldOptions) {
    this.#options = options
    this.fence = options.fence
    this.#useLease(options.lease)
    this.#watchTimer = options.world.timers.after(watchAfterMs, () => void this.#watchKey())
  }

  get isHeld(): boolean {
    return !this.#hasEnded && !this.#isYielded && this.#leases.every((lease) => lease.isValid)
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  get ttlMs(): number {
    return Math.min(...this.#leases.map((lease) => lease.ttlMs))
  }

  validUntilMs(): number {
    return Math.min(...this.#leases.map((lease) => lease.validUntilMs()))
  }

  async txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply> {
    this.#assertHeld()
    try {
      return await fencedTxn(this.#options.store, this.fence, request, options)
    } catch (error) {
      if (isAlthingError(error, 'stale-token')) this.#onRemoved(undefined)
      throw error
    }
  }

  /** Writes the key's value; lease and token stay. */
  async setValue(value: string, options?: CallOptions): Promise<void> {
    await this.txn(
      { then: [{ op: 'put', key: this.fence.key, value: bytesFromText(value), lease: 'keep' }] },
      options,
    )
  }

  /**
   * Moves the key to a new lease of `ttlMs`, which runs from now; one move at a time. When the outcome is unknown the right goes on only
   * as long as both the old and the new lease do.
   */
  async moveToLease(ttlMs: number, valueOf: () => string, options?: CallOptions): Promise<void> {
    const moving = this.#moving.catch(() => {}).then(() => this.#moveToLease(ttlMs, valueOf, options))
    this.#moving = moving
    await moving
  }

  /**
   * Gives the right up here first, and then does what passes it on in the store. If that surely did not happen, the right is taken up again.
   */
  async handOver(operations: readonly Operation[], compare: FencedTxnRequest['compare']): Promise<boolean> {
    this.#assertHeld()
    this.#isYielded = true
    try {
      const reply = await fencedTxn(this.#options.store, this.fence, {
        compare: compare ?? [],
        then: operations,
      })
      if (!reply.succeeded) this.#isYielded = false
      return reply.succeeded
    } catch (error) {
      if (isAlthingError(error) && error.outcome === 'none' && error.code !== 'stale-token') {
        this.#isYielded = false
      }
      throw error
    }
  }

  /** Ends the right here at once, then in the store. May be called again when it has failed. */
  async release(options?: CallOptions): Promise<void> {
    const isKnown = this.isHeld && this.#leases.length === 1 && this.#options.sharesLease !== true
    this.#stop()
    if (isKnown) await this.#deleteKey(this.#leases[0] as KeptLease, options)
    await Promise.all(this.#leases.map((lease) => lease.release(options)))
  }

  /**
   * Nothing hangs on the lease but the key, so another may use it: a later acquire saves a grant, and this one a revocation. A transaction under the
   * fence that is still on its way is refused when it comes.
   */
  async #deleteKey(lease: KeptLease, options?: CallOptions): Promise<void> {
    try {
      await this.#options.store.txn(
        { compare: [fenceCompare(this.fence)], then: [{ op: 'delete', key: this.fence.key }] },
        options,
      )
    } catch (error) {
      lease.abandon()
      throw error
    }
    this.#leases = []
    lease.giveBack()
  }

  async #moveToLease(ttlMs: number, valueOf: () => string, options?: CallOptions): Promise<void> {
    this.#assertHeld()
    const lease = await this.#options.keeper.keep(ttlMs, options)
    const former = this.#leases
    this.#useLease(lease)
    try {
      await this.#putOnLease(former, lease, valueOf(), options)
    } catch (error) {
      if (isAlthingError(error) && error.outcome === 'none') await this.#dropLeases([lease])
      throw error
    }
    await this.#dropLeases(former)
  }

  /**
   * The comparison of the lease keeps out an earlier move whose outcome was unknown, and which arrives only now: it would take the key back to a lease
   * that has been dropped.
   */
  async #putOnLease(
    former: readonly KeptLease[],
    lease: KeptLease,
    value: string,
    options?: CallOptions,
  ): Promise<void> {
    const { key } = this.fence
    const [only] = former
    let from = former.length === 1 && only !== undefined ? only.id : undefined
    for (let attempt = 0; attempt < former.length; attempt++) {
      from ??= await this.#leaseInStore(options)
      const reply = await this.txn(
        {
          compare: [{ target: 'lease', key, op: '=', value: from }],
          then: [{ op: 'put', key, value: bytesFromText(value), lease: lease.id }],
        },
        options,
      )
      if (reply.succeeded) return
      from = undefined
    }
    throw staleToken(this.fence)
  }

  async #leaseInStore(options?: CallOptions): Promise<LeaseId> {
    try {
      const { kvs } = await this.#options.store.range({ key: this.fence.key, keysOnly: true }, options)
      return kvs[0]?.lease ?? 0
    } catch (error) {
      throw isAlthingError(error) ? withOutcome(error, 'none') : error
    }
  }

  #assertHeld(): void {
    if (this.isHeld) return
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason
    throw staleToken(this.fence)
  }

  #useLease(lease: KeptLease): void {
    this.#leases = [...this.#leases, lease]
    const onLost = (): void => {
      if (this.#leases.includes(lease)) this.#lose(lease.lost.reason as AlthingError)
    }
    if (lease.lost.aborted) onLost()
    else lease.lost.addEventListener('abort', onLost, { once: true })
  }

  async #dropLeases(leases: readonly KeptLease[]): Promise<void> {
    this.#leases = this.#leases.filter((lease) => !leases.includes(lease))
    for (const lease of leases) {
      try {
        await lease.release()
      } catch (error) {
        this.#options.world.logger.log('debug', 'a former lease could not be revoked; it ends by itself', {
          lease: lease.id,
          error: String(error),
        })
      }
    }
  }

  #lose(error: AlthingError): void {
    if (this.#hasEnded) return
    this.#stop()
    const { code, details } = error
    const reason = new AlthingError(code, `${this.#options.what} was lost: ${error.message}`, {
      outcome: 'none',
      cause: error,
      ...(details === undefined ? {} : { details }),
    })
    this.#lost.abort(reason)
  }

  #stop(): void {
    this.#hasEnded = true
    this.#watchTimer?.cancel()
    this.#watch?.close()
  }

  /** Another may remove the key while the lease lives: an operator. This is the only way to hear of it. */
  async #watchKey(): Promise<void> {
    const { store, world } = this.#options
    const { key, token } = this.fence
    const watch = store.watch({ key, fromRevision: token + 1 })
    this.#watch = watch
    try {
      for await (const batch of watch) {
        if (batch.kind === 'resync' && batch.kvs[0]?.createRevision !== token) this.#onRemoved(undefined)
        if (batch.kind === 'events') for (const event of batch.events) this.#onKeyEvent(event)
        if (this.#hasEnded) return
      }
    } catch (error) {
      if (this.#hasEnded || isAlthingError(error, 'closed')) return
      world.logger.log('warn', 'the watch on a held key broke and is set again', {
        what: this.#options.what,
        error: String(error),
      })
      this.#watchTimer = world.timers.after(watchAfterMs, () => void this.#watchKey())
    } finally {
      watch.close()
    }
  }

  #onKeyEvent(event: WatchEvent): void {
    if (event.type === 'delete') {
      this.#onRemoved(undefined)
      return
    }
    const reason = this.#options.takenAway?.(event.kv.value)
    if (reason !== undefined) this.#onRemoved(reason)
  }

  #onRemoved(reason: string | undefined): void {
    // After a stall the news of the key's end may come before the lease has said why: the lease knows better.
    if (!this.isHeld) return
    const { key, token } = this.fence
    this.#lose(lostError('removed', reason ?? `its key was removed from the store`, { key, token }))
    // What is left in the store belongs to a right that has ended.
    void this.#dropLeases(this.#leases)
  }
}
