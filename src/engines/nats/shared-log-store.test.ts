import { describe, expect, test } from 'vitest'
import type { StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { runConformance } from '../../testing/conformance/run-conformance.ts'
import { storeConformance } from '../../testing/conformance/store-conformance.ts'
import { simulate } from '../../testing/conformance/simulated-bed.test-support.ts'
import { SharedLogStore, type SharedLogStoreOptions } from './shared-log-store.ts'
import { SimulatedLogServer } from './simulated-log.test-support.ts'

const capabilities: StoreCapabilities = {
  linearizable: true,
  durability: 'disk',
  leaseSurvivesFailover: true,
  timeAuthority: 'server',
  leaseExpiryResolutionMs: 2_000,
  fencing: true,
  watchResume: true,
  exactlyOnce: true,
}

function openOn(
  world: World,
  server: SimulatedLogServer,
  options: Partial<SharedLogStoreOptions> = {},
): Promise<SharedLogStore> {
  return SharedLogStore.open(world, server.connect(), {
    capabilities,
    keepRevisions: 0,
    keepMs: 0,
    ...options,
  })
}

describe('a store on a simulated log', () => {
  test('passes the conformance suite', async () => {
    const cases = storeConformance({
      capabilities,
      abilities: ['bulk-renewal', 'clients', 'restart', 'cut'],
    })
    const { failed } = await simulate(async (world) => {
      const server = new SimulatedLogServer(world)
      return await runConformance(cases, {
        world,
        open: () => openOn(world, server),
        restart: async () => {
          server.stop(500)
          await new Promise<void>((resolve) => world.timers.after(600, resolve))
        },
        cut: () => server.stop(1),
      })
    })
    expect(failed.map((result) => `${result.case.area}: ${result.case.name}: ${result.error}`)).toEqual([])
  }, 120_000)
})
