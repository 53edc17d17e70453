import { calm, drawConfiguration, type StoreConfiguration } from '../store-simulation/configuration.ts'
import { diskFaults, type FaultClass, processFaults } from '../world/fault-classes.ts'
import { drawFaultPlan, type FaultPlan } from '../world/fault-plan.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import type { RecipeName } from './recipe-names.ts'

/** `local`: all users in one process, with the store in it. `cluster`: three nodes, and each user on a machine of its own. */
export type RecipeEngine = 'local' | 'cluster'

export interface RecipeSimulationOptions {
  readonly recipe: RecipeName
  readonly engine: RecipeEngine
  readonly seed: number
  /** Classes of faults that may happen; which do, and how often, is drawn. */
  readonly faults: readonly FaultClass[]
  /** Length of the phase under faults in virtual seconds. Default: drawn of 8 to 20. */
  readonly seconds?: number
}

/** Everything that one seed decides beforehand. */
export interface RecipeConfiguration {
  readonly recipe: RecipeName
  readonly engine: RecipeEngine
  readonly seed: number
  readonly seconds: number
  /** Nodes of the store. */
  readonly nodes: number
  readonly users: number
  readonly observers: number
  /** Of what the users hold. */
  readonly ttlMs: number
  /** Mean time for which a right is held, and between two uses of the recipe. */
  readonly holdMsMean: number
  readonly thinkMsMean: number
  /** How many things of one kind (locks, elections, services) the users contend for. */
  readonly things: number
  /** The users of a process share its keeper of leases. */
  readonly sharesKeeper: boolean
  /** See `LeaseKeeperOptions`. */
  readonly maxStallMs: number
  /** By how much of its true rate the clock of a user's machine may run fast or slow. */
  readonly driftMax: number
  /** By how much the wall clock of a user's machine may be stepped. */
  readonly stepMsMax: number
  /** Mean time between two faults of the users' own processes (engine `cluster`); 0 for none. */
  readonly userFaultMsMean: number
  /** Of the nodes; of the one process (engine `local`). */
  readonly faultPlan: FaultPlan
  /** Shape of the cluster, and of the files of either engine. */
  readonly store: StoreConfiguration
}

/** What can happen to a process that is alone with its disk: what a disk forgets is lost where there is no other copy. */
const localFaults: ReadonlySet<FaultClass> = new Set(
  [...processFaults, ...diskFaults].filter((each) => each !== 'bit-flip' && each !== 'misdirected-write'),
)

/** No clients of the store but those that use the recipe, and no changes of the members. */
const bareStore = {
  keyClients: 0,
  watchClients: 0,
  leaseClients: 0,
  lockClients: 0,
  transferMsMean: 0,
  membersMsMean: 0,
  groupsMsMean: 0,
  backupMsMean: 0,
  hasAccess: false,
  hasQuota: false,
} as const

/** Draws the shape of a run: swarm testing (Groce et al., ISSTA 2012), as for the store. */
export function drawRecipeConfiguration(
  random: SeededRandom,
  { recipe, engine, seed, faults, seconds }: RecipeSimulationOptions,
): RecipeConfiguration {
  const store = drawConfiguration(random.fork('store'), {
    seed,
    faults,
    nodes: 3,
    ...(seconds === undefined ? {} : { seconds }),
    shape: bareStore,
  })
  const own = faults.filter(
    (name) => localFaults.has(name) && !(name === 'clock-step' && isOfCalendar(recipe)),
  )
  return {
    recipe,
    engine,
    seed,
    seconds: store.seconds,
    nodes: engine === 'local' ? 1 : store.nodes,
    users: random.integer(2, 5),
    observers: random.integer(1, 2),
    ttlMs: random.pick([800, 1_500, 3_000]),
    holdMsMean: random.pick([100, 1_000, 4_000]),
    thinkMsMean: random.pick([20, 200, 1_000]),
    things: random.integer(1, 2),
    sharesKeeper: random.chance(0.5),
    maxStallMs: random.pick([1_500, 30_000, 30_000]),
    driftMax: random.pick([0.01, 0.04]),
    stepMsMax: isOfCalendar(recipe) ? 1_000 : 6 * 3_600_000,
    userFaultMsMean: faults.length === 0 ? 0 : random.pick([0, 300, 800, 2_000]),
    // A store that is away most of the time gives nothing that could be lost.
    faultPlan:
      engine === 'local'
        ? calm(drawFaultPlan(random.fork('faults'), own), random.pick([1, 2, 4, 8]))
        : calm(store.faultPlan, random.pick([1, 4, 16])),
    store,
  }
}

/** Goes by the calendar, and so stands still for as long as the clocks of a majority go back. Clocks of a minority that are hours off: `cron-faults.test.ts`. */
function isOfCalendar(recipe: RecipeName): boolean {
  return recipe === 'cron'
}
