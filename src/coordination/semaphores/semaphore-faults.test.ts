import { expect } from 'vitest'
import { playFaults } from '../fault-game.test-support.ts'
import { sleep, testInSimulator } from '../test-bed.test-support.ts'
import { SemaphoreService } from './semaphore.ts'
import type { Permit } from './semaphore-types.ts'

const limit = 3

testInSimulator(
  'faults of all kinds at chosen moments',
  'under stops, stalls, partitions, drift and kills never more permits are held than there are, and none is leaked',
  async () => {
    for (let seed = 1; seed <= 2; seed++) {
      const latest = new Map<string, Permit>()
      const grants: number[] = []
      let most = 0
      const left = await playFaults(
        seed,
        async ({ store, world }) => {
          const semaphores = new SemaphoreService({ store, world })
          return async (app, name) => {
            const permits = app.world.random.integer(1, limit)
            const permit = await semaphores.acquire('pool', { permits, limit, ttl: '2s', waitTimeout: '20s' })
            latest.set(name, permit)
            grants.push(permits)
            await sleep(app.world, app.world.random.integer(10, 1_500))
            await permit.release()
          }
        },
        (atMs) => {
          const held = [...latest.values()].filter(({ isHeld }) => isHeld)
          const taken = held.reduce((sum, { permits }) => sum + permits, 0)
          expect(
            taken,
            `seed ${seed} at ${atMs} ms: ${held.map(({ token }) => token).join()}`,
          ).toBeLessThanOrEqual(limit)
          most = Math.max(most, taken)
        },
      )
      expect(most).toBe(limit)
      expect(new Set(grants)).toEqual(new Set([1, 2, 3]))
      expect(grants.length, `seed ${seed}`).toBeGreaterThan(40)
      expect(left, `seed ${seed}`).toEqual([])
    }
  },
)
