import { expect } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import type { Random } from '../../contracts/world.ts'
import {
  blocked,
  cutOff,
  drifting,
  injectFault,
  killed,
  powerLost,
  stopped,
} from '../fault-game.test-support.ts'
import { type App, sleep, TestBed, testInSimulator } from '../test-bed.test-support.ts'
import { ConfigService } from './config.ts'
import type { ConfigReader, ConfigState } from './config-types.ts'
import { releasePlace } from './staged-release.ts'

const readers = ['r1', 'r2', 'r3', 'r4'] as const
const pullMs = 5_000

/** Both keys of a layer are always written together: whoever sees them differ has seen half a version. */
const schema = {
  type: 'object',
  properties: { a: { type: 'integer', minimum: 0 }, b: { type: 'integer' }, shared: { type: 'integer' } },
}

interface Sight {
  readonly life: number
  readonly state: ConfigState
}

class Observations {
  readonly sights = new Map<string, Sight[]>()
  readonly current = new Map<string, ConfigReader>()
  readonly problems: string[] = []
  #life = 0

  async read({ store, world, accept }: App, name: string): Promise<void> {
    const life = ++this.#life
    const config = new ConfigService({ store, world, accept })
    const reader = config.open('api', { instance: name, pullEvery: pullMs, localCopy: 'copies/api.json' })
    this.current.set(name, reader)
    reader.subscribe((state) => this.#see(name, life, state))
    await sleep(world, 3_600_000)
  }

  #see(name: string, life: number, state: ConfigState): void {
    const seen = this.sights.get(name) ?? []
    const last = seen.at(-1)
    const best = Math.max(
      0,
      ...seen.filter(({ state: { source } }) => source === 'store').map((each) => each.state.version),
    )
    if (state.source === 'local-copy' && state.version > best)
      this.problems.push(`${name}: copy ${state.version} > ${best}`)
    if (
      last?.life === life &&
      (last.state.version > state.version || last.state.globalVersion > state.globalVersion)
    )
      this.problems.push(`${name}: ${last.state.version} then ${state.version}`)
    if (state.problem?.kind === 'local-copy') this.problems.push(`${name}: ${state.problem.message}`)
    this.sights.set(name, [...seen, { life, state }])
  }
}

/** Writes, stages, widens, promotes, aborts, rolls back, and tries bad values; failures are part of the game. */
async function write({ store, world, accept }: App, goesOn: () => boolean): Promise<void> {
  const config = new ConfigService({ store, world, accept, historyMax: 1_000 })
  const by = { author: 'writer' }
  for (let n = 1; goesOn(); n++) {
    try {
      await act(config, world.random, n, by)
    } catch (error) {
      if (!isAlthingError(error)) throw error
    }
    await sleep(world, world.random.integer(10, 800))
  }
}

async function act(config: ConfigService, random: Random, n: number, by: { author: string }): Promise<void> {
  const { latest, staged, stable } = await config.get('api')
  if (latest === 0) {
    await config.setSchema('api', schema, by)
    return
  }
  switch (random.integer(0, 7)) {
    case 0:
      await config.set('api', { a: -n, b: -n }, by)
      return
    case 1:
      await config.set('*', { shared: n }, by)
      return
    case 2:
      if (staged === undefined) await config.rollback('api', Math.max(1, stable.version - 1), by)
      return
    case 3:
      if (staged !== undefined) await config.promote('api', by)
      return
    case 4:
      if (staged !== undefined) await config.abort('api', by)
      return
    case 5:
      if (staged !== undefined) await config.release('api', { share: Math.min(100, staged.share + 20) }, by)
      return
    case 6:
      await config.set('api', { a: n, b: n }, { ...by, release: { share: 40 } })
      return
    default:
      await config.set('api', { a: n, b: n }, by)
  }
}

const faults = {
  names: ['node', 'writer', ...readers],
  faults: [stopped, blocked, cutOff, drifting(4), powerLost, killed],
  lengthMs: { min: 200, max: 4_000 },
}

async function runSeed(seed: number): Promise<void> {
  const bed = new TestBed(seed)
  const observations = new Observations()
  const faultsEndMs = 60_000
  for (const name of readers) bed.spawn(name, (app) => observations.read(app, name))
  bed.spawn('writer', (app) => write(app, () => bed.simulation.nowMs < faultsEndMs))
  const random = bed.simulation.random('faults')
  for (let atMs = 1_500; atMs < faultsEndMs; atMs += 1_500) {
    await bed.simulation.runUntil(atMs)
    if (atMs > 2_000) injectFault(bed, random, faults)
  }
  await bed.simulation.runUntil(faultsEndMs + 10_000)
  let done: boolean | undefined
  bed.spawn('judge', async (app) => {
    await judge(app, observations, seed)
    done = true
  })
  await bed.simulation.runUntil(() => done === true)
}

async function judge({ store, world, accept }: App, observations: Observations, seed: number): Promise<void> {
  await sleep(world, pullMs * 2)
  const config = new ConfigService({ store, world, accept })
  const { latest, stable, staged } = await config.get('api')
  const global = await config.get('*')
  const contents = new Map<number, unknown>([[0, {}]])
  const plain = (values: Readonly<Record<string, object>>) =>
    Object.fromEntries(Object.entries(values).map(([key, each]) => [key, (each as { value: unknown }).value]))
  for (let version = 1; version <= latest; version++)
    contents.set(version, plain((await config.version('api', version)).values))
  expect(observations.problems, `seed ${seed}`).toEqual([])
  let seen = 0
  for (const name of readers) {
    for (const { state } of observations.sights.get(name) ?? []) {
      const { shared: _, ...own } = state.values
      expect(own, `seed ${seed}, ${name}, version ${state.version}`).toEqual(contents.get(state.version))
      expect(own['a'] ?? 0, `seed ${seed}, ${name}: a bad value`).toBeGreaterThanOrEqual(0)
      seen += 1
    }
    const reader = observations.current.get(name)
    const isChosen = staged !== undefined && releasePlace('api', name) < staged.share
    expect(reader?.current, `seed ${seed}, ${name}`).toMatchObject({
      version: isChosen ? staged.version.version : stable.version,
      globalVersion: global.latest,
      source: 'store',
      stale: false,
    })
  }
  expect(seen, `seed ${seed}`).toBeGreaterThan(60)
  expect(latest, `seed ${seed}`).toBeGreaterThan(10)
}

testInSimulator(
  'faults of all kinds at chosen moments',
  'under kills, power cuts, stops, stalls, partitions and drift no reader sees a version that was not written whole, older than one it saw, or bad; healed, all run what is theirs',
  async () => {
    const first = Number(process.env['CONFIG_SEED'] ?? 1)
    const count = Number(process.env['CONFIG_SEEDS'] ?? 4)
    for (let seed = first; seed < first + count; seed++) await runSeed(seed)
  },
)
