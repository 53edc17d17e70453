import type { Clock } from '../../contracts/world.ts'
import type { Operation } from '../history/operation.ts'
import { checkLinearizability, type LinearizabilityViolation } from './linearizability.ts'
import type { SequentialModel } from './sequential-model.ts'
import { shrinkViolation } from './shrink.ts'
import { describeOperation, drawTimeline } from './timeline.ts'
import { drawTimelineSvg } from './timeline-svg.ts'

export interface ExplainOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** For the shrinking. Default 5000. */
  readonly timeLimitMs?: number
}

export interface ViolationExplanation {
  /** The shortest failing part found. */
  readonly operations: readonly Operation[]
  /** The longest order of it that was found. */
  readonly longest: readonly Operation[]
  /** What cannot come next. */
  readonly blocked: Operation | undefined
  /** For a terminal: what is wrong, the part drawn against time, and the order found. */
  readonly text: string
  /** The same drawing as an SVG document. */
  readonly svg: string
}

/** Shrinks a violation that {@link checkLinearizability} found, prints it and draws it. */
export function explainViolation<State, Op>(
  model: SequentialModel<State, Op>,
  violation: LinearizabilityViolation,
  options: ExplainOptions,
): ViolationExplanation {
  const operations = shrinkViolation(model, violation.operations, options)
  const isShorter = operations.length < violation.operations.length
  const again = isShorter
    ? checkLinearizability(model, operations, { clock: options.clock }).violation
    : undefined
  const { longest, blocked, stateAfterLongest, message } = again ?? violation
  const subject = { operations, longest, blocked }
  const lines = [
    message,
    `The shortest failing part found has ${operations.length} of ${violation.operations.length} operations:`,
    '',
    drawTimeline(subject),
  ]
  if (longest.length > 0)
    lines.push(
      `The longest order found (${longest.length} placed) ends in the state ${cut(stateAfterLongest)}.`,
    )
  if (blocked !== undefined) {
    lines.push(`It cannot go on: ${describeOperation(blocked)} (process ${blocked.process}) has no place.`)
  }
  return { operations, longest, blocked, text: `${lines.join('\n')}\n`, svg: drawTimelineSvg(subject) }
}

function cut(state: string): string {
  const text = state.replace(/\p{Cc}/gu, '·')
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
