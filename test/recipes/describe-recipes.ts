import { afterAll, describe, expect, test } from 'vitest'
import type { World } from '../../src/contracts/world.ts'
import { runRecipesOn } from '../../src/coordination/test-bed.test-support.ts'
import { EngineRunner } from './engine-runner.ts'
import type { Engine } from './place.ts'
import { tmpdir } from 'node:os'
import { assertGuarantees, missingGuarantees } from '../../src/coordination/guarantees.ts'
import { recipes as coordinationRecipes } from '../../src/coordination/recipes.ts'
import { idRequirements } from '../../src/ids/id-service.ts'

const recipes = [...coordinationRecipes, idRequirements]

/** Runs the test files of the recipes, those of `src/coordination` that use a store, beside one real engine. */
export async function describeRecipes(name: string, start: (world: World) => Promise<Engine>): Promise<void> {
  const runner = new EngineRunner(start, tmpdir())
  runRecipesOn(runner)
  afterAll(() => runner.close())
  describe.concurrent(name, async () => {
    test('recipes refuse to start, by name, unless what the engine lacks is accepted: no more, no less', async () => {
      await runner.run(async ({ store, accept }) => {
        const lacked = new Set(recipes.flatMap((recipe) => missingGuarantees(store.capabilities, recipe)))
        expect([...lacked].toSorted()).toEqual(accept.toSorted())
        for (const recipe of recipes) assertGuarantees(store, recipe, { accept })
      })
    })
    await import('../../src/coordination/locks/lock.test.ts')
    await import('../../src/coordination/locks/lock-faults.test.ts')
    await import('../../src/coordination/locks/read-write-lock.test.ts')
    await import('../../src/coordination/locks/multi-lock.test.ts')
    await import('../../src/coordination/locks/read-write-faults.test.ts')
    await import('../../src/coordination/semaphores/semaphore.test.ts')
    await import('../../src/coordination/semaphores/semaphore-faults.test.ts')
    await import('../../src/coordination/guards/stale-writes.test.ts')
    await import('../../src/coordination/election/election.test.ts')
    await import('../../src/coordination/discovery/discovery.test.ts')
    await import('../../src/coordination/discovery/checks.test.ts')
    await import('../../src/coordination/discovery/hosted-registrations.test.ts')
    await import('../../src/coordination/discovery/service-balancer.test.ts')
    await import('../../src/coordination/leases/lease-keeper.test.ts')
    await import('../../src/coordination/accepted-weaknesses.test.ts')
    await import('../../src/coordination/cron/cron.test.ts')
    await import('../../src/ids/snowflake.test.ts')
    await import('../../src/ids/copied-machine.test.ts')
    await import('../../src/ids/segment-ids.test.ts')
    await import('../../src/ids/ids-faults.test.ts')
    await import('../../src/coordination/primitives/barriers.test.ts')
    await import('../../src/coordination/primitives/latches.test.ts')
    await import('../../src/coordination/primitives/counters.test.ts')
    await import('../../src/coordination/config/config.test.ts')
    await import('../../src/coordination/config/config-faults.test.ts')
    await import('../../src/coordination/tree/tree.test.ts')
  })
}

/** Says why an engine is not tested. */
export function describeUntested(name: string, why: string): void {
  test(name, ({ skip }) => skip(why))
}
