export {
  type RecipeConfiguration,
  type RecipeEngine,
  type RecipeSimulationOptions,
} from './recipe-configuration.ts'
export { recipeHealingLimits } from './recipe-healing.ts'
export { type RecipeName, recipeNames } from './recipe-names.ts'
export { type RecipeReport, simulateRecipe } from './simulate-recipe.ts'
