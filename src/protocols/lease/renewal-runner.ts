import { asAlthingError, isAlthingError } from '../../contracts/errors.ts'
import { type CallOptions, type LeaseId, storeLimits } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { LeaseRenewal, type RenewalEffect, type RenewalEvent, type RenewalMoment } from './lease-renewal.ts'
import type { RenewalNotice, RenewalRequest } from './renewal-messages.ts'
import type { SharedSlots } from './shared-slots.ts'

/** What renewal needs of a store; see `Store.keepLeaseAlive`. */
export interface LeaseStore {
  keepLeaseAlive(lease: LeaseId, options: CallOptions): Promise<unknown>
  /** Where there is such a call, leases that are due together are renewed together. An error stands for a lease that was not. */
  keepLeasesAlive?(leases: readonly LeaseId[], options: CallOptions): Promise<readonly unknown[]>
}

type Renewal = Extract<RenewalEffect, { type: 'renew' }>

/**
 * The shell of {@link LeaseRenewal}: performs its effects on a store and wakes it in time. The same runner works in the thread
 * of an engine (where `notify` posts to the application) and, for engines without one, in the application's own loop.
 */
export class RenewalRunner {
  readonly #store: LeaseStore
  readonly #world: World
  readonly #slots: SharedSlots
  readonly #notify: (notice: RenewalNotice) => void
  readonly #machine: LeaseRenewal
  readonly #slotOf = new Map<LeaseId, number>()
  readonly #closing = new AbortController()
  #wake: Timer | undefined
  /** To be renewed in this turn of the loop. */
  #due: Renewal[] = []
  /** The store does not know how to renew several: a node of the previous version answered. */
  #isOneByOne = false

  constructor(options: {
    readonly store: LeaseStore
    readonly world: World
    readonly slots: SharedSlots
    readonly maxStallMs: number
    readonly notify: (notice: RenewalNotice) => void
  }) {
    this.#store = options.store
    this.#world = options.world
    this.#slots = options.slots
    this.#notify = options.notify
    this.#machine = new LeaseRenewal({ maxStallMs: options.maxStallMs })
  }

  request(request: RenewalRequest): void {
    if (request.type === 'remove') {
      this.#slotOf.delete(request.lease)
      this.#step({ type: 'leaseRemoved', lease: request.lease })
      this.#notify({ type: 'removed', lease: request.lease })
      return
    }
    this.#slotOf.set(request.lease, request.slot)
    this.#step({
      type: 'leaseAdded',
      lease: request.lease,
      ttlMs: request.ttlMs,
      sentMs: request.sentMs,
    })
  }

  /** Renews nothing any more. Idempotent. */
  close(): void {
    this.#wake?.cancel()
    this.#closing.abort()
  }

  #moment(): RenewalMoment {
    return {
      nowMs: this.#world.clock.monotonicMs(),
      applicationAliveMs: this.#slots.applicationAliveMs,
    }
  }

  #step(...events: readonly RenewalEvent[]): void {
    if (this.#closing.signal.aborted) return
    for (const event of events) {
      for (const effect of this.#machine.step(event, this.#moment())) this.#perform(effect)
    }
    this.#wake?.cancel()
    const moment = this.#moment()
    const wakeMs = this.#machine.nextWakeMs(moment)
    if (wakeMs === undefined) return
    this.#wake = this.#world.timers.after(Math.max(0, wakeMs - moment.nowMs), () =>
      this.#step({ type: 'timePassed' }),
    )
  }

  #perform(effect: RenewalEffect): void {
    switch (effect.type) {
      case 'renew':
        if (this.#due.push(effect) === 1) this.#world.timers.immediate(() => this.#renewDue())
        return
      case 'recordRenewal': {
        const slot = this.#slotOf.get(effect.lease)
        if (slot !== undefined) this.#slots.setSentMs(slot, effect.sentMs)
        return
      }
      case 'giveUp':
        this.#slotOf.delete(effect.lease)
        this.#notify({ type: 'gaveUp', lease: effect.lease, reason: effect.reason })
        return
    }
  }

  #renewDue(): void {
    const due = this.#due
    this.#due = []
    if (this.#closing.signal.aborted) return
    if (due.length === 1 || this.#isOneByOne || this.#store.keepLeasesAlive === undefined) {
      for (const { lease, timeoutMs } of due) void this.#renew(lease, timeoutMs)
      return
    }
    for (let i = 0; i < due.length; i += storeLimits.renewalsMax)
      void this.#renewTogether(due.slice(i, i + storeLimits.renewalsMax))
  }

  async #renewTogether(due: readonly Renewal[]): Promise<void> {
    const sentMs = this.#world.clock.monotonicMs()
    const timeoutMs = Math.min(...due.map((renewal) => renewal.timeoutMs))
    const options = { timeoutMs, signal: this.#closing.signal }
    let results: readonly unknown[]
    try {
      results =
        (await this.#store.keepLeasesAlive?.(
          due.map(({ lease }) => lease),
          options,
        )) ?? []
    } catch (error) {
      if (this.#closing.signal.aborted) return
      if (isAlthingError(error, 'corrupt')) {
        this.#isOneByOne = true
        for (const { lease } of due) void this.#renew(lease, timeoutMs)
        return
      }
      results = due.map(() => asAlthingError(error))
    }
    this.#step(
      ...due.map(({ lease }, i): RenewalEvent => {
        const result = results[i]
        const isRenewed = result !== undefined && !isAlthingError(result)
        return isRenewed ? { type: 'renewalAcknowledged', lease, sentMs } : this.#failed(lease, result)
      }),
    )
  }

  #failed(lease: LeaseId, error: unknown): RenewalEvent {
    const gone = isAlthingError(error, 'lease-not-found')
    if (!gone) this.#notify({ type: 'failed', lease, message: messageOf(error) })
    return { type: 'renewalFailed', lease, gone }
  }

  async #renew(lease: LeaseId, timeoutMs: number): Promise<void> {
    const sentMs = this.#world.clock.monotonicMs()
    try {
      await this.#store.keepLeaseAlive(lease, { timeoutMs, signal: this.#closing.signal })
      this.#step({ type: 'renewalAcknowledged', lease, sentMs })
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#step(this.#failed(lease, error))
    }
  }
}

function messageOf(error: unknown): string {
  return isAlthingError(error) ? `${error.code}: ${error.message}` : String(error)
}
