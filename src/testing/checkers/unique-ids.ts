import type { Operation } from '../history/operation.ts'
import { type CanonicalValue, canonicalValue } from './canonical-value.ts'
import { FindingsCollector, type FindingsResult } from './verdict.ts'

export interface UniqueIdsResult extends FindingsResult {
  readonly generated: number
}

/** Judges that the results of all successful `generate` operations differ. */
export function checkUniqueIds(operations: readonly Operation[]): UniqueIdsResult {
  const findings = new FindingsCollector()
  const first = new Map<CanonicalValue, Operation>()
  let generated = 0
  for (const operation of operations) {
    if (operation.op !== 'generate' || operation.outcome !== 'ok') continue
    generated += 1
    const id = canonicalValue(operation.output)
    const other = first.get(id)
    if (other === undefined) {
      first.set(id, operation)
      continue
    }
    const [a, b] = [other, operation].map(({ process, returnedAt }) => `process ${process} at ${returnedAt}`)
    findings.add('unique', `id ${id} was given twice: to ${a} and to ${b}`)
  }
  return { ...findings.result(), generated }
}
