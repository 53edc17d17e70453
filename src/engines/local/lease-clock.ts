import { AlthingError } from '../../contracts/errors.ts'
import type { LeaseGrant, LeaseId, LeaseStatus } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { Lessor } from '../../models/store/lessor.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import type { StoreChange } from '../../models/store/types.ts'

/** One command expires at most so many leases, or a quarter as many again for each key on them, so that a pile-up does not stop the loop. */
const expiriesPerCommandMax = 500
const keysPerExpiry = 4
/** After a full command: at most 25,000 leases end in a second, and most of the loop is left for others meanwhile. */
const pauseAfterFullMs = 20
const retryMs = 100

export interface LeaseClockOptions {
  readonly world: World
  readonly model: StoreModel
  /** Has the leases ended through the log. `done` is called once: whether that failed. */
  expire(leases: readonly LeaseId[], done: (failed: boolean) => void): void
  isLeading(): boolean
}

/** Measures the leases while this member leads, and has those expire whose time is over. */
export class LeaseClock {
  readonly #world: World
  readonly #options: LeaseClockOptions
  readonly #lessor = new Lessor()
  #timer: Timer | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #isExpiring = false

  constructor(options: LeaseClockOptions) {
    this.#options = options
    this.#world = options.world
  }

  /** Every lease gets its whole time anew: a change of leader never ends one early. */
  start(): void {
    this.#lessor.promote(this.#options.model.leaseTtls(), this.#world.clock.monotonicMs())
    this.#isExpiring = false
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#lessor.demote()
  }

  follow(change: StoreChange): void {
    if (change.leasesGranted.length === 0 && change.leasesEnded.length === 0) return
    const nowMs = this.#world.clock.monotonicMs()
    for (const { lease, ttlMs } of change.leasesGranted) this.#lessor.granted(lease, ttlMs, nowMs)
    for (const lease of change.leasesEnded) this.#lessor.ended(lease)
    if (change.leasesGranted.length > 0) this.#arm()
  }

  /** Starts the lease's time anew, or says why it cannot. */
  renew(lease: LeaseId): LeaseGrant | AlthingError {
    const nowMs = this.#world.clock.monotonicMs()
    const ttlMs = this.#lessor.renewed(lease, nowMs)
    if (ttlMs !== undefined) return { lease, ttlMs }
    return this.#lessor.remainingMs(lease, nowMs) === undefined
      ? new AlthingError('lease-not-found', `lease ${lease} has ended, or was never granted`, {
          outcome: 'none',
        })
      : new AlthingError('unavailable', `lease ${lease} is just expiring`, { outcome: 'none' })
  }

  withRemaining(status: LeaseStatus): LeaseStatus {
    const remainingMs = this.#lessor.remainingMs(status.lease, this.#world.clock.monotonicMs())
    return remainingMs === undefined ? status : { ...status, remainingMs }
  }

  #arm(): void {
    const dueMs = this.#lessor.nextDeadlineMs()
    if (dueMs !== undefined && dueMs < this.#dueMs) this.#wakeAt(dueMs)
  }

  #wakeAt(dueMs: number): void {
    this.#timer?.cancel()
    this.#dueMs = dueMs
    const delayMs = Math.max(0, dueMs - this.#world.clock.monotonicMs())
    this.#timer = this.#world.timers.after(delayMs, () => {
      this.#dueMs = Number.POSITIVE_INFINITY
      this.#expireDue()
    })
  }

  #expireDue(): void {
    if (this.#isExpiring || !this.#options.isLeading()) return
    const nowMs = this.#world.clock.monotonicMs()
    let weight = 0
    const leases = this.#lessor.due(nowMs, (lease) => {
      if (weight >= expiriesPerCommandMax) return false
      weight += 1 + Math.floor(this.#options.model.leaseKeyCount(lease) / keysPerExpiry)
      return true
    })
    if (leases.length === 0) {
      this.#arm()
      return
    }
    this.#isExpiring = true
    this.#options.expire(leases, (failed) => {
      this.#isExpiring = false
      if (failed) this.#lessor.expiryFailed(leases)
      if (!this.#options.isLeading()) return
      if (failed) this.#wakeIn(retryMs)
      else if (weight >= expiriesPerCommandMax) this.#wakeIn(pauseAfterFullMs)
      else this.#expireDue()
    })
  }

  #wakeIn(delayMs: number): void {
    this.#wakeAt(this.#world.clock.monotonicMs() + delayMs)
  }
}
