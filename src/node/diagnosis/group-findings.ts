import type { TroubledGroup } from '../../engines/cluster/troubled-groups.ts'
import { type Finding, problem, warning } from './finding.ts'
import { leaderAmong, type MemberAnswer } from './member-answer.ts'

const command = 'althing group list'

/** Groups that cannot decide, or have fewer copies than they should. */
export function groupFindings(members: readonly MemberAnswer[]): Finding[] {
  const troubled = leaderAmong(members)?.operations?.troubled ?? []
  const stopped = new Set(troubled.filter(({ trouble }) => trouble === 'no-majority').map(({ name }) => name))
  return [...troubled.map(troubledFinding), ...leaderlessFindings(members, stopped)]
}

function troubledFinding(group: TroubledGroup): Finding {
  if (group.trouble === 'no-majority') return noMajority(group)
  return group.trouble === 'few-copies' ? fewCopies(group) : moving(group)
}

function noMajority({ name, forMs, voters, silent }: TroubledGroup): Finding {
  const silentVoters = voters.filter((id) => silent.includes(id))
  const answering = voters.length - silentVoters.length
  const missing = Math.floor(voters.length / 2) + 1 - answering
  const message = `group ${name} has no majority: ${answering} of its ${voters.length} voters answer`
  const some = missing < silentVoters.length ? `${missing} of ` : ''
  const advice =
    `bring back ${some}${nodes(silentVoters)}, with the data it had. ` +
    'Only when they are lost for good: save what is left and restore it as a new cluster (docs/blocks/operations.md)'
  const about = { subject: name, forMs, command: 'althing backup FILE --all --serializable' }
  return problem('groups', message, advice, about)
}

function fewCopies({ name, forMs, members, silent, wanted }: TroubledGroup): Finding {
  const message = `group ${name} has ${members.length} of ${wanted} copies, on ${nodes(members)}`
  const advice =
    silent.length === 0
      ? 'wait: one is made as soon as a member that has none can take it; when none comes, add a member'
      : `bring back ${nodes(silent)}, or replace it; until then the group bears fewer failures`
  return warning('groups', message, advice, { subject: name, forMs, command })
}

function moving({ name, forMs, members, voters, silent }: TroubledGroup): Finding {
  const message = `the copies of group ${name} have not got where they belong: they are on ${nodes(voters)}, and belong on ${nodes(members)}`
  const advice =
    silent.length === 0
      ? 'wait: a large copy takes its time; when it goes on, see that these nodes reach each other and look at their logs'
      : `bring back ${nodes(silent)}: the move waits for it; when it is lost, replace it`
  return warning('groups', message, advice, { subject: name, forMs, command })
}

/** Groups of which nobody who has a copy knows a leader. */
function leaderlessFindings(members: readonly MemberAnswer[], except: ReadonlySet<string>): Finding[] {
  const answering = members.flatMap(({ status }) => (status?.operations === undefined ? [] : [status]))
  const names = new Set(answering.flatMap(({ operations }) => operations?.leaderless ?? []))
  return [...names]
    .filter((name) => !except.has(name))
    .map((name) => {
      const those = answering.filter(({ operations }) => operations?.leaderless.includes(name) === true)
      const message = `group ${name} has no leader, as node ${those.map(({ id }) => id).join(', ')} says`
      const advice =
        'most of its copies must answer: bring their nodes back; an election takes a second or two'
      return problem('groups', message, advice, { subject: name, command })
    })
}

function nodes(ids: readonly number[]): string {
  return `node${ids.length === 1 ? '' : 's'} ${ids.join(', ')}`
}
