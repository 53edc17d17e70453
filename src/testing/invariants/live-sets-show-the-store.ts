import type { KeyRange } from '../../contracts/store.ts'
import type { EventLog } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

/** What the holder of a live set was told. */
export interface ObservedSet {
  /** Of this life of its process. */
  readonly observer: string
  readonly service: string
  /** 0: nothing is known yet. */
  readonly revision: number
  readonly entries: readonly { readonly id: string; readonly revision: number }[]
}

/**
 * A live set is what the store had at the revision that it names, and its revisions never go back: so neither a partition nor a restart of the store ever empties it or brings a dead
 * instance back. Netflix, "Eureka": self-preservation; here by the order of the store.
 */
export function checkLiveSets(
  observed: readonly ObservedSet[],
  range: KeyRange,
  events: EventLog,
): InvariantViolation | undefined {
  const newest = new Map<string, number>()
  const truths = new Map<number, string>()
  for (const { observer, service, revision, entries } of observed) {
    const before = newest.get(observer) ?? 0
    newest.set(observer, revision)
    let problem = revision < before ? `of revision ${revision} after ${before}` : undefined
    const truth = truths.get(revision) ?? textOf(events, range, revision)
    truths.set(revision, truth)
    const shown = entries
      .map((entry) => `${entry.id}@${entry.revision}`)
      .sort()
      .join()
    if (shown !== truth) problem ??= `[${shown}] of revision ${revision}, which was [${truth}]`
    if (problem === undefined) continue
    return new InvariantViolation('live-sets-show-the-store', `${observer} was told of ${service} ${problem}`)
  }
  return undefined
}

function textOf(events: EventLog, range: KeyRange, revision: number): string {
  if (revision === 0) return ''
  const kvs = [...events.stateAt(range, revision).values()]
  return kvs
    .map(({ key, modRevision }) => `${key.slice(key.lastIndexOf('/') + 1)}@${modRevision}`)
    .sort()
    .join()
}
