import { describe, expect, test } from 'vitest'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { openLocalStore } from '../../engines/local/local-store.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { LockService } from '../locks/lock.ts'
import type { Lock } from '../locks/lock-types.ts'
import {
  aborted,
  eventually,
  simulate,
  sleep,
  type TestBed,
  testInSimulator,
  withBed,
} from '../test-bed.test-support.ts'

const blocked = 'it blocks the event loop of one process alone'
const stopped = 'it stops one process alone'
const oneClock = 'it reads the clocks of two machines at one moment'
const drift = 'it makes a clock run slow'

/** Another process that waits for the lock, and notes when it has it. */
function rival(bed: TestBed, name: string): { readonly heldAtMs: number | undefined } {
  const result: { heldAtMs: number | undefined } = { heldAtMs: undefined }
  bed.spawn('rival', async (app) => {
    await new LockService(app).acquire(name, { ttl: '10s', waitTimeout: '10m' })
    result.heldAtMs = bed.simulation.nowMs
  })
  return result
}

/** A process that takes the lock, and what it sees at its first instruction after it was stopped or blocked until `wakeMs`. */
function holder(bed: TestBed, name: string, options: { maxStall?: string; ttl: string }) {
  const seen: {
    lock?: Lock
    isHeldAtWake?: boolean
    lostAtWake?: boolean
    reason?: unknown
    lostAtMs?: number
  } = {}
  const process = bed.spawn('holder', async ({ store, world }) => {
    const keeper = new LeaseKeeper(store, world, options)
    const lock = await new LockService({ store, world, keeper }).acquire(name, { ttl: options.ttl })
    seen.lock = lock
    void aborted(lock.lost).then((reason) => {
      seen.reason = reason
      seen.lostAtMs = bed.simulation.nowMs
    })
    for (let lastMs = world.clock.monotonicMs(); ; ) {
      await sleep(world, 50)
      const nowMs = world.clock.monotonicMs()
      if (nowMs - lastMs > 1_000) {
        seen.isHeldAtWake ??= lock.isHeld
        seen.lostAtWake ??= lock.lost.aborted
      }
      lastMs = nowMs
      if (bed.simulation.nowMs > 200_000) return
    }
  })
  return { process, seen }
}

