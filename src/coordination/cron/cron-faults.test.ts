import { expect } from 'vitest'
import { epochMs } from '../../testing/world/simulated-clock.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import {
  blocked,
  cutOff,
  drifting,
  injectFault,
  killed,
  type ProcessFault,
  stopped,
} from '../fault-game.test-support.ts'
import { type App, sleep, TestBed, testInSimulator } from '../test-bed.test-support.ts'
import { CronService } from './cron.ts'
import type { CronDelivery, CronRun } from './cron-types.ts'

const workers = ['w1', 'w2', 'w3', 'w4']
const everyMs = 2_000
const hourMs = 3_600_000
/** So far do the clocks of those that were not stepped drift apart in the time of a test. */
const driftMs = 10_000

interface Call {
  readonly run: CronRun
  readonly by: string
  readonly trueMs: number
}

/** What is seen of all runs. */
class Watcher {
  readonly calls: Call[] = []
  readonly ended = new Set<string>()
  readonly #bed: TestBed

  constructor(bed: TestBed) {
    this.#bed = bed
  }

  begin(run: CronRun, by: string): void {
    this.calls.push({ run, by, trueMs: epochMs + this.#bed.simulation.nowMs })
  }

  held(): string[] {
    return this.calls
      .slice(-20)
      .flatMap(({ run, by }) => (run.isHeld ? [`${run.id}.${run.attempt} by ${by}`] : []))
  }
}

async function takePart(app: App, name: string, delivery: CronDelivery, watcher: Watcher): Promise<void> {
  const cron = new CronService({ ...app, instance: name })
  await cron.schedule({
    name: 'report',
    every: everyMs,
    ttl: '2s',
    missed: 'run-all',
    missedMax: 500,
    startWithin: '5s',
    overlap: 'queue',
    runsMax: 100,
    delivery,
    attemptsMax: 100,
    historyMax: 1_000,
    run: async (run) => {
      watcher.begin(run, name)
      await sleep(app.world, app.world.random.integer(10, 1_500))
      if (run.isHeld) watcher.ended.add(run.id)
    },
  })
}

/** One of four is wrong, and may be so for good. */
const hoursOff: ProcessFault = ({ bed, random }) =>
  bed.process('w4').clock.stepWall(random.integer(-3, 3) * hourMs)
const faults = [stopped, blocked, cutOff, drifting(2), hoursOff, killed]

async function runFaults(seed: number, delivery: CronDelivery): Promise<{ bed: TestBed; watcher: Watcher }> {
  const bed = new TestBed(seed)
  const watcher = new Watcher(bed)
  for (const name of workers)
    bed.spawn(name, async (app) => {
      try {
        await takePart(app, name, delivery, watcher)
      } catch (error) {
        if (!isAlthingError(error)) throw error
      }
    })
  const random = bed.simulation.random('faults')
  for (let atMs = 0; atMs < 140_000; atMs += 20) {
    await bed.simulation.runUntil(atMs)
    const held = watcher.held()
    expect(held.length, `seed ${seed} at ${atMs} ms: ${held.join()}`).toBeLessThanOrEqual(1)
    if (atMs > 8_000 && atMs % 1_500 === 0 && atMs < 90_000)
      injectFault(bed, random, { names: workers, faults })
  }
  return { bed, watcher }
}

/** What was scheduled from the first run to the last, whether it was run or not. */
function occurrences(calls: readonly Call[]): number[] {
  const times = calls.map(({ run }) => run.scheduledMs)
  const first = Math.min(...times)
  const last = Math.max(...times)
  return Array.from({ length: (last - first) / everyMs + 1 }, (_, index) => first + index * everyMs)
}

async function check(seed: number, delivery: CronDelivery): Promise<void> {
  const { watcher } = await runFaults(seed, delivery)
  const { calls } = watcher
  const where = `seed ${seed}, ${delivery}`
  const attempts = calls.map(({ run }) => `${run.id}.${run.attempt}`)
  expect(new Set(attempts).size, where).toBe(attempts.length)
  const tokens = calls.map(({ run }) => run.token)
  expect(tokens, where).toEqual(tokens.toSorted((a, b) => a - b))
  for (const { run, trueMs, by } of calls)
    expect(run.scheduledMs - trueMs, `${where}: ${run.id} by ${by} is early`).toBeLessThan(driftMs)
  expect(calls.length, where).toBeGreaterThan(50)
  if (delivery === 'at-most-once') {
    expect(calls.every(({ run }) => run.attempt === 1)).toBe(true)
    return
  }
  const last = Math.max(...calls.map(({ run }) => run.scheduledMs))
  const lost = occurrences(calls).filter((atMs) => {
    const id = new Date(atMs).toISOString().replace('.000Z', 'Z')
    return atMs < last && !watcher.ended.has(id)
  })
  expect(lost, `${where}: lost`).toEqual([])
}

const why = 'faults of all kinds at chosen moments'

testInSimulator(
  why,
  'under kills, stops, partitions, drift and clocks hours off no occurrence is run twice at one time, early, or (at least once) lost',
  async () => {
    await check(1, 'at-least-once')
  },
)

testInSimulator(why, 'at most once: under the same faults no occurrence is run twice at all', async () => {
  await check(2, 'at-most-once')
})
