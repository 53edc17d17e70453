import type { InvariantViolation } from '../invariants/violation.ts'
import { checkLossNamesItsCause } from '../invariants/loss-names-its-cause.ts'
import { type RunReport, violationFrom } from '../store-simulation/run-report.ts'
import type { FaultClass } from '../world/fault-classes.ts'
import { Simulation } from '../world/simulation.ts'
import { ClusterBed } from './cluster-bed.ts'
import { LocalBed } from './local-bed.ts'
import type { BedOptions, RecipeBed } from './recipe-bed.ts'
import {
  drawRecipeConfiguration,
  type RecipeConfiguration,
  type RecipeSimulationOptions,
} from './recipe-configuration.ts'
import { healRecipe } from './recipe-healing.ts'
import { workloads } from './recipe-names.ts'
import { RecipeObservations } from './recipe-observations.ts'
import type { NamedProgram } from './user-process.ts'
import type { UserProgram } from './user.ts'
import type { Workload } from './workload.ts'

/** What became of one seed. */
export interface RecipeReport extends RunReport {
  readonly configuration: Omit<RecipeConfiguration, 'faultPlan' | 'store'> & {
    readonly faults: readonly FaultClass[]
  }
}

/** One run: everything that takes part in it. */
export interface RecipeRun {
  readonly simulation: Simulation
  readonly configuration: RecipeConfiguration
  readonly bed: RecipeBed
  readonly observations: RecipeObservations
  readonly workload: Workload
  /** Asks the users to end. */
  stop(): void
  /** Asks the observers to. */
  close(): void
}

/** How often the harness looks at who holds what. */
const lookEveryMs = 20

/**
 * Runs one seed of one recipe: users at work on an engine under faults, then a phase in which all faults end, in which it must make progress, pass on what a
 * dead user held, and leave nothing behind. Never rejects for what the recipe does.
 */
export async function simulateRecipe(options: RecipeSimulationOptions): Promise<RecipeReport> {
  const run = setUp(options)
  const { simulation, configuration, bed, workload, observations } = run
  let violation: InvariantViolation | undefined
  try {
    bed.start(
      named('user', configuration.users, workload.use),
      workload.observe === undefined ? [] : named('observer', configuration.observers, workload.observe),
    )
    keepLooking(run)
    await simulation.runUntil(configuration.seconds * 1000)
    await healRecipe(run)
    violation = workload.judge() ?? checkLossNamesItsCause(observations.losses, circumstancesOf(run))
  } catch (error) {
    violation = violationFrom(error)
  }
  return reportOf(run, violation)
}

function setUp(options: RecipeSimulationOptions): RecipeRun {
  let observations: RecipeObservations | undefined
  const simulation = new Simulation({
    seed: options.seed,
    logCapacity: 0,
    onEvent: (event) => observations?.saw(event),
  })
  const configuration = drawRecipeConfiguration(simulation.random('recipe'), options)
  const violated = (violation: InvariantViolation): void => simulation.fail(violation.message, violation)
  const phase = { isStopping: false, isClosing: false }
  const bedOptions: BedOptions = {
    simulation,
    configuration,
    violated,
    observations: () => observations as RecipeObservations,
    died: (user) => {
      observations?.died(user)
      workload.died?.(user)
    },
    isStopping: () => phase.isStopping,
    isClosing: () => phase.isClosing,
  }
  const bed = configuration.engine === 'local' ? new LocalBed(bedOptions) : new ClusterBed(bedOptions)
  const { log } = bed
  const nowMs = (): number => simulation.nowMs
  const observed = new RecipeObservations(log, nowMs, violated)
  observations = observed
  const workload: Workload = workloads[options.recipe]({ configuration, observations: observed, log, nowMs })
  return {
    simulation,
    configuration,
    bed,
    observations: observed,
    workload,
    stop: () => {
      phase.isStopping = true
    },
    close: () => {
      phase.isClosing = true
    },
  }
}

function named(kind: string, count: number, program: UserProgram): NamedProgram[] {
  return Array.from({ length: count }, (_, i) => ({ name: `${kind}${i + 1}`, program }))
}

/** Looks at what no user can see, without changing anything. */
function keepLooking({ simulation, observations, workload }: RecipeRun): void {
  const look = (): void => {
    observations.look()
    workload.look?.()
    simulation.after(lookEveryMs, look)
  }
  simulation.after(lookEveryMs, look)
}

function circumstancesOf({ observations, configuration, bed }: RecipeRun): {
  readonly stalls: RecipeObservations['stalls']
  readonly ttlMs: number
  readonly maxStallMs: number | undefined
} {
  const { ttlMs, maxStallMs } = configuration
  return { stalls: observations.stalls, ttlMs, maxStallMs: bed.hasRenewalThread ? maxStallMs : undefined }
}

function reportOf(run: RecipeRun, violation: InvariantViolation | undefined): RecipeReport {
  const { simulation, bed, workload, observations } = run
  const { faultPlan, store: _, ...configuration } = run.configuration
  const shown = violation && {
    invariant: violation.invariant,
    message: `${violation.message} (at ${simulation.nowMs} ms)`,
    explanation: violation.explanation,
  }
  return {
    seed: configuration.seed,
    verdict: violation === undefined ? 'ok' : 'violation',
    ...(shown === undefined ? {} : { violation: shown }),
    logHash: simulation.logHash,
    configuration: { ...configuration, faults: [...faultPlan.keys()] },
    virtualMs: simulation.nowMs,
    events: simulation.log.count,
    steps: bed.steps,
    entries: bed.log.index,
    calls: workload.rounds,
    faults: bed.faults(),
    reached: {
      ...bed.reached(),
      rightsGiven: observations.given,
      ...observations.lossesByCause,
      stalls: observations.stalls.length,
      ...workload.reached(),
    },
  }
}
