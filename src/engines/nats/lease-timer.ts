import type { LeaseId, LeaseStatus } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { Lessor } from '../../models/store/lessor.ts'
import type { StoreChange } from '../../models/store/types.ts'
import type { LogMachine } from './log-machine.ts'

/** While there are leases some process appends a tick when nothing else has moved the log for so long, or up to twice as long. */
const tickMs = 500
/** A log that has stood still for longer may have been out of everybody's reach: every lease is given its whole time anew. */
export const stallMsMax = 3_000
/** Each process waits for a while of its own choice, up to this, before it ends a lease that all can see to be over: so mostly one does. */
const jitterMsMax = 200
const retryMs = 250
const expiriesPerItemMax = 500
const keysPerExpiry = 4

export interface LeaseTimerOptions {
  readonly world: World
  readonly machine: LogMachine
  /** Through the log. `done` is called once, when it was applied or has failed. */
  expire(leases: readonly LeaseId[], done: () => void): void
  tick(done: () => void): void
}

/**
 * Measures the leases by this process's clock, as far as it sees the log move, and has those ended whose time is over. Every process does: so a lease ends, whichever of
 * them has died. See {@link LogMachine} for what makes sure that none ends early.
 */
export class LeaseTimer {
  readonly #options: LeaseTimerOptions
  readonly #world: World
  readonly #lessor = new Lessor()
  #movedMs = 0
  #alarm: Timer | undefined
  #alarmMs = Number.POSITIVE_INFINITY
  #ticker: Timer | undefined
  #isTicking = false
  #isExpiring = false
  #isClosed = false

  constructor(options: LeaseTimerOptions) {
    this.#options = options
    this.#world = options.world
    this.restart()
  }

  /** All leases have their whole time before them. */
  restart(): void {
    const nowMs = this.#nowMs()
    this.#movedMs = nowMs
    this.#lessor.promote(leasesOf(this.#options.machine), nowMs)
    this.#alarm?.cancel()
    this.#alarmMs = Number.POSITIVE_INFINITY
    this.#arm()
    this.#armTicker()
  }

  /** A message of the log has come. To be called before it is applied. */
  moved(): void {
    const nowMs = this.#nowMs()
    const hasStalled = nowMs - this.#movedMs > stallMsMax
    this.#movedMs = nowMs
    if (hasStalled) this.restart()
  }

  follow(change: StoreChange): void {
    if (change.leasesGranted.length === 0 && change.leasesEnded.length === 0) return
    const nowMs = this.#nowMs()
    for (const { lease, ttlMs } of change.leasesGranted) this.#lessor.granted(lease, ttlMs, nowMs)
    for (const lease of change.leasesEnded) this.#lessor.ended(lease)
    this.#arm()
    this.#armTicker()
  }

  renewed(lease: LeaseId): void {
    const nowMs = this.#nowMs()
    if (this.#lessor.renewed(lease, nowMs) !== undefined) return
    // Its end was on the way, and will be passed over.
    this.#lessor.expiryFailed([lease])
    this.#lessor.renewed(lease, nowMs)
    this.#arm()
  }

  withRemaining(status: LeaseStatus): LeaseStatus {
    const remainingMs = this.#lessor.remainingMs(status.lease, this.#nowMs())
    return remainingMs === undefined ? status : { ...status, remainingMs }
  }

  close(): void {
    this.#isClosed = true
    this.#alarm?.cancel()
    this.#ticker?.cancel()
    this.#lessor.demote()
  }

  #arm(): void {
    const dueMs = this.#lessor.nextDeadlineMs()
    if (this.#isClosed || this.#isExpiring || dueMs === undefined || dueMs >= this.#alarmMs) return
    const delayMs = Math.max(0, dueMs - this.#nowMs()) + this.#world.random.float() * jitterMsMax
    this.#wakeIn(delayMs)
    this.#alarmMs = dueMs
  }

  #wakeIn(delayMs: number): void {
    this.#alarm?.cancel()
    this.#alarmMs = Number.NEGATIVE_INFINITY
    this.#alarm = this.#world.timers.after(delayMs, () => {
      this.#alarmMs = Number.POSITIVE_INFINITY
      this.#expireDue()
    })
  }

  #expireDue(): void {
    if (this.#isClosed || this.#isExpiring || this.#lessor.nextDeadlineMs() === undefined) return
    const nowMs = this.#nowMs()
    if (nowMs - this.#movedMs > stallMsMax) {
      // Whether the log moves at all is to be seen first; if it does, the time of the leases begins anew.
      this.#tick()
      this.#wakeIn(retryMs)
      return
    }
    const leases = this.#due(nowMs)
    if (leases.length === 0) {
      this.#arm()
      return
    }
    this.#isExpiring = true
    this.#options.expire(leases, () => {
      this.#isExpiring = false
      if (this.#isClosed) return
      this.#lessor.expiryFailed(leases)
      this.#wakeIn(this.#lessor.nextDeadlineMs() === undefined ? 0 : this.#pauseMs())
    })
  }

  /** What is over still, for the stamps of the log say otherwise or the end was lost, is tried again after a while. */
  #pauseMs(): number {
    const overdueMs = this.#nowMs() - (this.#lessor.nextDeadlineMs() ?? 0)
    return overdueMs > 0 ? retryMs / 5 : 0
  }

  #due(nowMs: number): readonly LeaseId[] {
    let weight = 0
    return this.#lessor.due(nowMs, (lease) => {
      if (weight >= expiriesPerItemMax) return false
      weight += 1 + Math.floor(this.#options.machine.model.leaseKeyCount(lease) / keysPerExpiry)
      return true
    })
  }

  /** While there are leases, and only then: an idle store costs nothing. */
  #armTicker(): void {
    if (this.#ticker !== undefined || this.#isClosed || this.#options.machine.model.leaseCount === 0) return
    const dueMs = this.#movedMs + tickMs * (1 + this.#world.random.float())
    this.#ticker = this.#world.timers.after(Math.max(0, dueMs - this.#nowMs()), () => {
      this.#ticker = undefined
      if (this.#isClosed || this.#options.machine.model.leaseCount === 0) return
      if (this.#nowMs() - this.#movedMs >= tickMs) this.#tick()
      else this.#armTicker()
    })
  }

  #tick(): void {
    if (this.#isTicking) return
    this.#isTicking = true
    this.#options.tick(() => {
      this.#isTicking = false
      this.#armTicker()
    })
  }

  #nowMs(): number {
    return this.#world.clock.monotonicMs()
  }
}

function* leasesOf(machine: LogMachine): Generator<{ readonly lease: LeaseId; readonly ttlMs: number }> {
  for (const [lease, { ttlMs }] of machine.terms()) yield { lease, ttlMs }
}