describe('lease keeper', () => {
  testInSimulator(blocked, 'a blocked event loop does not lose the lock: the thread renews it', async () => {
    await simulate(async ({ world }, bed) => {
      const { process, seen } = holder(bed, 'orders', { ttl: '10s' })
      await sleep(world, 1_000)
      const other = rival(bed, 'orders')
      process.blockLoop(25_000)
      await sleep(world, 40_000)
      expect(seen.isHeldAtWake).toBe(true)
      expect(seen.lock?.isHeld).toBe(true)
      expect(other.heldAtMs).toBeUndefined()
    })
  })

  testInSimulator(
    blocked,
    'a loop that hangs for longer than the maximum stall gives its rights up, and the cause is named',
    async () => {
      await simulate(async ({ world }, bed) => {
        const { process, seen } = holder(bed, 'orders', { ttl: '10s', maxStall: '5s' })
        await sleep(world, 1_000)
        const other = rival(bed, 'orders')
        const startMs = bed.simulation.nowMs
        process.blockLoop(60_000)
        await sleep(world, 30_000)
        expect((other.heldAtMs ?? 0) - startMs).toBeGreaterThan(5_000)
        expect((other.heldAtMs ?? Number.POSITIVE_INFINITY) - startMs).toBeLessThan(16_000)
        await sleep(world, 40_000)
        expect(seen.isHeldAtWake).toBe(false)
        expect(seen.reason).toMatchObject({ code: 'lost', details: { cause: 'event-loop-blocked' } })
        expect(String(seen.reason)).toMatch(/event loop blocked for (60|1m)/)
      })
    },
  )

  testInSimulator(
    stopped,
    'a stopped process finds the lock lost at its first instruction, and its stale token refused',
    async () => {
      await simulate(async ({ store, world }, bed) => {
        const { process, seen } = holder(bed, 'orders', { ttl: '10s' })
        await sleep(world, 1_000)
        const other = rival(bed, 'orders')
        await sleep(world, 100)
        process.pause()
        await sleep(world, 15_000)
        expect(other.heldAtMs).toBeDefined()
        process.resume()
        await sleep(world, 1_000)
        expect(seen.isHeldAtWake).toBe(false)
        expect(seen.reason).toMatchObject({ code: 'lost', details: { cause: 'process-stopped' } })
        expect(String(seen.reason)).toMatch(/process stopped for 15(\.\d)?s/)
        const write = { op: 'put', key: 'x', value: new Uint8Array() } as const
        expect((await store.txn((seen.lock as Lock).guard([write]))).succeeded).toBe(false)
      })
    },
  )

  testInSimulator(
    oneClock,
    'when the store cannot be reached, lost fires before another can have the lock',
    async () => {
      for (const seed of [1, 2, 3]) {
        await simulate(async ({ world }, bed) => {
          const { seen } = holder(bed, 'orders', { ttl: '10s' })
          await sleep(world, 1_000 + seed * 777)
          const other = rival(bed, 'orders')
          bed.simulation.network.isolate('holder')
          await sleep(world, 15_000)
          expect(seen.lock?.isHeld).toBe(false)
          expect(seen.reason).toMatchObject({ code: 'lost', details: { cause: 'store-unreachable' } })
          expect(seen.lostAtMs).toBeLessThan((other.heldAtMs ?? 0) - 500)
        }, seed)
      }
    },
  )

  testInSimulator(drift, 'a clock that runs slow by five percent still gives up in time', async () => {
    await simulate(async ({ world }, bed) => {
      const { process, seen } = holder(bed, 'orders', { ttl: '10s' })
      process.clock.setRate(0.95)
      await sleep(world, 5_000)
      const other = rival(bed, 'orders')
      bed.simulation.network.isolate('holder')
      await sleep(world, 15_000)
      expect(seen.lostAtMs).toBeLessThan(other.heldAtMs ?? 0)
    })
  })

  test('a lease that an operator revokes is lost with the next renewal', async () => {
    await withBed(async ({ store, world }) => {
      const lease = await new LeaseKeeper(store, world).keep('3s')
      await store.revokeLease(lease.id)
      expect(await aborted(lease.lost)).toMatchObject({ details: { cause: 'lease-revoked' } })
      expect(lease.isValid).toBe(false)
    })
  })

  test('release ends the lease in the store and says nothing of a loss', async () => {
    await withBed(async ({ store, world }) => {
      const keeper = new LeaseKeeper(store, world)
      const lease = await keeper.keep('3s')
      await lease.release()
      await lease.release()
      expect(await store.leases()).toEqual([])
      expect([lease.isValid, lease.lost.aborted, keeper.size]).toEqual([false, false, 0])
    })
  })

  test('a lease that was given back is used again, and revoked when nobody wants it for a while', async () => {
    await withBed(async ({ store, world }) => {
      const keeper = new LeaseKeeper(store, world, { leasesMax: 1 })
      const first = await keeper.keep('10s')
      first.giveBack()
      expect([first.isValid, first.lost.aborted, keeper.size]).toEqual([false, false, 0])
      const other = await keeper.keep('20s')
      expect(other.id).not.toBe(first.id)
      await other.release()
      const again = await keeper.keep('10s')
      expect(again.id).toBe(first.id)
      // Their former user has no say over it any more.
      first.giveBack()
      first.abandon()
      await first.release()
      await sleep(world, 30_000)
      expect([again.isValid, first.lost.aborted]).toEqual([true, false])
      again.giveBack()
      await eventually(world, async () => expect(await store.leases()).toEqual([]))
    })
  })

  test('closing revokes the leases that nobody uses', async () => {
    await withBed(async ({ store, world }) => {
      const keeper = new LeaseKeeper(store, world)
      const lease = await keeper.keep('60s')
      lease.giveBack()
      await keeper.close()
      expect(await store.leases()).toEqual([])
    })
  })

  test('a lease that its former user gave back is renewed on time, or not used again', async () => {
    await withBed(async ({ store, world }, bed) => {
      const keeper = new LeaseKeeper(store, world)
      const lease = await keeper.keep('4s')
      lease.giveBack()
      const heal = bed.isolate('app')
      await sleep(world, 4_500)
      heal()
      const next = await keeper.keep('4s')
      expect(next.id).not.toBe(lease.id)
      expect(next.isValid).toBe(true)
    })
  })

  test('a release that could not reach the store can be tried again', async () => {
    await withBed(async ({ store, world }, bed) => {
      const lease = await new LeaseKeeper(store, world).keep('60s')
      const heal = bed.isolate('app')
      await expect(lease.release({ timeoutMs: 500 })).rejects.toMatchObject({ retryable: true })
      expect(lease.isValid).toBe(false)
      heal()
      await lease.release()
      expect(await store.leases()).toEqual([])
    })
  })

  test('holds no more leases than it may, and takes new ones in the places of old ones', async () => {
    await withBed(async ({ store, world }) => {
      const keeper = new LeaseKeeper(store, world, { leasesMax: 2 })
      const [first] = [await keeper.keep('5s'), await keeper.keep('5s')]
      await expect(keeper.keep('5s')).rejects.toMatchObject({ code: 'overloaded', outcome: 'none' })
      await first.release()
      const third = await keeper.keep('5s')
      await sleep(world, 20_000)
      expect(third.isValid).toBe(true)
    })
  })

  test('refuses a bound that makes no sense', async () => {
    await withBed(async ({ store, world }) => {
      for (const leasesMax of [0, -1, 1.5, Number.NaN, 2 ** 32]) {
        expect(() => new LeaseKeeper(store, world, { leasesMax })).toThrow(
          expect.objectContaining({ code: 'invalid-argument', details: { field: 'leasesMax' } }),
        )
      }
    })
  })

  test('goes on in the event loop when its thread ends', async () => {
    await withBed(async ({ store, world }) => {
      const fragile = Object.assign(Object.create(store) as Store, {
        renewal: {
          engine: undefined,
          entry: {
            moduleUrl: import.meta.url,
            exportName: 'none',
            run: () => Promise.reject(new Error('the thread broke')),
          },
        },
        keepLeaseAlive: store.keepLeaseAlive.bind(store),
        grantLease: store.grantLease.bind(store),
      })
      const lease = await new LeaseKeeper(fragile, world).keep('3s')
      await sleep(world, 20_000)
      expect(lease.isValid).toBe(true)
    })
  })

  test('a thread that cannot be started fails the call, and its place is not given to two leases', async () => {
    await withBed(async ({ store, world }) => {
      let starts = 0
      const threads: World['threads'] = {
        start: (entry, data) => {
          if (++starts === 1) throw new Error('no more threads')
          return world.threads.start(entry, data)
        },
      }
      const keeper = new LeaseKeeper(store, { ...world, threads }, { leasesMax: 1 })
      await expect(keeper.keep('5s')).rejects.toThrow('no more threads')
      expect(keeper.size).toBe(0)
      const lease = await keeper.keep('5s')
      await sleep(world, 20_000)
      expect(lease.isValid).toBe(true)
      expect((await store.leases()).map(({ lease }) => lease)).toEqual([lease.id])
    })
  })

  testInSimulator(
    blocked,
    'where the engine has no thread, a blocked loop loses the lease and says so at once',
    async () => {
      await simulate(async ({ world }, bed) => {
        const store = await openLocalStore({ world })
        const lease = await new LeaseKeeper(store, world).keep('5s')
        await sleep(world, 1_000)
        bed.process('app').blockLoop(6_000)
        await sleep(world, 10)
        expect(lease.isValid).toBe(false)
        expect(await aborted(lease.lost)).toMatchObject({ details: { cause: 'event-loop-blocked' } })
        await store.close()
      })
    },
  )
})
