import type { ByteString } from '../../base/bytes.ts'
import { textFromBytes } from '../../base/bytes.ts'
import type { EventLog } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

/** What an observer of an election was told. */
export interface ObservedLeader {
  /** Of this life of its process. */
  readonly observer: string
  readonly election: string
  /** 0: nobody leads. */
  readonly term: number
  readonly value: string
  readonly revision: number
}

/**
 * Observers are told what the store had, of revisions that never go back, so that no two of them ever see two leaders in one term, and none sees a leader that is known to be gone.
 * Hunt et al., "ZooKeeper" (2010), section 2.3: a client sees the changes in the order of the store.
 */
export function checkObservedLeaders(
  observed: readonly ObservedLeader[],
  key: ByteString,
  events: EventLog,
): InvariantViolation | undefined {
  const newest = new Map<string, ObservedLeader>()
  for (const each of observed) {
    const problem = problemOf(each, newest.get(each.observer), key, events)
    if (problem !== undefined)
      return new InvariantViolation('observed-leaders', `${each.observer} was told ${problem}`)
    newest.set(each.observer, each)
  }
  return undefined
}

function problemOf(
  { term, value, revision }: ObservedLeader,
  before: ObservedLeader | undefined,
  key: ByteString,
  events: EventLog,
): string | undefined {
  if (before !== undefined && revision < before.revision)
    return `of revision ${revision} after ${before.revision}`
  if (before !== undefined && term > 0 && before.term > term) return `of term ${term} after ${before.term}`
  const event = events.newestAt(key, revision)
  const kv = event?.type === 'put' ? event.kv : undefined
  if ((kv?.createRevision ?? 0) !== term)
    return `that term ${term} leads at revision ${revision}, which was ${kv?.createRevision ?? 0}`
  const proclaimed = kv === undefined ? '' : valueIn(kv.value)
  return proclaimed === value ? undefined : `"${value}" at revision ${revision}, which was "${proclaimed}"`
}

function valueIn(bytes: Uint8Array): string {
  return (JSON.parse(textFromBytes(bytes)) as { readonly value: string }).value
}
