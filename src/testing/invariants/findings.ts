import type { FindingsResult } from '../checkers/verdict.ts'
import { InvariantViolation } from './violation.ts'

const linesMax = 20

/** What a checker found as the violation of an invariant; `undefined` when it found nothing. */
export function violationOf(
  invariant: string,
  { findings, findingsCount }: FindingsResult,
): InvariantViolation | undefined {
  const [first] = findings
  if (first === undefined) return undefined
  const lines = findings.slice(0, linesMax).map(({ guarantee, message }) => `  ${guarantee}: ${message}`)
  if (findingsCount > linesMax) lines.push(`  … ${findingsCount} in all`)
  return new InvariantViolation(invariant, `${first.guarantee}: ${first.message}`, `${lines.join('\n')}\n`)
}
