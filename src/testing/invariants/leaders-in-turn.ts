import type { ByteString } from '../../base/bytes.ts'
import { textFromBytes } from '../../base/bytes.ts'
import type { KeyValue } from '../../contracts/store.ts'
import type { ElectionKeys } from '../../coordination/election/election-view.ts'
import { applyEvent, type EventLog, isInRange, eventKey } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

/**
 * The seat of an election is taken only while it is free, by the heir that the last leader named or else by the candidate that has waited longest, and no term is given twice.
 * Hunt et al., "ZooKeeper" (2010), section 2.4; peers' users: a middle candidate that leaves elects the next (microsoft/etcd3 issue 176).
 */
export function checkLeadersInTurn(keys: ElectionKeys, events: EventLog): InvariantViolation | undefined {
  const state = new Map<ByteString, KeyValue>()
  for (const { revision, events: changes } of events.revisions) {
    const own = changes.filter((event) => isInRange(keys.range, eventKey(event)))
    const seat = own.find((event) => event.type === 'put' && event.kv.key === keys.leader)
    if (seat?.type === 'put' && seat.kv.createRevision === revision) {
      const problem = problemOf(keys, state, seat.kv)
      if (problem !== undefined)
        return new InvariantViolation('leaders-in-turn', `at revision ${revision} ${problem}`)
    }
    for (const event of own) applyEvent(state, event)
  }
  return undefined
}

/** `before`: the election as it was when the seat was taken. */
function problemOf(
  keys: ElectionKeys,
  before: ReadonlyMap<ByteString, KeyValue>,
  seat: KeyValue,
): string | undefined {
  const who = nameIn(seat)
  if (before.has(keys.leader)) return `${who} takes the seat of another`
  const heir = before.get(keys.heir)
  if (heir !== undefined) {
    const named = textFromBytes(heir.value)
    return named === who ? undefined : `${who} leads, and the heir was ${named}`
  }
  const waiting = [...before.values()]
    .filter(({ key }) => key !== keys.leader && key !== keys.heir)
    .sort((a, b) => a.createRevision - b.createRevision)
  const first = waiting[0]
  if (first === undefined) return `${who} leads, who did not stand`
  const firstName = nameIn(first)
  return firstName === who ? undefined : `${who} leads, and ${firstName} has waited longer`
}

function nameIn({ value }: KeyValue): string {
  return (JSON.parse(textFromBytes(value)) as { readonly candidate: string }).candidate
}
