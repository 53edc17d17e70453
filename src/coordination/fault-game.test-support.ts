import { isAlthingError } from '../contracts/errors.ts'
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
    if (atMs > 2_000 && atMs % 1_500 === 0 && atMs < 90_000) injectFault(bed, random)
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

function injectFault(bed: TestBed, random: { integer(min: number, max: number): number }): void {
  const name = faultyWorkers[random.integer(0, faultyWorkers.length - 1)] as string
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
