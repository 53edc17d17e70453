import type { RecipeSimulationOptions } from '../testing/recipe-simulation/recipe-configuration.ts'
import { simulateRecipe } from '../testing/recipe-simulation/simulate-recipe.ts'
import type { StoreSimulationOptions } from '../testing/store-simulation/configuration.ts'
import type { RunReport } from '../testing/store-simulation/run-report.ts'
import { type RunHooks, simulateStore } from '../testing/store-simulation/simulate-store.ts'
import { NodeClock } from '../world/clock.ts'

/** One seed of what `althing sim` can run. */
export type SimTask =
  | { readonly kind: 'store'; readonly options: StoreSimulationOptions }
  | { readonly kind: 'recipe'; readonly options: RecipeSimulationOptions }

export function runSimTask(task: SimTask, stepped?: RunHooks['stepped']): Promise<RunReport> {
  if (task.kind === 'recipe') return simulateRecipe(task.options)
  const hooks = { clock: new NodeClock(), ...(stepped === undefined ? {} : { stepped }) }
  return simulateStore(task.options, hooks)
}
