import { assert } from '../../base/assert.ts'
import type { LeaseId } from '../../contracts/store.ts'
import { localDeadlineMs } from './local-deadline.ts'

/**
 * Decides which leases to renew, and when. Pure: time comes with each event, and what is to be done comes back as effects.
 *
 * - A lease is renewed a third of its time after its last acknowledged renewal was sent.
 * - A failed renewal is tried again after a pause that starts at a sixtieth of the ttl and doubles, up to a third of the ttl.
 * - Past the local deadline a lease is given up for good, even if the store still has it: what has lapsed stays lapsed.
 * - While the application has been silent for more than `maxStallMs`, nothing is renewed: a program that hangs gives its rights up.
 */
export type RenewalEvent =
  /** `sentMs`: when the grant, now acknowledged, was sent. */
  | { readonly type: 'leaseAdded'; readonly lease: LeaseId; readonly ttlMs: number; readonly sentMs: number }
  | { readonly type: 'leaseRemoved'; readonly lease: LeaseId }
  /** Nothing but time: due at {@link LeaseRenewal.nextWakeMs}. */
  | { readonly type: 'timePassed' }
  | { readonly type: 'renewalAcknowledged'; readonly lease: LeaseId; readonly sentMs: number }
  /** `gone`: the store has no such lease any more. Otherwise the call failed and the lease may well live. */
  | { readonly type: 'renewalFailed'; readonly lease: LeaseId; readonly gone: boolean }

export type RenewalEffect =
  /** Call the store, and report the answer as an event. At most one call per lease is under way. */
  | { readonly type: 'renew'; readonly lease: LeaseId; readonly timeoutMs: number }
  /** The lease is held from `sentMs` anew. */
  | { readonly type: 'recordRenewal'; readonly lease: LeaseId; readonly sentMs: number }
  /** The machine has forgotten the lease: the store has it no more, or its local deadline is past. */
  | { readonly type: 'giveUp'; readonly lease: LeaseId; readonly reason: 'gone' | 'lapsed' }

/** The moment of an event. */
export interface RenewalMoment {
  readonly nowMs: number
  /** When the application's event loop last showed that it runs. */
  readonly applicationAliveMs: number
}

interface Entry {
  readonly ttlMs: number
  /** Of the last acknowledged grant or renewal. */
  sentMs: number
  /** When to send the next renewal. Never later than the local deadline. */
  dueMs: number
  /** In a row. */
  failures: number
  underWay: boolean
}

/** How soon the machine looks again whether a silent application has come back. */
const silencePollMs = 250

export class LeaseRenewal {
  readonly #entries = new Map<LeaseId, Entry>()
  readonly #maxStallMs: number

  constructor(options: { readonly maxStallMs: number }) {
    assert(options.maxStallMs > 0, 'the maximum stall must be positive', options)
    this.#maxStallMs = options.maxStallMs
  }

  get size(): number {
    return this.#entries.size
  }

  step(event: RenewalEvent, moment: RenewalMoment): RenewalEffect[] {
    const effects = this.#take(event, moment)
    return [...effects, ...this.#advance(moment)]
  }

  /** When `timePassed` is to be reported at the latest; `undefined` when nothing waits for time. */
  nextWakeMs(moment: RenewalMoment): number | undefined {
    let wakeMs = Number.POSITIVE_INFINITY
    const earliestMs = this.#isSilent(moment) ? moment.nowMs + silencePollMs : 0
    for (const entry of this.#entries.values()) {
      const deadlineMs = localDeadlineMs(entry.sentMs, entry.ttlMs)
      const dueMs = entry.underWay ? deadlineMs : Math.max(entry.dueMs, earliestMs)
      wakeMs = Math.min(wakeMs, dueMs, deadlineMs)
    }
    return Number.isFinite(wakeMs) ? wakeMs : undefined
  }

  #take(event: RenewalEvent, moment: RenewalMoment): RenewalEffect[] {
    switch (event.type) {
      case 'leaseAdded':
        this.#add(event)
        return []
      case 'leaseRemoved':
        this.#entries.delete(event.lease)
        return []
      case 'timePassed':
        return []
      case 'renewalAcknowledged':
        return this.#acknowledge(event.lease, event.sentMs, moment.nowMs)
      case 'renewalFailed':
        return this.#fail(event.lease, event.gone, moment.nowMs)
    }
  }

  #add(event: { readonly lease: LeaseId; readonly ttlMs: number; readonly sentMs: number }): void {
    assert(!this.#entries.has(event.lease), 'a lease is added once', { lease: event.lease })
    this.#entries.set(event.lease, {
      ttlMs: event.ttlMs,
      sentMs: event.sentMs,
      dueMs: event.sentMs + event.ttlMs / 3,
      failures: 0,
      underWay: false,
    })
  }

  #acknowledge(lease: LeaseId, sentMs: number, nowMs: number): RenewalEffect[] {
    const entry = this.#entries.get(lease)
    if (entry === undefined) return []
    entry.underWay = false
    // An answer that comes after the old deadline proves that the lease lives, but the application may have read in
    // the meantime that it has lost it. It must not hear the opposite now.
    if (nowMs >= localDeadlineMs(entry.sentMs, entry.ttlMs)) return []
    entry.failures = 0
    entry.sentMs = Math.max(entry.sentMs, sentMs)
    entry.dueMs = entry.sentMs + entry.ttlMs / 3
    return [{ type: 'recordRenewal', lease, sentMs: entry.sentMs }]
  }

  #fail(lease: LeaseId, gone: boolean, nowMs: number): RenewalEffect[] {
    const entry = this.#entries.get(lease)
    if (entry === undefined) return []
    if (gone) {
      this.#entries.delete(lease)
      return [{ type: 'giveUp', lease, reason: 'gone' }]
    }
    entry.underWay = false
    entry.dueMs = nowMs + retryPauseMs(entry.ttlMs, entry.failures)
    entry.failures += 1
    return []
  }

  #advance(moment: RenewalMoment): RenewalEffect[] {
    const effects: RenewalEffect[] = []
    const isSilent = this.#isSilent(moment)
    for (const [lease, entry] of this.#entries) {
      const leftMs = localDeadlineMs(entry.sentMs, entry.ttlMs) - moment.nowMs
      if (leftMs <= 0) {
        this.#entries.delete(lease)
        effects.push({ type: 'giveUp', lease, reason: 'lapsed' })
      } else if (!entry.underWay && !isSilent && entry.dueMs <= moment.nowMs) {
        entry.underWay = true
        effects.push({ type: 'renew', lease, timeoutMs: attemptTimeoutMs(entry.ttlMs, leftMs) })
      }
    }
    return effects
  }

  #isSilent(moment: RenewalMoment): boolean {
    return moment.nowMs - moment.applicationAliveMs > this.#maxStallMs
  }
}

/** `failures`: how many renewals in a row had failed before this one. */
export function retryPauseMs(ttlMs: number, failures: number): number {
  return Math.min(ttlMs / 3, (ttlMs / 60) * 2 ** Math.min(failures, 16))
}

/** A try may take a quarter of the ttl, so that a lost request leaves time for others; never beyond the deadline. */
function attemptTimeoutMs(ttlMs: number, leftMs: number): number {
  return Math.max(1, Math.ceil(Math.min(ttlMs / 4, leftMs)))
}
