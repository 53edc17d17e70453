import { sameKeyValue } from '../checkers/event-log.ts'
import type { Answer, ReadAnswer } from './answers.ts'
import type { CommittedLog } from './committed-log.ts'
import { InvariantViolation } from './violation.ts'

const name = 'reads-past-states'

/**
 * Every read, linearizable or serializable, shows the state of the store as it was at the one revision that it names, a revision that had been
 * committed when it returned. DESIGN.md section 3: a serializable read is of a local copy, which may be behind, never ahead and never mixed.
 */
export function checkReadsShowPastStates(
  answers: readonly Answer[],
  log: CommittedLog,
): InvariantViolation | undefined {
  const committedAt = new CommitTimes(log)
  for (const answer of answers) {
    if (answer.kind !== 'read') continue
    const problem = checkRead(answer, log, committedAt)
    if (problem === undefined) continue
    const what = `${answer.client}: a ${answer.consistency} read of ${JSON.stringify(answer.range.key)}`
    return new InvariantViolation(name, `${what} at revision ${answer.revision} ${problem}`)
  }
  return undefined
}

function checkRead(
  { range, revision, kvs, returnedAt }: ReadAnswer,
  log: CommittedLog,
  committedAt: CommitTimes,
): string | undefined {
  const timeMs = committedAt.of(revision)
  if (timeMs > returnedAt)
    return `returned at ${returnedAt} ms, before that revision was committed (${timeMs} ms)`
  const state = log.events.stateAt(range, revision)
  for (const kv of kvs) {
    const truth = state.get(kv.key)
    if (truth === undefined) return `shows ${JSON.stringify(kv.key)}, which did not exist there`
    if (!sameKeyValue(truth, kv)) {
      return `shows ${JSON.stringify(kv.key)} of revision ${kv.modRevision}, which was of revision ${truth.modRevision}`
    }
  }
  return kvs.length === state.size ? undefined : `shows ${kvs.length} keys of ${state.size}`
}

/** When each revision was first known to be committed. */
class CommitTimes {
  readonly #times = new Map<number, number>()

  constructor(log: CommittedLog) {
    for (const { revision, timeMs } of log.commands) {
      if (!this.#times.has(revision)) this.#times.set(revision, timeMs)
    }
  }

  /** The empty store is at revision 1 from the start. */
  of(revision: number): number {
    return revision <= 1 ? 0 : (this.#times.get(revision) ?? Number.POSITIVE_INFINITY)
  }
}
