import { InvariantViolation } from './violation.ts'

/** No id of a kind is given twice, whatever crashed, was stopped or had its clock stepped. Twitter, "Snowflake" (2010), without its trust in clocks. */
export function checkIdsUnique(
  given: ReadonlyMap<string, readonly bigint[]>,
): InvariantViolation | undefined {
  for (const [kind, ids] of given) {
    const seen = new Set<bigint>()
    for (const id of ids) {
      if (seen.has(id)) return new InvariantViolation('ids-unique', `the ${kind} id ${id} was given twice`)
      seen.add(id)
    }
  }
  return undefined
}
