import type { MemberStatus } from '../../engines/cluster/node-status.ts'
import { type Finding, ok, warning } from './finding.ts'

/** A learner that answered nothing for so long is not catching up. */
const silentMs = 10_000
/** An empty node is sent a snapshot first; that takes its time. */
const catchUpMsMax = 5 * 60_000

/** How far a member without a vote is. */
export function learnerFindings(learner: MemberStatus, lastIndex: number): Finding[] {
  const { id, matchIndex, state, sinceReplyMs, learnerForMs } = learner
  if (matchIndex === undefined) return []
  const behind = `${lastIndex - matchIndex} entries behind`
  const about = { node: id, ...(learnerForMs === undefined ? {} : { forMs: learnerForMs }) }
  if (sinceReplyMs !== undefined && sinceReplyMs > silentMs) {
    const message = `node ${id}, a learner, does not answer the leader and is ${behind}`
    const advice = 'see that its process runs and reaches the leader; one that is not wanted can be removed'
    return [warning('learner', message, advice, { ...about, command: `althing member remove ${id}` })]
  }
  const sent = state === 'snapshot' ? ' and is being sent a snapshot' : ''
  if (learnerForMs === undefined) {
    return [ok('learner', `node ${id} is a learner, ${behind}${sent}: it receives and does not vote`, about)]
  }
  const doing = `node ${id} is catching up, ${behind}${sent}`
  if (learnerForMs <= catchUpMsMax) return [ok('learner', `${doing}: then it votes`, about)]
  const advice =
    'it is too slow for this load, or does not reach the leader well: look at its disk and network'
  return [warning('learner', `${doing}: it does not get there`, advice, about)]
}
