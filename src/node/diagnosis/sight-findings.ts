import { type Finding, ok, warning } from './finding.ts'
import type { MemberAnswer } from './member-answer.ts'
import { type SharedSight, sightAmong } from './member-sight.ts'

/** Whether the members see each other as they should: slow ones, and ones that some reach and others do not. */
export function sightFindings(members: readonly MemberAnswer[]): Finding[] {
  const seen = members.flatMap((member) => {
    const shared = sightAmong(members, member.id)
    return shared === undefined ? [] : [{ member, shared }]
  })
  if (seen.length < 2) return []
  const wrong = seen.flatMap(({ member, shared }) => findingOf(member, shared))
  const isWhole =
    seen.length === members.length &&
    seen.every(({ shared: { sight } }) => sight.state === 'alive' || sight.state === 'recovered')
  return wrong.length > 0 || !isWhole ? wrong : [ok('members', 'the nodes see each other, and none is slow')]
}

function findingOf({ id, status }: MemberAnswer, { sight, by, among }: SharedSight): Finding[] {
  const about = { node: id, subject: sight.state, forMs: sight.forMs }
  const seers = by.length === among ? 'the others' : `node ${by.join(' and ')}`
  if (sight.state === 'degraded')
    return [
      warning(
        'members',
        `node ${id} is degraded: ${meaningOf(sight.degraded)}`,
        adviceFor(sight.degraded),
        about,
      ),
    ]
  // One that does not answer here either is told of as silent.
  if ((sight.state !== 'suspect' && sight.state !== 'failed') || status === undefined) return []
  const verb =
    sight.state === 'failed'
      ? 'had no answer from it, though it answers here'
      : 'had no answer from it just now'
  const advice = 'look at the network between them, and at the load of both'
  return [warning('members', `node ${id}: ${seers} ${verb}`, advice, about)]
}

const meanings: Readonly<Record<string, string>> = {
  'event-loop': 'its event loop is held up',
  'response-time': 'it answers the others late',
  'local-health': 'it does not hear from the others as it should',
  'disk-full': 'its disk is all but full',
}

function meaningOf(degraded: string | undefined): string {
  return meanings[degraded ?? ''] ?? degraded ?? 'it is slow'
}

function adviceFor(degraded: string | undefined): string {
  if (degraded === 'disk-full') return 'make room on its disk, or delete and compact'
  if (degraded === 'event-loop')
    return 'see what its process is busy with, and whether its machine has a core to spare'
  return 'look at the network to it, and at the load of its machine'
}
