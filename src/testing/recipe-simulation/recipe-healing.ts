import { checkLeasesEnded } from '../invariants/lease-ends.ts'
import { checkNothingLeftBehind } from '../invariants/nothing-left-behind.ts'
import { mustHold, within } from '../store-simulation/within.ts'
import type { RecipeRun } from './simulate-recipe.ts'
import type { UserProgram } from './user.ts'
import type { Succession } from './workload.ts'

/** Bounds on virtual time after the end of all faults. */
export const recipeHealingLimits = {
  /** Until users have got through their work again, as many times as there are users. */
  progressMs: 60_000,
  /** Until every user has come to its end. */
  usersEndMs: 45_000,
  /** Until the first of a succession has what it is to hold. */
  entersMs: 20_000,
  /** Until observers know the last state. A node that went dark is noticed after the 25 s of silence that a watch bears. */
  convergeMs: 60_000,
  /** Until leases that nobody renews have ended. */
  leasesMs: 45_000,
} as const

/** So long waits the next in line before the first one dies. */
const inLineMs = 700

/** All faults end. The recipe must make progress, pass on what a dead user held, and leave nothing behind. */
export async function healRecipe(run: RecipeRun): Promise<void> {
  const { bed, workload, configuration } = run
  const limits = recipeHealingLimits
  bed.heal()
  const before = workload.rounds
  await within(run.simulation, 'makes-progress', 'its users get on', limits.progressMs, () => {
    return workload.rounds >= before + configuration.users
  })
  run.stop()
  if (workload.observe === undefined) run.close()
  // On one engine they share a process: it ends when the observers do, too.
  if (configuration.engine === 'cluster')
    await within(
      run.simulation,
      'calls-end',
      'every user has ended',
      limits.usersEndMs,
      () => bed.areUsersDone,
    )
  await mustConverge(run)
  run.close()
  await within(run.simulation, 'calls-end', 'everybody has ended', limits.usersEndMs, () => {
    return bed.areUsersDone && bed.areObserversDone
  })
  if (workload.succession !== undefined) await mustSucceed(run, workload.succession)
  await mustLeaveNothing(run)
}

async function mustConverge(run: RecipeRun): Promise<void> {
  const { workload } = run
  await within(
    run.simulation,
    'observers-converge',
    'observers know the last state',
    recipeHealingLimits.convergeMs,
    () => {
      return workload.hasConverged?.() !== false
    },
  )
}

/** Kills who has it: the next must have it within the ttl. */
async function mustSucceed(run: RecipeRun, { first, next, withinMs }: Succession): Promise<void> {
  const { bed, simulation } = run
  const has = { first: false, next: false }
  const marking =
    (program: UserProgram, who: 'first' | 'next'): UserProgram =>
    async (user) => {
      await program(user)
      has[who] = true
      await new Promise<never>(() => {})
    }
  bed.enter({ name: 'first', program: marking(first, 'first') })
  const { entersMs } = recipeHealingLimits
  await within(run.simulation, 'makes-progress', 'one that comes now is served', entersMs, () => has.first)
  bed.queue({ name: 'next', program: marking(next, 'next') })
  await simulation.runUntil(simulation.nowMs + inLineMs)
  bed.killFirst()
  const limitMs = withinMs + bed.lateMs
  await within(run.simulation, 'succession', 'the death of one has been made good', limitMs, () => has.next)
  bed.killNext()
}

async function mustLeaveNothing(run: RecipeRun): Promise<void> {
  const { simulation, bed, workload } = run
  const { model } = bed.log
  const startedMs = simulation.nowMs
  const endMs = startedMs + recipeHealingLimits.leasesMs
  await simulation.runUntil(() => model.leases().length === 0 || simulation.nowMs >= endMs)
  const { kvs } = model.range({ key: '', end: null })
  const hanging = kvs.filter(({ lease }) => lease !== 0)
  mustHold(run.simulation, checkLeasesEnded(model.leases(), hanging, simulation.nowMs - startedMs))
  mustHold(run.simulation, checkNothingLeftBehind(workload.leavesNothingUnder, kvs))
}
