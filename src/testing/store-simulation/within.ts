import { InvariantViolation } from '../invariants/violation.ts'
import type { Simulation } from '../world/simulation.ts'

/** Lets the world run until `predicate` holds; the invariant is broken when that takes longer than `limitMs`. */
export async function within(
  simulation: Simulation,
  invariant: string,
  what: string,
  limitMs: number,
  predicate: () => boolean,
): Promise<void> {
  const cancel = simulation.after(limitMs, () => {
    const message = `${limitMs} ms after the end of all faults it is not so that ${what}`
    simulation.fail(message, new InvariantViolation(invariant, message))
  })
  await simulation.runUntil(predicate)
  cancel()
}

/** Ends the run when an invariant is broken. */
export function mustHold(simulation: Simulation, violation: InvariantViolation | undefined): void {
  if (violation === undefined) return
  simulation.fail(violation.message, violation)
  throw simulation.failure as Error
}
