import type { Store, StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { openLocalStore } from '../../engines/local/local-store.ts'
import { Simulation } from '../world/simulation.ts'
import type { ConformanceBed } from './bed.ts'

/** What the embedded engine claims without a folder. */
export const localCapabilities: StoreCapabilities = {
  linearizable: true,
  durability: 'memory',
  leaseSurvivesFailover: true,
  timeAuthority: 'server',
  leaseExpiryResolutionMs: 50,
  fencing: true,
  watchResume: true,
  exactlyOnce: true,
}

/** Runs `body` as the only process of a simulation, and returns what it returns. */
export async function simulate<T>(body: (world: World) => Promise<T>): Promise<T> {
  const simulation = new Simulation({ seed: 1 })
  let result: { readonly value: T } | { readonly error: unknown } | undefined
  simulation.process('app', async (world) => {
    try {
      result = { value: await body(world) }
    } catch (error) {
      result = { error }
    }
  })
  await simulation.runUntil(() => result !== undefined, { limitMs: 24 * 3_600_000 })
  if (result === undefined || 'error' in result) throw result?.error
  return result.value
}

/** The embedded engine; `broken` may put something between it and the suite. */
export function simulatedBed(world: World, broken: (store: Store, world: World) => Store): ConformanceBed {
  return {
    world,
    open: async () => broken(await openLocalStore({ world, keepRevisions: 0 }), world),
  }
}
