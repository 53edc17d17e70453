import type { Clock } from '../../contracts/world.ts'
import { explainViolation } from '../checkers/explain-violation.ts'
import { checkLinearizability } from '../checkers/linearizability.ts'
import type { AnySequentialModel } from '../checkers/sequential-model.ts'
import type { Operation } from '../history/operation.ts'
import { InvariantViolation } from './violation.ts'

const name = 'linearizable'

export interface HistoryLimits {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** For the search of one history; past it the verdict is that it is not known. */
  readonly timeLimitMs: number
}

export interface HistoryJudgement {
  readonly violation: InvariantViolation | undefined
  /** The bound was reached before there was an answer: the history is not judged. */
  readonly isUnknown: boolean
}

/**
 * What clients saw, and nothing else, can be explained by one store that does one thing at a time. Herlihy and Wing, "Linearizability" (1990). Knows
 * nothing of logs and leaders, so that an error shared by all of them shows.
 */
export function checkLinearizableHistory(
  model: AnySequentialModel,
  operations: readonly Operation[],
  limits: HistoryLimits,
): HistoryJudgement {
  const result = checkLinearizability(model, operations, limits)
  if (result.violation === undefined) return { violation: undefined, isUnknown: result.verdict === 'unknown' }
  const { text } = explainViolation(model, result.violation, { clock: limits.clock, timeLimitMs: 5_000 })
  const violation = new InvariantViolation(name, `${model.name}: ${result.violation.message}`, text)
  return { violation, isUnknown: false }
}
