import { textFromBytes } from '../../base/bytes.ts'
import type { Answer, WriteAnswer } from './answers.ts'
import type { CommittedLog } from './committed-log.ts'
import { InvariantViolation } from './violation.ts'

const name = 'acknowledged-writes'

/**
 * An acknowledged write is in the log, at the revision that its client was told; one whose failure says that it did not happen is not; and none is there
 * twice, however often it was sent. Thesis section 6.3; DESIGN.md section 3, `outcome`.
 */
export function checkAcknowledgedWrites(
  answers: readonly Answer[],
  log: CommittedLog,
): InvariantViolation | undefined {
  const revisionsOf = indexValues(log)
  for (const answer of answers) {
    if (answer.kind !== 'write') continue
    const problem = checkWrite(answer, revisionsOf)
    if (problem !== undefined) return new InvariantViolation(name, `${answer.client}: ${problem}`)
  }
  return undefined
}

function checkWrite(
  { outcome, revision, values }: WriteAnswer,
  revisionsOf: ReadonlyMap<string, readonly number[]>,
): string | undefined {
  for (const [key, value] of values) {
    const what = `the put of ${JSON.stringify(value)} to ${key}`
    const found = revisionsOf.get(`${key}\0${value}`) ?? []
    if (found.length > 1) return `${what} was applied at the revisions ${found.join(' and ')}`
    const at = found[0]
    if (outcome === 'acknowledged' && at !== revision) {
      return `${what} was acknowledged at revision ${revision}, and ${at === undefined ? 'is lost' : `is at ${at}`}`
    }
    if ((outcome === 'none' || outcome === 'refused') && at !== undefined) {
      return `${what} was said not to have happened, and was applied at revision ${at}`
    }
  }
  return undefined
}

function indexValues(log: CommittedLog): Map<string, number[]> {
  const revisionsOf = new Map<string, number[]>()
  for (const { revision, events } of log.events.revisions) {
    for (const event of events) {
      if (event.type !== 'put') continue
      const value = `${event.kv.key}\0${textFromBytes(event.kv.value)}`
      const revisions = revisionsOf.get(value)
      if (revisions === undefined) revisionsOf.set(value, [revision])
      else revisions.push(revision)
    }
  }
  return revisionsOf
}
