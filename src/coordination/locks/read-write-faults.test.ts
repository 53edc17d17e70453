import { expect } from 'vitest'
import { playFaults } from '../fault-game.test-support.ts'
import { sleep, testInSimulator } from '../test-bed.test-support.ts'
import { LockService } from './lock.ts'
import type { Hold } from './hold-types.ts'
import type { Lock } from './lock-types.ts'

const seeds = 2

testInSimulator(
  'faults of all kinds at chosen moments',
  'under stops, stalls, partitions, drift and kills a writer never holds beside another, and its token exceeds all before',
  async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const latest = new Map<string, Lock>()
      const grants: { mode: string; token: number }[] = []
      const left = await playFaults(
        seed,
        async ({ store, world }) => {
          const locks = new LockService({ store, world })
          return async (app, name) => {
            const mode = app.world.random.integer(0, 2) === 0 ? 'write' : 'read'
            const lock = await locks.acquire('page', { mode, ttl: '2s', waitTimeout: '20s' })
            latest.set(name, lock)
            grants.push({ mode, token: lock.token })
            await sleep(app.world, app.world.random.integer(10, 1_500))
            await lock.release()
          }
        },
        (atMs) => {
          const held = [...latest.values()].filter(({ isHeld }) => isHeld)
          const writers = held.filter(({ mode }) => mode === 'write')
          const told = `seed ${seed} at ${atMs} ms: ${held.map(({ mode, token }) => `${mode} ${token}`).join()}`
          expect(writers.length === 0 || held.length === 1, told).toBe(true)
        },
      )
      let largest = 0
      for (const { mode, token } of grants) {
        if (mode === 'write') expect(token, `seed ${seed}`).toBeGreaterThan(largest)
        largest = Math.max(largest, token)
      }
      expect(new Set(grants.map(({ mode }) => mode)).size).toBe(2)
      expect(grants.length, `seed ${seed}`).toBeGreaterThan(40)
      expect(left, `seed ${seed}`).toEqual([])
    }
  },
)

testInSimulator(
  'faults of all kinds at chosen moments',
  'under the same faults locks of several names exclude each other name by name, and no one waits for ever',
  async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const latest = new Map<string, { readonly names: readonly string[]; readonly hold: Hold }>()
      let grants = 0
      let lastGrantMs = 0
      let nowMs = 0
      const left = await playFaults(
        seed,
        async ({ store, world }) => {
          const locks = new LockService({ store, world })
          return async (app, name) => {
            const first = app.world.random.integer(0, 3)
            const names = [first, first + 1, first + 2].map((n) => `n${n % 4}`)
            const hold = await locks.acquireAll(names, { ttl: '2s', waitTimeout: '30s' })
            latest.set(name, { names, hold })
            grants += 1
            lastGrantMs = nowMs
            await sleep(app.world, app.world.random.integer(10, 800))
            await hold.release()
          }
        },
        (atMs) => {
          nowMs = atMs
          const held = [...latest.values()].filter(({ hold }) => hold.isHeld).flatMap(({ names }) => names)
          expect(new Set(held).size, `seed ${seed} at ${atMs} ms: ${held.join()}`).toBe(held.length)
          expect(
            atMs - lastGrantMs,
            `seed ${seed}: nobody has got its locks since ${lastGrantMs} ms`,
          ).toBeLessThan(15_000)
        },
      )
      expect(grants, `seed ${seed}`).toBeGreaterThan(40)
      expect(left, `seed ${seed}`).toEqual([])
    }
  },
)
