import { describe, expect, test } from 'vitest'
import { LeaseRenewal, type RenewalEffect, type RenewalEvent, retryPauseMs } from './lease-renewal.ts'
import { isHeldAt, localDeadlineMs } from './local-deadline.ts'
import { firstLeaseSlot, SharedSlots } from './shared-slots.ts'

const ttlMs = 9_000

/** A machine with a hand-moved clock and an application that is alive unless told otherwise. */
class Bench {
  readonly machine = new LeaseRenewal({ maxStallMs: 5_000 })
  nowMs = 0
  aliveMs: number | undefined

  step(event: RenewalEvent): RenewalEffect[] {
    return this.machine.step(event, this.moment())
  }

  at(nowMs: number): RenewalEffect[] {
    this.nowMs = nowMs
    return this.step({ type: 'timePassed' })
  }

  wakeMs(): number | undefined {
    return this.machine.nextWakeMs(this.moment())
  }

  private moment() {
    return { nowMs: this.nowMs, applicationAliveMs: this.aliveMs ?? this.nowMs }
  }
}

function withLease(): Bench {
  const bench = new Bench()
  expect(bench.step({ type: 'leaseAdded', lease: 1, ttlMs, sentMs: 0 })).toEqual([])
  return bench
}

describe('lease renewal', () => {
  test('renews at a third of the ttl after the last acknowledged renewal was sent', () => {
    const bench = withLease()
    expect(bench.wakeMs()).toBe(3_000)
    expect(bench.at(2_999)).toEqual([])
    expect(bench.at(3_000)).toEqual([{ type: 'renew', lease: 1, timeoutMs: 2_250 }])
    bench.nowMs = 3_400
    expect(bench.step({ type: 'renewalAcknowledged', lease: 1, sentMs: 3_000 })).toEqual([
      { type: 'recordRenewal', lease: 1, sentMs: 3_000 },
    ])
    expect(bench.wakeMs()).toBe(6_000)
  })

  test('has one call under way per lease, and wakes at the deadline meanwhile', () => {
    const bench = withLease()
    bench.at(3_000)
    expect(bench.wakeMs()).toBe(localDeadlineMs(0, ttlMs))
    expect(bench.at(5_000)).toEqual([])
  })

  test('tries again after a failure, with growing pauses', () => {
    const bench = withLease()
    bench.at(3_000)
    bench.step({ type: 'renewalFailed', lease: 1, gone: false })
    expect(bench.wakeMs()).toBe(3_150)
    expect(bench.at(3_150)).toMatchObject([{ type: 'renew' }])
    bench.step({ type: 'renewalFailed', lease: 1, gone: false })
    expect(bench.wakeMs()).toBe(3_450)
    expect(retryPauseMs(ttlMs, 100)).toBe(3_000)
  })

  test('a try ends before the deadline does', () => {
    const bench = withLease()
    bench.at(3_000)
    bench.nowMs = 7_900
    bench.step({ type: 'renewalFailed', lease: 1, gone: false })
    expect(bench.at(8_050)).toEqual([{ type: 'renew', lease: 1, timeoutMs: 50 }])
  })

  test('gives up at the deadline, and takes no answer that comes after it', () => {
    const bench = withLease()
    bench.at(3_000)
    expect(bench.at(8_099)).toEqual([])
    expect(bench.at(8_100)).toEqual([{ type: 'giveUp', lease: 1, reason: 'lapsed' }])
    expect(bench.step({ type: 'renewalAcknowledged', lease: 1, sentMs: 3_000 })).toEqual([])
    expect(bench.wakeMs()).toBeUndefined()
    const late = withLease()
    late.at(3_000)
    late.nowMs = 8_100
    expect(late.step({ type: 'renewalAcknowledged', lease: 1, sentMs: 3_000 })).toEqual([
      { type: 'giveUp', lease: 1, reason: 'lapsed' },
    ])
  })

  test('gives up at once when the store has the lease no more', () => {
    const bench = withLease()
    bench.at(3_000)
    expect(bench.step({ type: 'renewalFailed', lease: 1, gone: true })).toEqual([
      { type: 'giveUp', lease: 1, reason: 'gone' },
    ])
    expect(bench.machine.size).toBe(0)
  })

  test('renews nothing while the application has been silent for longer than the maximum stall', () => {
    const bench = withLease()
    bench.aliveMs = -2_001
    expect(bench.at(3_000)).toEqual([])
    expect(bench.wakeMs()).toBe(3_250)
    bench.aliveMs = 3_100
    expect(bench.at(3_250)).toMatchObject([{ type: 'renew' }])
    const hung = withLease()
    hung.aliveMs = -2_001
    hung.at(3_000)
    expect(hung.at(8_100)).toEqual([{ type: 'giveUp', lease: 1, reason: 'lapsed' }])
  })

  test('a removed lease is left alone, and its late answers with it', () => {
    const bench = withLease()
    bench.at(3_000)
    expect(bench.step({ type: 'leaseRemoved', lease: 1 })).toEqual([])
    expect(bench.step({ type: 'renewalAcknowledged', lease: 1, sentMs: 3_000 })).toEqual([])
    expect(bench.step({ type: 'renewalFailed', lease: 1, gone: true })).toEqual([])
  })
})

describe('local deadline', () => {
  test('comes a tenth of the ttl before the store could end the lease, and is itself outside', () => {
    expect(localDeadlineMs(1_000, 10_000)).toBe(10_000)
    expect(isHeldAt(9_999.9, 1_000, 10_000)).toBe(true)
    expect(isHeldAt(10_000, 1_000, 10_000)).toBe(false)
  })
})

describe('shared slots', () => {
  test('a number written through one view is read whole through another', () => {
    const slots = SharedSlots.allocate(2)
    slots.setSentMs(firstLeaseSlot + 1, 123_456_789.125)
    slots.applicationAliveMs = 7.5
    const other = new SharedSlots(slots.buffer)
    expect(other.sentMs(firstLeaseSlot + 1)).toBe(123_456_789.125)
    expect(other.applicationAliveMs).toBe(7.5)
    expect(new Float64Array(slots.buffer)[0]).toBe(7.5)
    expect(() => slots.setSentMs(1, 0)).toThrow(/not for leases/)
  })
})
