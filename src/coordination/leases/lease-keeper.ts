import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { CallOptions, LeaseGrant, LeaseId, Store } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
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

/** How long a lease that was given back waits for its next use before it is revoked. */
const idleMs = 5_000
/** Bound on those that wait; more are revoked at once. */
const idleMax = 256
const revokeTimeoutMs = 1_000

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
  readonly #leasesMax: number
  readonly #slots: SharedSlots
  readonly #freeSlots: number[]
  readonly #slotOf = new Map<LeaseId, number>()
  readonly #kept = new Map<LeaseId, KeptLeaseHandle>()
  /** Given back, and renewed until they are used again or revoked: the oldest first. */
  readonly #idle = new Map<LeaseId, { readonly lease: KeptLeaseHandle; readonly sinceMs: number }>()
  #idleTimer: Timer | undefined
  readonly #failures = new Map<LeaseId, string>()
  readonly #watch: LoopWatch
  readonly #owner: KeptLeaseOwner
  /** Leases that are asked for, and not there yet. */
  #granting = 0
  #renewer: Renewer | undefined
  #hasThread = false
  #isClosed = false

  constructor(store: Store, world: World, options: LeaseKeeperOptions = {}) {
    this.#store = store
    this.#world = world
    this.#maxStallMs = Math.max(1, durationMs('maxStall', options.maxStall ?? defaults.maxStall))
    const leasesMax = wholeNumber('leasesMax', options.leasesMax ?? defaults.leasesMax, 1, 1_000_000)
    this.#leasesMax = leasesMax
    // Leases that wait for their next use take no place from those in use.
    const slots = leasesMax + idleMax
    this.#slots = SharedSlots.allocate(slots)
    this.#freeSlots = Array.from({ length: slots }, (_, index) => firstLeaseSlot + slots - 1 - index)
    this.#watch = new LoopWatch(world, {
      intervalMs: Math.min(aliveIntervalMs, this.#maxStallMs / 4),
      onTick: (nowMs) => {
        this.#slots.applicationAliveMs = nowMs
      },
    })
    this.#owner = this.#createOwner()
  }

  /** How many leases are in use now. */
  get size(): number {
    return this.#kept.size - this.#idle.size
  }

  /**
   * Keeps a lease on which nothing hangs: one that was given back, or one that is granted now. Rejects like `grantLease`, and with `timeout` when the grant took so long that the lease is not
   * surely alive any more.
   */
  async keep(ttl: Duration, options: CallOptions = {}): Promise<KeptLease> {
    const ttlMs = leaseTtlMs('ttl', ttl)
    this.#assertOpen()
    const idle = options.signal?.aborted === true ? undefined : this.#takeIdle(ttlMs)
    if (idle !== undefined) return idle
    const slot = this.size + this.#granting < this.#leasesMax ? this.#freeSlots.pop() : undefined
    if (slot === undefined) {
      throw new AlthingError('overloaded', 'the keeper holds as many leases as it may (leasesMax)', {
        outcome: 'none',
      })
    }
    this.#granting += 1
    try {
      const sentMs = this.#world.clock.monotonicMs()
      const grant = await this.#grant(ttlMs, options)
      return this.#add(grant, slot, sentMs)
    } catch (error) {
      this.#freeSlots.push(slot)
      throw error
    } finally {
      this.#granting -= 1
    }
  }

  /**
   * Gives all leases up (`lost` fires with cause `closed`), and leaves their end in the store to time; those that nobody uses are revoked,
   * where the store answers. Idempotent.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#idleTimer?.cancel()
    const revoked = Promise.all([...this.#idle.values()].map(({ lease }) => this.#dropIdle(lease)))
    for (const kept of [...this.#kept.values()]) {
      kept.lose(lostError('closed', 'the keeper of the lease was closed'))
    }
    this.#renewer?.close()
    this.#renewer = undefined
    this.#watch.stop()
    await revoked
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

  /** The one used last, so that the others grow old and go. */
  #takeIdle(ttlMs: number): KeptLease | undefined {
    const nowMs = this.#world.clock.monotonicMs()
    for (const { lease } of [...this.#idle.values()].reverse()) {
      if (lease.ttlMs !== ttlMs || !lease.isValid || lease.validUntilMs() - nowMs < ttlMs / 2) continue
      this.#idle.delete(lease.id)
      return lease
    }
    return undefined
  }

  /** Its former user keeps a handle that has ended; the next one gets another. */
  #takeBack({ id, ttlMs, slot }: KeptLeaseHandle): void {
    const lease = new KeptLeaseHandle(this.#owner, { lease: id, ttlMs, slot })
    this.#kept.set(id, lease)
    this.#idle.set(id, { lease, sinceMs: this.#world.clock.monotonicMs() })
    if (this.#idle.size > idleMax) void this.#dropIdle(lease)
    else this.#idleTimer ??= this.#world.timers.after(idleMs, () => this.#sweepIdle())
  }

  #sweepIdle(): void {
    this.#idleTimer = undefined
    const nowMs = this.#world.clock.monotonicMs()
    for (const { lease, sinceMs } of [...this.#idle.values()]) {
      const leftMs = sinceMs + idleMs - nowMs
      if (leftMs > 0) {
        this.#idleTimer = this.#world.timers.after(leftMs, () => this.#sweepIdle())
        return
      }
      void this.#dropIdle(lease)
    }
  }

  async #dropIdle(lease: KeptLeaseHandle): Promise<void> {
    lease.abandon()
    await this.#revokeQuietly(lease.id, { timeoutMs: revokeTimeoutMs })
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
      takeBack: (lease) => this.#takeBack(lease),
      revoke: (lease, options) => this.#revoke(lease, options),
    }
  }

  #forget(lease: LeaseId): void {
    this.#kept.delete(lease)
    this.#idle.delete(lease)
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

  async #revokeQuietly(lease: LeaseId, options?: CallOptions): Promise<void> {
    try {
      await this.#revoke(lease, options)
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
