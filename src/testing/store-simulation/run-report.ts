import { InvariantViolation } from '../invariants/violation.ts'
import type { FaultClass } from '../world/fault-classes.ts'
import { SimulationError } from '../world/simulation-error.ts'

/** What became of one seed. */
export interface RunReport {
  readonly seed: number
  readonly verdict: 'ok' | 'violation' | 'unknown'
  /** The first thing that went wrong. */
  readonly violation?: { readonly invariant: string; readonly message: string; readonly explanation: string }
  /** Hash over all that happened in the run. */
  readonly logHash: string
  readonly configuration: { readonly nodes: number; readonly faults: readonly FaultClass[] }
  readonly virtualMs: number
  readonly events: number
  readonly steps: number
  readonly entries: number
  readonly calls: number
  /** How often each class of faults really happened. */
  readonly faults: Readonly<Record<string, number>>
  /** Of things that should happen in some runs, so that the faults can show what they break. */
  readonly reached: Readonly<Record<string, number>>
}

/** The invariant that was broken, of what ended a run. */
export function violationFrom(error: unknown): InvariantViolation {
  if (!(error instanceof SimulationError)) throw error
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof InvariantViolation) return cause
  }
  const cause = error.cause instanceof Error ? (error.cause.stack ?? '') : ''
  return new InvariantViolation('no-crash', error.message, cause)
}
