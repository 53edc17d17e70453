import { expect } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import { injectFault } from '../fault-game.test-support.ts'
import { type App, sleep, TestBed, testInSimulator } from '../test-bed.test-support.ts'
import { Barriers } from './barriers.ts'
import { Counters } from './counters.ts'
import { Latches } from './latches.ts'

const parties = 3
const workers = ['w1', 'w2', 'w3', 'w4']
const latchCount = 40

interface Arrival {
  readonly by: string
  readonly atMs: number
}

/** What is seen of all workers, in true time. */
class Watcher {
  readonly passages: {
    readonly generation: number
    readonly index: number
    readonly arrival: Arrival
    atMs: number
  }[] = []
  readonly added = { sure: 0n, perhaps: 0n }
  readonly sums: bigint[] = []
  readonly counted = new Set<string>()
  readonly lefts: number[] = []
}

async function work({ store, world }: App, by: string, bed: TestBed, watcher: Watcher): Promise<void> {
  const app = { store, world }
  const barriers = new Barriers(app)
  const counters = new Counters(app)
  const latches = new Latches(app)
  for (let round = 0; ; round++) {
    try {
      const arrival = { by, atMs: bed.simulation.nowMs }
      const passage = await barriers.wait('start', { parties, ttl: '2s', waitTimeout: '8s' })
      watcher.passages.push({ ...passage, arrival, atMs: bed.simulation.nowMs })
    } catch (error) {
      if (!isAlthingError(error)) throw error
    }
    await count(counters, watcher)
    const party = `${by}-${world.random.integer(0, 20)}`
    try {
      await latches.create('ready', latchCount)
      watcher.lefts.push(await latches.countDown('ready', { party }))
      watcher.counted.add(party)
    } catch (error) {
      if (!isAlthingError(error)) throw error
    }
    await sleep(world, world.random.integer(1, 300))
  }
}

async function count(counters: Counters, watcher: Watcher): Promise<void> {
  // Until it is known to have been made or not, it may have been: also when the process dies.
  watcher.added.perhaps += 1n
  try {
    watcher.sums.push(await counters.add('rounds'))
    watcher.added.sure += 1n
    watcher.added.perhaps -= 1n
  } catch (error) {
    if (!isAlthingError(error)) throw error
    if (error.outcome === 'none') watcher.added.perhaps -= 1n
  }
}

async function check(seed: number): Promise<void> {
  const bed = new TestBed(seed)
  const watcher = new Watcher()
  const seen: { total?: bigint; count?: number } = {}
  for (const name of workers) bed.spawn(name, (app) => work(app, name, bed, watcher))
  const random = bed.simulation.random('faults')
  for (let atMs = 1_500; atMs < 60_000; atMs += 1_500) {
    await bed.simulation.runUntil(atMs)
    injectFault(bed, random, { names: workers })
  }
  await bed.simulation.runUntil(80_000)
  for (const name of workers) bed.process(name).crash('kill')
  bed.spawn('judge', async (app) => {
    // What was sent before the end has arrived by now, or never will.
    await sleep(app.world, 10_000)
    seen.total = await new Counters(app).get('rounds')
    seen.count = (await new Latches(app).state('ready')).count
  })
  await bed.simulation.runUntil(() => seen.count !== undefined)
  checkPassages(watcher, seed)
  const { sure, perhaps } = watcher.added
  expect(seen.total, `seed ${seed}`).toBeGreaterThanOrEqual(sure)
  expect(seen.total, `seed ${seed}`).toBeLessThanOrEqual(sure + perhaps)
  expect(new Set(watcher.sums).size, `seed ${seed}`).toBe(watcher.sums.length)
  expect(Math.min(...watcher.lefts), `seed ${seed}`).toBeGreaterThanOrEqual(0)
  // A party whose answer got lost has counted, too.
  expect(seen.count, `seed ${seed}`).toBeLessThanOrEqual(Math.max(0, latchCount - watcher.counted.size))
}

/** Nobody passes before all of its generation have come, and no more pass together than were waited for. */
function checkPassages({ passages }: Watcher, seed: number): void {
  expect(passages.length, `seed ${seed}`).toBeGreaterThan(20)
  for (const generation of new Set(passages.map((each) => each.generation))) {
    const where = `seed ${seed}, generation ${generation}`
    const same = passages.filter((each) => each.generation === generation)
    const lastArrivalMs = Math.max(...same.map((each) => each.arrival.atMs))
    const firstPassageMs = Math.min(...same.map((each) => each.atMs))
    expect(firstPassageMs, where).toBeGreaterThanOrEqual(lastArrivalMs)
    const places = same.map((each) => each.index).toSorted()
    expect(new Set(places).size, where).toBe(places.length)
    expect(
      places.every((index) => index < parties),
      where,
    ).toBe(true)
  }
}

testInSimulator(
  'faults of all kinds at chosen moments',
  'under stops, stalls, partitions, drift and kills no barrier opens early, counters are exact, and a latch counts each party once',
  async () => {
    await check(1)
  },
)
