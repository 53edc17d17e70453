import { describe, expect, test } from 'vitest'
import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import type { RenewalNotice } from './renewal-messages.ts'
import { type LeaseStore, RenewalRunner } from './renewal-runner.ts'
import { firstLeaseSlot, SharedSlots } from './shared-slots.ts'

const ttlMs = 9_000
const leases = 1_500

/** Runs a keeper of many leases on a store for a simulated while. */
async function keepMany(
  store: LeaseStore,
  forMs: number,
): Promise<{ notices: RenewalNotice[]; sent: number[] }> {
  const notices: RenewalNotice[] = []
  let sent: number[] = []
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world: World) => {
    const slots = new SharedSlots(new SharedArrayBuffer((firstLeaseSlot + leases + 1) * 8))
    const runner = new RenewalRunner({
      store,
      world,
      slots,
      maxStallMs: Number.MAX_VALUE,
      notify: (notice) => notices.push(notice),
    })
    const sentMs = world.clock.monotonicMs()
    for (let lease = 1; lease <= leases; lease++)
      runner.request({ type: 'add', lease, slot: firstLeaseSlot + lease, ttlMs, sentMs })
    await new Promise<void>((resolve) => world.timers.after(forMs, resolve))
    sent = Array.from({ length: leases }, (_, i) => slots.sentMs(firstLeaseSlot + i + 1) - sentMs)
    runner.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
  return { notices, sent }
}

describe('renewal runner', () => {
  test('leases that are due together are renewed with few calls, and each hears of its own', async () => {
    const calls: number[] = []
    const store: LeaseStore = {
      keepLeaseAlive: () => Promise.reject(new AlthingError('internal', 'one by one')),
      keepLeasesAlive: async (batch) => {
        calls.push(batch.length)
        return batch.map((lease) =>
          lease === 7 ? new AlthingError('lease-not-found', 'gone', { outcome: 'none' }) : { lease, ttlMs },
        )
      },
    }
    const { notices, sent } = await keepMany(store, 3_100)
    expect(calls).toEqual([1_000, 500])
    expect(notices).toEqual([{ type: 'gaveUp', lease: 7, reason: 'gone' }])
    expect(sent.filter((ms) => ms >= 3_000).length).toBe(leases - 1)
  })

  test('what is missing in the answer counts as not renewed', async () => {
    const store: LeaseStore = {
      keepLeaseAlive: async () => {},
      keepLeasesAlive: async (batch) => batch.slice(0, 400).map((lease) => ({ lease, ttlMs })),
    }
    const { sent } = await keepMany(store, 3_001)
    expect(sent.filter((ms) => ms >= 3_000).length).toBe(800)
  })

  test('a node that knows only one lease at a time is asked for one at a time', async () => {
    let singles = 0
    let together = 0
    const store: LeaseStore = {
      keepLeaseAlive: async () => {
        singles++
      },
      keepLeasesAlive: () => {
        together++
        return Promise.reject(new AlthingError('corrupt', 'malformed lease'))
      },
    }
    const { notices, sent } = await keepMany(store, 6_100)
    expect([together, singles]).toEqual([2, 2 * leases])
    expect(notices).toEqual([])
    expect(sent.every((ms) => ms >= 6_000)).toBe(true)
  })
})
