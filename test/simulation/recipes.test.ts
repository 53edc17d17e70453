import { describe, expect, test } from 'vitest'
import {
  type RecipeEngine,
  type RecipeName,
  recipeNames,
  type RecipeReport,
  simulateRecipe,
} from '../../src/testing/recipe-simulation/index.ts'
import { type FaultClass, faultClasses } from '../../src/testing/world/fault-classes.ts'

/** A few seeds of each here; `althing sim RECIPE --seeds 1..1000` runs many. */
const seeds = [1, 2]
const engines: readonly RecipeEngine[] = ['local', 'cluster']
const cases = recipeNames.flatMap((recipe) => engines.map((engine) => ({ recipe, engine })))

/** Seeds that have found something. */
const kept: readonly { readonly recipe: RecipeName; readonly engine: RecipeEngine; readonly seed: number }[] =
  [
    // Every worker id was spent for hours to come, by clocks that had been ahead.
    { recipe: 'ids', engine: 'local', seed: 100_006 },
    { recipe: 'ids', engine: 'cluster', seed: 100_015 },
    // A wait for an id never let go of the loop once the store had failed.
    { recipe: 'ids', engine: 'local', seed: 100_107 },
    // A loss that was sure during a stop was told at the end of the blocks that followed it.
    { recipe: 'cron', engine: 'cluster', seed: 100_313 },
    // Let into a room after a stop, when the place in it was gone and the next ones were in.
    { recipe: 'barriers', engine: 'cluster', seed: 50 },
    // A wait that ended while the barrier was about to open never let go of the loop.
    { recipe: 'barriers', engine: 'cluster', seed: 64 },
  ]

async function run(
  recipe: RecipeName,
  engine: RecipeEngine,
  seed: number,
  faults: readonly FaultClass[] = faultClasses,
): Promise<RecipeReport> {
  return await simulateRecipe({ recipe, engine, seed, faults })
}

function problemOf({ seed, violation }: RecipeReport): string[] {
  return violation === undefined ? [] : [`seed ${seed}: ${violation.message}\n${violation.explanation}`]
}

describe('the recipes in the simulator', () => {
  test.each(cases)('$recipe keeps what it promises under all faults on engine $engine', async (each) => {
    const problems: string[] = []
    let rounds = 0
    for (const seed of seeds) {
      const report = await run(each.recipe, each.engine, seed)
      problems.push(...problemOf(report))
      rounds += report.calls
    }
    expect(problems).toEqual([])
    expect(rounds).toBeGreaterThan(seeds.length)
  })

  test.each(kept)('$recipe keeps it on engine $engine from seed $seed, too', async (each) => {
    expect(problemOf(await run(each.recipe, each.engine, each.seed))).toEqual([])
  })

  test.each(engines)('take the same course twice from the same seed on engine %s', async (engine) => {
    const first = await run('lock', engine, 7)
    expect(await run('lock', engine, 7)).toEqual(first)
    expect((await run('lock', engine, 8)).logHash).not.toBe(first.logHash)
  })
})
