import { describe, expect, test } from 'vitest'
import { type Lab, manyFaults, simulateSeed } from './shared-log-store.test-support.ts'
import type { SharedLogStore } from './shared-log-store.ts'

const ttlMs = 5_000

async function hasLease(store: SharedLogStore, lease: number): Promise<boolean> {
  return (await store.leases({ consistency: 'serializable' })).some((each) => each.lease === lease)
}

/** After how many milliseconds the lease has ended, as `store` sees it. */
async function lifetimeMs(lab: Lab, store: SharedLogStore, lease: number): Promise<number> {
  const startedMs = lab.world.clock.monotonicMs()
  while (await hasLease(store, lease)) await lab.pass(50)
  return lab.world.clock.monotonicMs() - startedMs
}

describe('the leases of a store on a log', () => {
  test('end in time, whoever of the clients is left', async () => {
    await simulateSeed(1, async (lab) => {
      const [granter, other] = (await lab.several(2)) as [SharedLogStore, SharedLogStore]
      const { lease } = await granter.grantLease({ ttlMs })
      await granter.close()
      const lifeMs = await lifetimeMs(lab, other, lease)
      expect(lifeMs).toBeGreaterThanOrEqual(ttlMs - 100)
      expect(lifeMs).toBeLessThan(ttlMs + 2_000)
    })
  })

  test.each([3_600_000, -3_600_000])(
    'do not end early, nor much too late, when the clock of the servers steps by %i ms',
    async (stepMs) => {
      await simulateSeed(2, async (lab) => {
        const [store, other] = (await lab.several(2)) as [SharedLogStore, SharedLogStore]
        const grantedMs = lab.world.clock.monotonicMs()
        const { lease } = await store.grantLease({ ttlMs })
        await lab.pass(1_000)
        lab.server.clockOffsetMs = stepMs
        await lifetimeMs(lab, other, lease)
        const lifeMs = lab.world.clock.monotonicMs() - grantedMs
        expect(lifeMs).toBeGreaterThanOrEqual(ttlMs)
        expect(lifeMs).toBeLessThan(ttlMs + 4_000)
      })
    },
  )

  test('do not end while the servers are away, and have their whole time when they are back', async () => {
    await simulateSeed(3, async (lab) => {
      const [store] = (await lab.several(2)) as [SharedLogStore]
      const { lease } = await store.grantLease({ ttlMs })
      lab.server.stop(60_000)
      await lab.pass(61_000)
      expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
      await lab.pass(ttlMs - 1_000)
      expect(await hasLease(store, lease)).toBe(true)
      await lab.pass(3_000)
      await expect(store.keepLeaseAlive(lease)).rejects.toMatchObject({
        code: 'lease-not-found',
        outcome: 'none',
      })
    })
  })

  test('have their whole time when a store is opened that was closed, for nobody has seen it pass', async () => {
    await simulateSeed(4, async (lab) => {
      const first = await lab.open()
      const { lease } = await first.grantLease({ ttlMs })
      await first.close()
      await lab.pass(60_000)
      const second = await lab.open()
      await lab.pass(ttlMs - 500)
      expect(await hasLease(second, lease)).toBe(true)
      expect(await lifetimeMs(lab, second, lease)).toBeLessThan(3_000)
    })
  })

  test.each([1, 2, 3, 4])(
    'renewed in time they live on, whatever happens to messages (seed %i)',
    async (seed) => {
      await simulateSeed(seed, async (lab) => {
        const stores = (await lab.several(3, { snapshotMessages: 50 })) as [
          SharedLogStore,
          SharedLogStore,
          SharedLogStore,
        ]
        lab.server.faults = manyFaults
        const { lease } = await stores[0].grantLease({ ttlMs: 10_000 }, { timeoutMs: 60_000 })
        for (let round = 0; round < 40; round++) {
          const sentMs = lab.world.clock.monotonicMs()
          await stores[round % 3]?.keepLeaseAlive(lease, { timeoutMs: 60_000 })
          expect(lab.world.clock.monotonicMs() - sentMs).toBeLessThan(9_000)
          await lab.pass(lab.world.random.integer(10, 900))
        }
        lab.server.faults = { ...manyFaults, lostConnection: 0 }
        const lifeMs = await lifetimeMs(lab, stores[0], lease)
        expect(lifeMs).toBeGreaterThan(8_500)
        await lab.settledHashes(stores)
        const left = await Promise.all(stores.map((store) => hasLease(store, lease)))
        expect(left).toEqual([false, false, false])
      })
    },
  )

  test('a renewal that comes between what was read and the end keeps the lease', async () => {
    await simulateSeed(5, async (lab) => {
      const store = await lab.open()
      const { lease } = await store.grantLease({ ttlMs: 1_000 })
      // Each time is renewed at the last moment, when its end is proposed already.
      for (let round = 0; round < 200; round++) {
        await lab.pass(lab.world.random.integer(940, 1_004))
        try {
          await store.keepLeaseAlive(lease)
        } catch (error) {
          expect(error).toMatchObject({ code: 'lease-not-found' })
          return
        }
        await lab.pass(900)
        expect(await hasLease(store, lease), `round ${round}`).toBe(true)
        await store.keepLeaseAlive(lease)
      }
    })
  })

  test('no lease, no messages', async () => {
    await simulateSeed(6, async (lab) => {
      const store = await lab.open()
      const { lease } = await store.grantLease({ ttlMs })
      await store.revokeLease(lease)
      await lab.pass(2_000)
      const { last } = lab.server
      await lab.pass(3_600_000)
      expect(lab.server.last).toBe(last)
    })
  })
})
