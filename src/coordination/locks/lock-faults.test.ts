import { expect } from 'vitest'
import { playFaults } from '../fault-game.test-support.ts'
import { sleep, testInSimulator } from '../test-bed.test-support.ts'
import { LockService } from './lock.ts'
import type { Lock } from './lock-types.ts'

testInSimulator(
  'faults of all kinds at chosen moments',
  'under stops, stalls, partitions, drift and kills no two hold the lock at one time, and tokens only grow',
  async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const latest = new Map<string, Lock>()
      const tokens: number[] = []
      const left = await playFaults(
        seed,
        async ({ store, world }) => {
          const locks = new LockService({ store, world })
          return async (app, name) => {
            const lock = await locks.acquire('orders', { ttl: '2s', waitTimeout: '20s' })
            latest.set(name, lock)
            tokens.push(lock.token)
            await sleep(app.world, app.world.random.integer(10, 3_000))
            await lock.release()
          }
        },
        (atMs) => {
          const holders = [...latest].filter(([, lock]) => lock.isHeld).map(([name]) => name)
          expect(holders.length, `seed ${seed} at ${atMs} ms: ${holders.join()}`).toBeLessThanOrEqual(1)
        },
      )
      expect(tokens, `seed ${seed}`).toEqual([...tokens].sort((a, b) => a - b))
      expect(tokens.length, `seed ${seed}`).toBeGreaterThan(20)
      expect(left, `seed ${seed}`).toEqual([])
    }
  },
)
