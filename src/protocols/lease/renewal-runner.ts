import { isAlthingError } from '../../contracts/errors.ts'
import type { CallOptions, LeaseId } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { LeaseRenewal, type RenewalEffect, type RenewalEvent, type RenewalMoment } from './lease-renewal.ts'
import type { RenewalNotice, RenewalRequest } from './renewal-messages.ts'
import type { SharedSlots } from './shared-slots.ts'

/** The one call that renewal needs of a store; see `Store.keepLeaseAlive`. */
export interface LeaseStore {
  keepLeaseAlive(lease: LeaseId, options: CallOptions): Promise<unknown>
}

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

  #step(event: RenewalEvent): void {
    if (this.#closing.signal.aborted) return
    for (const effect of this.#machine.step(event, this.#moment())) this.#perform(effect)
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
        void this.#renew(effect.lease, effect.timeoutMs)
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

  async #renew(lease: LeaseId, timeoutMs: number): Promise<void> {
    const sentMs = this.#world.clock.monotonicMs()
    try {
      await this.#store.keepLeaseAlive(lease, { timeoutMs, signal: this.#closing.signal })
      this.#step({ type: 'renewalAcknowledged', lease, sentMs })
    } catch (error) {
      if (this.#closing.signal.aborted) return
      const gone = isAlthingError(error, 'lease-not-found')
      if (!gone) this.#notify({ type: 'failed', lease, message: messageOf(error) })
      this.#step({ type: 'renewalFailed', lease, gone })
    }
  }
}

function messageOf(error: unknown): string {
  return isAlthingError(error) ? `${error.code}: ${error.message}` : String(error)
}
