import { expect } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import { LockService } from './lock.ts'
import type { Lock } from './lock-types.ts'
import { type App, sleep, TestBed, testInSimulator } from '../test-bed.test-support.ts'

const workers = ['w1', 'w2', 'w3', 'w4']

/** Takes the lock again and again; every loss of it and every failure of the store is part of the game. */
async function contend({ store, world }: App, held: (lock: Lock) => void): Promise<void> {
  const locks = new LockService({ store, world })
  for (;;) {
    try {
      const lock = await locks.acquire('orders', { ttl: '2s', waitTimeout: '20s' })
      held(lock)
      await sleep(world, world.random.integer(10, 3_000))
      await lock.release()
    } catch (error) {
      if (!isAlthingError(error)) throw error
      await sleep(world, 100)
    }
  }
}

/** Faults of the workers, one after the other: stopped, blocked, cut off, slow clock, killed. */
function injectFault(bed: TestBed, random: { integer(min: number, max: number): number }): void {
  const name = workers[random.integer(0, workers.length - 1)] as string
  const process = bed.process(name)
  const lengthMs = random.integer(500, 6_000)
  switch (random.integer(0, 4)) {
    case 0:
      process.pause()
      bed.simulation.after(lengthMs, () => process.resume())
      return
    case 1:
      process.blockLoop(lengthMs)
      return
    case 2:
      bed.simulation.after(lengthMs, bed.simulation.network.isolate(name))
      return
    case 3:
      process.clock.setRate(random.integer(96, 104) / 100)
      return
    default:
      process.restart('kill')
  }
}

testInSimulator(
  'faults of all kinds at chosen moments',
  'under stops, stalls, partitions, drift and kills no two hold the lock at one time, and tokens only grow',
  async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const bed = new TestBed(seed)
      const latest = new Map<string, Lock>()
      const tokens: number[] = []
      for (const name of workers) {
        bed.spawn(name, (app) =>
          contend(app, (lock) => {
            latest.set(name, lock)
            tokens.push(lock.token)
          }),
        )
      }
      const random = bed.simulation.random('faults')
      for (let atMs = 0; atMs < 120_000; atMs += 20) {
        await bed.simulation.runUntil(atMs)
        const holders = [...latest].filter(([, lock]) => lock.isHeld).map(([name]) => name)
        expect(holders.length, `seed ${seed} at ${atMs} ms: ${holders.join()}`).toBeLessThanOrEqual(1)
        if (atMs > 2_000 && atMs % 1_500 === 0 && atMs < 90_000) injectFault(bed, random)
      }
      expect(tokens, `seed ${seed}`).toEqual([...tokens].sort((a, b) => a - b))
      expect(tokens.length, `seed ${seed}`).toBeGreaterThan(20)
    }
  },
)
