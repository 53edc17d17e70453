import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { CallOptions, LeaseGrant, LeaseId, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { isHeldAt } from '../../protocols/lease/local-deadline.ts'
import { LoopWatch } from '../../protocols/lease/loop-watch.ts'
import type { RenewalNotice, RenewalRequest } from '../../protocols/lease/renewal-messages.ts'
import { RenewalRunner } from '../../protocols/lease/renewal-runner.ts'
import { firstLeaseSlot, SharedSlots } from '../../protocols/lease/shared-slots.ts'
import { untilAborted } from '../abortable.ts'
import { type KeptLease, KeptLeaseHandle, type KeptLeaseOwner } from './kept-lease.ts'
import { lapseError, lostError } from './loss-cause.ts'
import { durationMs, leaseTtlMs, wholeNumber } from '../names.ts'
import type { Duration } from '../../base/duration.ts'

export interface LeaseKeeperOptions {
  /** How long the event loop may stand still before its leases are renewed no more. Default 30 s. Only where a thread renews. */
  readonly maxStall?: Duration
  /** Bound on the leases kept at the same time (`overloaded`): 1..1,000,000. Default 4096. */
  readonly leasesMax?: number
}

const defaults = { maxStall: '30s', leasesMax: 4096 } as const

/** How often the loop shows that it is alive, at most. */
const aliveIntervalMs = 250

type Renewer = Pick<RenewalRunner, 'request' | 'close'>

/**
 * Keeps leases of one store alive: from a thread that the application's loop cannot hold up where the engine brings one
 * (`store.renewal`), else by timers in the loop itself. One keeper serves many leases; share it between the recipes of a process.
 *
 *     application's loop            shared memory               thread
 *     keep, release  ── add, remove ──────────────────────────▶ renews at a third of the ttl
 *     isValid        ◀── sentMs of each lease ◀───────────────── writes at each acknowledgement
 *     alive, every 250 ms ──▶ slot 0 ──────────────────────────▶ renews nothing after maxStall of silence
 */
export class LeaseKeeper {
  readonly #store: Store
  readonly #world: World
  readonly #maxStallMs: number
  readonly #slots: SharedSlots
  readonly #freeSlots: number[]
  readonly #slotOf = new Map<LeaseId, number>()
  readonly #kept = new Map<LeaseId, KeptLeaseHandle>()
  readonly #failures = new Map<LeaseId, string>()
  readonly #watch: LoopWatch
  readonly #owner: KeptLeaseOwner
  #renewer: Renewer | undefined
  #hasThread = false
  #isClosed = false

  constructor(store: Store, world: World, options: LeaseKeeperOptions = {}) {
    this.#store = store
    this.#world = world
    this.#maxStallMs = Math.max(1, durationMs('maxStall', options.maxStall ?? defaults.maxStall))
    const leasesMax = wholeNumber('leasesMax', options.leasesMax ?? defaults.leasesMax, 1, 1_000_000)
    this.#slots = SharedSlots.allocate(leasesMax)
    this.#freeSlots = Array.from({ length: leasesMax }, (_, index) => firstLeaseSlot + leasesMax - 1 - index)
    this.#watch = new LoopWatch(world, {
      intervalMs: Math.min(aliveIntervalMs, this.#maxStallMs / 4),
      onTick: (nowMs) => {
        this.#slots.applicationAliveMs = nowMs
      },
    })
    this.#owner = this.#createOwner()
  }

  /** How many leases are kept now. */
  get size(): number {
    return this.#kept.size
  }

  /**
   * Grants a lease and keeps it. Rejects like `grantLease`, and with `timeout` when the grant took so long that the lease is not
   * surely alive any more.
   */
  async keep(ttl: Duration, options: CallOptions = {}): Promise<KeptLease> {
    const ttlMs = leaseTtlMs('ttl', ttl)
    this.#assertOpen()
    const slot = this.#freeSlots.pop()
    if (slot === undefined) {
      throw new AlthingError('overloaded', 'the keeper holds as many leases as it may (leasesMax)', {
        outcome: 'none',
      })
    }
    try {
      const sentMs = this.#world.clock.monotonicMs()
      const grant = await this.#grant(ttlMs, options)
      return this.#add(grant, slot, sentMs)
    } catch (error) {
      this.#freeSlots.push(slot)
      throw error
    }
  }

  /** Gives all leases up (`lost` fires with cause `closed`), and leaves their end in the store to time. Idempotent. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#isClosed = true
    for (const kept of [...this.#kept.values()]) {
      kept.lose(lostError('closed', 'the keeper of the lease was closed'))
    }
    this.#renewer?.close()
    this.#renewer = undefined
    this.#watch.stop()
    return Promise.resolve()
  }

  #assertOpen(): void {
    if (this.#isClosed) {
      throw new AlthingError('closed', 'the keeper of leases is closed', { outcome: 'none' })
    }
  }

  async #grant(ttlMs: number, options: CallOptions): Promise<LeaseGrant> {
    const { signal, ...rest } = options
    if (signal?.aborted !== true) {
      const granting = this.#store.grantLease({ ttlMs }, rest)
      try {
        return await untilAborted(granting, signal)
      } catch (error) {
        // The caller has left: a lease that is granted now belongs to nobody.
        granting.then((grant) => this.#revokeQuietly(grant.lease)).catch(() => {})
        throw error
      }
    }
    return await untilAborted(new Promise<never>(() => {}), signal)
  }

  #add(grant: LeaseGrant, slot: number, sentMs: number): KeptLease {
    const { lease, ttlMs } = grant
    const isLate = !isHeldAt(this.#world.clock.monotonicMs(), sentMs, ttlMs)
    if (this.#isClosed || isLate) {
      void this.#revokeQuietly(lease)
      this.#assertOpen()
      throw new AlthingError('timeout', `the store took longer to grant the lease than its ${ttlMs} ms`, {
        outcome: 'none',
      })
    }
    // First of all: when it throws, nothing may hold on to the slot.
    const renewer = this.#startedRenewer(lease)
    this.#slots.setSentMs(slot, sentMs)
    this.#slotOf.set(lease, slot)
    this.#watch.start()
    const kept = new KeptLeaseHandle(this.#owner, { lease, ttlMs, slot })
    this.#kept.set(lease, kept)
    renewer.request({ type: 'add', lease, slot, ttlMs, sentMs })
    return kept
  }

  #startedRenewer(lease: LeaseId): Renewer {
    try {
      this.#renewer ??= this.#startRenewer()
      return this.#renewer
    } catch (error) {
      void this.#revokeQuietly(lease)
      throw error
    }
  }

  #createOwner(): KeptLeaseOwner {
    return {
      world: this.#world,
      slots: this.#slots,
      lapseError: (lease) =>
        lapseError({
          nowMs: this.#world.clock.monotonicMs(),
          sentMs: lease.sentMs,
          ttlMs: lease.ttlMs,
          stall: this.#watch.longestSince(lease.sentMs),
          thread: this.#hasThread
            ? { aliveMs: this.#slots.threadAliveMs, stall: this.#slots.threadStall }
            : undefined,
          maxStallMs: this.#maxStallMs,
          lastFailure: this.#failures.get(lease.id),
        }),
      forget: (lease) => this.#forget(lease),
      revoke: (lease, options) => this.#revoke(lease, options),
    }
  }

  #forget(lease: LeaseId): void {
    this.#kept.delete(lease)
    this.#failures.delete(lease)
    this.#renewer?.request({ type: 'remove', lease })
    if (this.#kept.size === 0) this.#watch.stop()
  }

  async #revoke(lease: LeaseId, options?: CallOptions): Promise<void> {
    try {
      await this.#store.revokeLease(lease, options)
    } catch (error) {
      if (!isAlthingError(error, 'lease-not-found')) throw error
    }
  }

  async #revokeQuietly(lease: LeaseId): Promise<void> {
    try {
      await this.#revoke(lease)
    } catch (error) {
      this.#world.logger.log('debug', 'a lease that nobody wanted could not be revoked; it ends by itself', {
        lease,
        error: String(error),
      })
    }
  }

  #startRenewer(): Renewer {
    const { renewal } = this.#store
    if (renewal === undefined) return this.#startLoopRenewer()
    this.#slots.threadAliveMs = this.#world.clock.monotonicMs()
    const thread = this.#world.threads.start(renewal.entry, {
      engine: renewal.engine,
      shared: this.#slots.buffer,
      maxStallMs: this.#maxStallMs,
    })
    this.#hasThread = true
    thread.onMessage((message) => this.#onNotice(message as RenewalNotice))
    const renewer: Renewer = {
      request: (request: RenewalRequest) => thread.post(request),
      close: () => void thread.stop(),
    }
    thread.onExit((error) => this.#onThreadExit(renewer, error))
    return renewer
  }

  #startLoopRenewer(): Renewer {
    this.#hasThread = false
    return new RenewalRunner({
      store: this.#store,
      world: this.#world,
      slots: this.#slots,
      maxStallMs: Number.MAX_VALUE,
      notify: (notice) => this.#onNotice(notice),
    })
  }

  /** Without its thread the keeper is weaker, but keeps what it has. */
  #onThreadExit(thread: Renewer, error: Error | undefined): void {
    if (this.#isClosed || this.#renewer !== thread) return
    this.#world.logger.log(
      'warn',
      'the thread that renews leases ended; the event loop renews them from now on',
      {
        error: error === undefined ? 'none' : String(error),
      },
    )
    const renewer = this.#startLoopRenewer()
    this.#renewer = renewer
    for (const lease of this.#slotOf.keys()) if (!this.#kept.has(lease)) this.#freeSlotOf(lease)
    for (const kept of this.#kept.values()) {
      const { id, slot, ttlMs, sentMs } = kept
      renewer.request({ type: 'add', lease: id, slot, ttlMs, sentMs })
    }
  }

  #onNotice(notice: RenewalNotice): void {
    switch (notice.type) {
      case 'removed':
        this.#freeSlotOf(notice.lease)
        return
      case 'failed':
        if (this.#kept.has(notice.lease)) this.#failures.set(notice.lease, notice.message)
        return
      case 'gaveUp':
        this.#onGaveUp(notice.lease, notice.reason)
        return
    }
  }

  #onGaveUp(lease: LeaseId, reason: 'gone' | 'lapsed'): void {
    const kept = this.#kept.get(lease)
    if (kept?.isValid === true) {
      const message =
        reason === 'gone'
          ? `the store has lease ${lease} no more: it was revoked, or ended by the store's clock`
          : `lease ${lease} was not renewed in time`
      kept.lose(lostError(reason === 'gone' ? 'lease-revoked' : 'store-unreachable', message, { lease }))
    }
    // After the lease has ended here: the slot goes to another now.
    this.#freeSlotOf(lease)
  }

  #freeSlotOf(lease: LeaseId): void {
    const slot = this.#slotOf.get(lease)
    if (slot === undefined) return
    this.#slotOf.delete(lease)
    this.#freeSlots.push(slot)
  }
}
