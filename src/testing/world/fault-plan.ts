import { invalidArgument } from '../../contracts/errors.ts'
import { type FaultClass, faultClasses } from './fault-classes.ts'
import type { SeededRandom } from './seeded-random.ts'

/** How one class of faults occurs in a run. */
export interface FaultRate {
  /** Mean virtual time between two faults of the class. */
  readonly intervalMsMean: number
  /** Mean length of a fault that lasts. */
  readonly durationMsMean: number
  /** From 0 (hardly felt) to 1 (as bad as it gets). */
  readonly severity: number
}

export type FaultPlan = ReadonlyMap<FaultClass, FaultRate>

/** Reads `all`, `none`, or a list of classes set off by commas. */
export function parseFaultClasses(text: string): FaultClass[] {
  if (text === 'all') return [...faultClasses]
  if (text === 'none') return []
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !(faultClasses as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw invalidArgument('faults', unknown, `'all', 'none', or a list of: ${faultClasses.join(', ')}`)
  }
  return faultClasses.filter((name) => names.includes(name))
}

/**
 * Draws the mix of one run (swarm testing: Groce et al., ISSTA 2012): of the classes allowed, each is in with a probability that is itself
 * drawn, and has rates of its own. A few faults, deep in a run, find other bugs than all of them at once. A single class
 * that was asked for is always in.
 */
export function drawFaultPlan(random: SeededRandom, allowed: readonly FaultClass[]): FaultPlan {
  const plan = new Map<FaultClass, FaultRate>()
  if (allowed.length === 0) return plan
  const share = random.pick([0.25, 0.5, 0.75, 1])
  const chosen = allowed.filter(() => random.chance(share))
  for (const name of chosen.length > 0 ? chosen : [random.pick(allowed)]) {
    plan.set(name, {
      intervalMsMean: random.pick([500, 1_500, 4_000, 10_000]),
      durationMsMean: random.pick([100, 500, 2_000, 6_000]),
      severity: random.float(),
    })
  }
  return plan
}
