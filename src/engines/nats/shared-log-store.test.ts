import { describe, expect, test } from 'vitest'
import { runConformance } from '../../testing/conformance/run-conformance.ts'
import { storeConformance } from '../../testing/conformance/store-conformance.ts'
import { capabilities, simulateSeed } from './shared-log-store.test-support.ts'

describe('a store on a simulated log', () => {
  test('passes the conformance suite', async () => {
    const cases = storeConformance({
      capabilities,
      abilities: ['bulk-renewal', 'clients', 'restart', 'cut'],
    })
    const { failed } = await simulateSeed(1, (lab) =>
      runConformance(cases, {
        world: lab.world,
        open: () => lab.open(),
        restart: async () => {
          lab.server.stop(500)
          await lab.pass(600)
        },
        cut: () => lab.server.stop(1),
      }),
    )
    expect(failed.map((result) => `${result.case.area}: ${result.case.name}: ${result.error}`)).toEqual([])
  }, 300_000)
})
