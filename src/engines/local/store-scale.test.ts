import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { WatchBatch } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { openLocalStore } from './local-store.ts'
import { WatchHub } from './watch-hub.ts'

async function simulate(body: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world) => {
    await body(world)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 600_000 })
}

const sleep = (world: World, ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))
const turn = (world: World) => new Promise<void>((resolve) => world.timers.immediate(resolve))

describe('what one store bears', () => {
  test('1,000 watches that begin long after their keys were made, which did not change, cost less than 50 walks through the history', () => {
    const model = new StoreModel()
    const keys = Array.from({ length: 20_000 }, (_, n) => `held/${n}`)
    for (const key of keys) {
      const then = [{ op: 'put', key, value: bytesFromText('x') }] as const
      model.apply({ session: 0, sequence: 0, acknowledged: 0, type: 'txn', compare: [], then, else: [] })
    }
    const { revision } = model
    const timeOf = (work: () => void): number => {
      const { user } = process.cpuUsage()
      work()
      return process.cpuUsage().user - user
    }
    let found = 0
    const begun = timeOf(() => {
      for (let n = 0; n < 1_000; n++)
        found += model.eventsBetween({ key: keys[n] as string }, n + 3, revision).length
    })
    expect(found).toBe(0)
    const walked = timeOf(() => {
      for (let n = 0; n < 50; n++) model.eventsBetween({ key: 'none/', end: 'none0' }, 2, revision)
    })
    expect(begun).toBeLessThan(walked)
  })

  test('10,000 watchers of one prefix get every change once and in order, a bounded number of them in each turn of the loop', async () => {
    await simulate(async (world) => {
      const model = new StoreModel()
      const hub = new WatchHub(world, model)
      const count = 10_000
      const seen = Array.from({ length: count }, (): number[] => [])
      let served = 0
      for (const revisions of seen) {
        const push = (batch: WatchBatch): boolean => {
          if (batch.kind !== 'events') return true
          served++
          for (const event of batch.events) if (event.type === 'put') revisions.push(event.kv.modRevision)
          return true
        }
        hub.add({ key: 'orders/', end: 'orders0' }, { push })
      }
      const put = (n: number): void => {
        const value = bytesFromText(String(n))
        const then = [{ op: 'put', key: `orders/${n % 7}`, value }] as const
        const txn = { type: 'txn', compare: [], then, else: [] } as const
        const { change } = model.applyWithChange({ session: 0, sequence: 0, acknowledged: 0, ...txn })
        if (change !== undefined) hub.publish(change)
      }
      let servedInOneTurnMax = 0
      const changes = 200
      for (let n = 0; n < changes; n++) {
        const before = served
        put(n)
        await turn(world)
        servedInOneTurnMax = Math.max(servedInOneTurnMax, served - before)
      }
      await sleep(world, 1_000)
      const all = Array.from({ length: changes }, (_, n) => n + 2)
      expect(seen.filter((revisions) => revisions.join() !== all.join())).toEqual([])
      expect(servedInOneTurnMax).toBeGreaterThan(0)
      expect(servedInOneTurnMax).toBeLessThanOrEqual(1_000)
      // Changes that came while a round was under way went out together: far fewer batches than changes times watchers.
      expect(served).toBeLessThan((count * changes) / 10)
      expect(hub.stats).toMatchObject({ watchers: count, ranges: 1, resyncsTotal: 0 })
      hub.close()
    })
  })

  test('100,000 leases are granted, a tenth is renewed, and the others end in steps of at most 500, none before its time', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const count = 100_000
      for (let i = 0; i < count; i += 10_000)
        await Promise.all(Array.from({ length: 10_000 }, () => store.grantLease({ ttlMs: 10_000 })))
      expect(store.host.model.leaseCount).toBe(count)
      await sleep(world, 9_000)
      expect(store.host.model.leaseCount).toBe(count)
      for (let first = 1; first <= count / 10; first += 1_000)
        await store.keepLeasesAlive(Array.from({ length: 1_000 }, (_, i) => first + i))
      const { appliedIndex } = store.host.group
      await sleep(world, 5_000)
      expect(store.host.model.leaseCount).toBe(count / 10)
      expect(store.host.group.appliedIndex - appliedIndex).toBeGreaterThanOrEqual((count * 0.9) / 500)
      expect(await store.range({ key: 'a' })).toMatchObject({ count: 0 })
      await sleep(world, 10_000)
      expect(store.host.model.leaseCount).toBe(0)
      await store.close()
    })
  })
})
