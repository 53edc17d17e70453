import { Heap } from '../../base/heap.ts'
import type { LeaseId } from '../../contracts/store.ts'

interface Timed {
  readonly lease: LeaseId
  readonly ttlMs: number
  deadlineMs: number
  /** `due` has handed it out; a renewal would come too late. */
  isExpiring: boolean
}

/** A deadline as it was when it was put in the heap: a later one of the same lease makes it void. */
interface Alarm {
  readonly timed: Timed
  readonly atMs: number
}

/** Alarms of leases that ended before their time: so many may stay in the heap whatever the number of leases. */
const strayAlarmsMax = 1_024

/**
 * The time of leases, on the one node that measures it (the leader, or the only node). Pure: it is told the monotonic time. It decides nothing for good: a
 * lease ends when the log says so, and `due` only tells which ones to propose.
 *
 *     granted / renewed -> running -> due -> expiring -> ended
 *                             ^                 |
 *                             +- expiryFailed --+
 *
 * A node that begins to measure gives all leases their full time anew, so that no change of leader ends one early.
 */
export class Lessor {
  readonly #leases = new Map<LeaseId, Timed>()
  readonly #alarms = new Heap<Alarm>(
    (a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.timed.lease < b.timed.lease),
  )
  #isMeasuring = false

  /** Whether this node measures: between `promote` and `demote`. Otherwise nothing is due and nothing can be renewed. */
  get isMeasuring(): boolean {
    return this.#isMeasuring
  }

  /** Begins to measure. Every lease gets its full time from `nowMs`. */
  promote(leases: Iterable<{ readonly lease: LeaseId; readonly ttlMs: number }>, nowMs: number): void {
    this.demote()
    this.#isMeasuring = true
    for (const { lease, ttlMs } of leases) this.granted(lease, ttlMs, nowMs)
  }

  demote(): void {
    this.#isMeasuring = false
    this.#leases.clear()
    this.#alarms.clear()
  }

  /** The log has granted the lease. One that `promote` brought already starts anew. */
  granted(lease: LeaseId, ttlMs: number, nowMs: number): void {
    if (!this.#isMeasuring) return
    if (this.renewed(lease, nowMs) !== undefined) return
    const timed = { lease, ttlMs, deadlineMs: nowMs + ttlMs, isExpiring: false }
    this.#leases.set(lease, timed)
    this.#alarms.push({ timed, atMs: timed.deadlineMs })
  }

  /** Starts the lease's time anew; its ttl, or `undefined` when it cannot be renewed: not there, or already expiring. */
  renewed(lease: LeaseId, nowMs: number): number | undefined {
    const timed = this.#leases.get(lease)
    if (timed === undefined || timed.isExpiring) return undefined
    timed.deadlineMs = nowMs + timed.ttlMs
    return timed.ttlMs
  }

  /** The log has ended the lease. */
  ended(lease: LeaseId): void {
    this.#leases.delete(lease)
    if (this.#alarms.size > 2 * this.#leases.size + strayAlarmsMax) this.#dropStrayAlarms()
  }

  /** Leases whose time is over, the longest overdue first, until `takes` says no to one. They are expiring from now on, until `ended` or `expiryFailed`. */
  due(nowMs: number, takes: (lease: LeaseId) => boolean): LeaseId[] {
    const due: LeaseId[] = []
    for (;;) {
      const alarm = this.#nextAlarm()
      if (alarm === undefined || alarm.atMs > nowMs || !takes(alarm.timed.lease)) break
      this.#alarms.pop()
      alarm.timed.isExpiring = true
      due.push(alarm.timed.lease)
    }
    return due
  }

  /** The proposal to expire them was dropped: they are due again. */
  expiryFailed(leases: Iterable<LeaseId>): void {
    for (const lease of leases) {
      const timed = this.#leases.get(lease)
      if (timed === undefined || !timed.isExpiring) continue
      timed.isExpiring = false
      this.#alarms.push({ timed, atMs: timed.deadlineMs })
    }
  }

  /** Time left, 0 when it is over; `undefined` for a lease that is not measured here. */
  remainingMs(lease: LeaseId, nowMs: number): number | undefined {
    const timed = this.#leases.get(lease)
    return timed === undefined ? undefined : Math.max(0, timed.deadlineMs - nowMs)
  }

  /** When to ask `due` next; `undefined` when nothing is running. */
  nextDeadlineMs(): number | undefined {
    return this.#nextAlarm()?.atMs
  }

  #dropStrayAlarms(): void {
    this.#alarms.clear()
    for (const timed of this.#leases.values()) {
      if (!timed.isExpiring) this.#alarms.push({ timed, atMs: timed.deadlineMs })
    }
  }

  /**
   * The first alarm that is still true. A renewal does not touch the heap: the alarm is moved to the new deadline when it comes up, so a lease has one alarm
   * at most. Those of leases that ended early are swept out when they are the larger part.
   */
  #nextAlarm(): Alarm | undefined {
    for (;;) {
      const alarm = this.#alarms.peek()
      if (alarm === undefined) return undefined
      const { timed, atMs } = alarm
      const isCurrent = this.#leases.get(timed.lease) === timed
      if (isCurrent && timed.deadlineMs === atMs) return alarm
      this.#alarms.pop()
      if (isCurrent) this.#alarms.push({ timed, atMs: timed.deadlineMs })
    }
  }
}
