import { describeRecipes } from './describe-recipes.ts'
import { startCluster } from './places/cluster.ts'

await describeRecipes('recipes on a cluster of three nodes', startCluster)
