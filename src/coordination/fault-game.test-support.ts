import { isAlthingError } from '../contracts/errors.ts'
import type { SeededRandom } from '../testing/world/seeded-random.ts'
import type { SimulatedProcess } from '../testing/world/simulated-process.ts'
import { type App, keysUnder, sleep, TestBed } from './test-bed.test-support.ts'

export const faultyWorkers = ['w1', 'w2', 'w3', 'w4', 'w5']

/** What a worker does again and again; every loss of what it holds, and every failure of the store, is part of the game. */
export type Turn = (app: App, name: string) => Promise<void>

/**
 * Workers that are stopped, blocked, cut off, slowed and killed one after the other, for a minute and a half of two. `look` is called every 20 ms. Then all
 * are killed; returns the keys and leases that are still there when every ttl is over.
 */
export async function playFaults(
  seed: number,
  prepare: (app: App) => Promise<Turn>,
  look: (atMs: number) => void,
): Promise<readonly string[]> {
  const bed = new TestBed(seed)
  for (const name of faultyWorkers) bed.spawn(name, (app) => contend(app, name, prepare))
  const random = bed.simulation.random('faults')
  for (let atMs = 0; atMs < 120_000; atMs += 20) {
    await bed.simulation.runUntil(atMs)
    look(atMs)
    if (atMs > 2_000 && atMs % 1_500 === 0 && atMs < 90_000)
      injectFault(bed, random, { names: faultyWorkers })
  }
  for (const name of faultyWorkers) bed.process(name).crash()
  await bed.simulation.runUntil(130_000)
  let left: readonly string[] | undefined
  bed.spawn('checker', async ({ store }) => {
    const leases = (await store.leases()).map(({ lease }) => `lease ${lease}`)
    left = [...(await keysUnder(store, '/althing/')), ...leases]
  })
  await bed.simulation.runUntil(() => left !== undefined)
  return (left as readonly string[] | undefined) ?? ['nobody looked']
}

async function contend(app: App, name: string, prepare: (app: App) => Promise<Turn>): Promise<void> {
  const turn = await prepare(app)
  for (;;) {
    try {
      await turn(app, name)
    } catch (error) {
      if (!isAlthingError(error)) throw error
      await sleep(app.world, 100)
    }
  }
}

/** One thing that happens to a process, for `lengthMs` where it passes. */
export type ProcessFault = (game: {
  readonly bed: TestBed
  readonly process: SimulatedProcess
  readonly name: string
  readonly lengthMs: number
  readonly random: SeededRandom
}) => void

export const stopped: ProcessFault = ({ bed, process, lengthMs }) => {
  process.pause()
  bed.simulation.after(lengthMs, () => process.resume())
}
export const blocked: ProcessFault = ({ process, lengthMs }) => process.blockLoop(lengthMs)
export const cutOff: ProcessFault = ({ bed, name, lengthMs }) => {
  bed.simulation.after(lengthMs, bed.simulation.network.isolate(name))
}
/** A clock that runs up to so many hundredths too fast or too slow from then on. */
export const drifting =
  (percentMax: number): ProcessFault =>
  ({ process, random }) =>
    process.clock.setRate(random.integer(100 - percentMax, 100 + percentMax) / 100)
export const killed: ProcessFault = ({ process }) => process.restart('kill')
export const powerLost: ProcessFault = ({ process }) => process.restart('power')

export const faultsOfAllKinds: readonly ProcessFault[] = [stopped, blocked, cutOff, drifting(4), killed]

export interface FaultChoice {
  readonly names: readonly string[]
  /** One of them at random: named twice, it comes twice as often. */
  readonly faults?: readonly ProcessFault[]
  readonly lengthMs?: { readonly min: number; readonly max: number }
}

/** One fault for one of the processes. */
export function injectFault(
  bed: TestBed,
  random: SeededRandom,
  { names, faults = faultsOfAllKinds, lengthMs = { min: 500, max: 6_000 } }: FaultChoice,
): void {
  const name = random.pick(names)
  const game = { bed, name, random, lengthMs: random.integer(lengthMs.min, lengthMs.max) }
  random.pick(faults)({ ...game, process: bed.process(name) })
}
