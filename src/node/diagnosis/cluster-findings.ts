import type { MemberStatus, NodeStatus } from '../../engines/cluster/node-status.ts'
import { type Finding, hostOf, isLocal, ok, problem, warning } from './finding.ts'
import { groupFindings } from './group-findings.ts'
import { learnerFindings } from './learner-findings.ts'
import { leaderAmong, type MemberAnswer, statusProblems, votersAmong } from './member-answer.ts'
import { sightFindings } from './sight-findings.ts'
import { versionFindings } from './version-findings.ts'

const lagEntriesMax = 10_000
/** More changes of the leader in an hour than restarts and drills explain. */
const leaderChangesMax = 5

/** Whether the cluster serves, and what it can bear. */
export function clusterFindings(members: readonly MemberAnswer[]): Finding[] {
  const leader = leaderAmong(members)
  return [
    ...serviceFindings(members, leader),
    quorumFinding(members),
    ...machineFinding(members),
    ...electionFinding(leader ?? members.find(({ status }) => status !== undefined)?.status),
    ...groupFindings(members),
    ...(leader === undefined ? [] : followerFindings(leader)),
    ...sightFindings(members),
    ...versionFindings(members),
  ]
}

function serviceFindings(members: readonly MemberAnswer[], leader: NodeStatus | undefined): Finding[] {
  const problems = statusProblems(members)
  if (problems.length === 0 && leader !== undefined) {
    const all = members.length
    const forMs = leader.operations?.leadership.forMs
    return [
      ok('cluster', `${all} of ${all} nodes answer; node ${leader.id} leads`, {
        ...(forMs === undefined ? {} : { forMs }),
      }),
    ]
  }
  const isReplaceable = !problems.some(({ kind }) => kind === 'no-quorum')
  return problems.map(({ message, kind, node }) => {
    const heard = leader?.members.find(({ id }) => id === node)?.sinceReplyMs
    const about = { ...(node === undefined ? {} : { node, subject: kind }) }
    const judge = kind === 'not-ready' || kind === 'drill' ? warning : problem
    if (kind !== 'silent') return judge('cluster', message, adviceFor[kind], about)
    // Without a quorum nobody can be replaced: what is left then stands with the quorum's own finding.
    const hasCommand = node !== undefined && node !== 0 && isReplaceable
    return problem('cluster', message, isReplaceable ? adviceFor.silent : adviceFor.silentWithoutQuorum, {
      ...about,
      ...(heard === undefined ? {} : { forMs: heard }),
      ...(hasCommand ? { command: `althing member replace ${node}` } : {}),
    })
  })
}

const adviceFor = {
  silent:
    'see whether its process runs and read its log: started again it catches up. Replace it only when its machine is lost',
  silentWithoutQuorum: 'see whether its process runs and read its log: started again it catches up',
  'no-quorum': 'start what does not run, and see that the members reach each other',
  'no-leader':
    'an election takes a second or two; when it goes on, see that the members reach each other and that their loops and disks keep up',
  'not-ready': 'most of this passes by itself; when it does not, read the log of that node',
  drill: 'heal it in the console, under Faults',
} as const

function quorumFinding(members: readonly MemberAnswer[]): Finding {
  const voters = votersAmong(members)
  const total = voters.length
  const silent = voters.filter(({ status }) => status === undefined)
  const alive = total - silent.length
  const spare = alive - (Math.floor(total / 2) + 1)
  if (spare < 0) {
    const advice =
      'bring nodes back; reads work with --serializable; if they are lost for good, save a copy and restore it as a new cluster (docs/blocks/operations.md)'
    const command = 'althing backup FILE --all --serializable'
    return problem('quorum', 'there is no quorum', advice, { command })
  }
  if (spare === 0) {
    const message = 'the next node that fails stops all writes'
    if (alive === total) {
      const advice = 'run three nodes, or five: one node survives no failure, and two survive none either'
      return warning('quorum', message, advice, { command: 'althing member add' })
    }
    const command = `althing member replace ${silent[0]?.id ?? 'ID'}`
    return warning('quorum', message, 'bring the missing nodes back, or replace them', { command })
  }
  if (total % 2 === 0) {
    const message = `${total} nodes bear no more failures than ${total - 1}`
    const advice = 'run an odd number of voting nodes: add one, or remove one'
    return warning('quorum', message, advice, { command: 'althing member add' })
  }
  return ok('quorum', `${spare} more ${spare === 1 ? 'node' : 'nodes'} may fail`)
}

/** Several voters on one machine fail together. */
function machineFinding(members: readonly MemberAnswer[]): Finding[] {
  const voters = votersAmong(members)
  const about = { subject: 'machines' }
  if (voters.length < 2) return []
  if (isLocal(voters)) {
    const message = 'all nodes run on this machine: good to develop with, not to survive its failure'
    return [ok('quorum', message, about)]
  }
  const byHost = new Map<string, number>()
  for (const { address } of voters) byHost.set(hostOf(address), (byHost.get(hostOf(address)) ?? 0) + 1)
  const [host, count] = [...byHost].sort((a, b) => b[1] - a[1])[0] ?? ['', 0]
  if (voters.length - count > voters.length / 2) return []
  const message = `${count} of ${voters.length} voting nodes run on ${host}: its failure stops all writes`
  return [warning('quorum', message, 'move nodes to machines of their own, in places that fail apart', about)]
}

function electionFinding(known: NodeStatus | undefined): Finding[] {
  const leadership = known?.operations?.leadership
  if (known === undefined || leadership === undefined || leadership.changesLastHour <= leaderChangesMax)
    return []
  const message = `the leader changed ${leadership.changesLastHour} times in the last hour, as node ${known.id} saw`
  const advice =
    'each change stops writes for a moment: look for event loops and disks that are held up, and for a network that loses connections'
  return [warning('elections', message, advice)]
}

function followerFindings(leader: NodeStatus): Finding[] {
  return leader.members.flatMap((member) => [
    ...lostDataFinding(member),
    ...(!member.isVoter ? learnerFindings(member, leader.lastIndex) : lagFinding(member, leader.lastIndex)),
  ])
}

function lostDataFinding({ id, hasLostData }: MemberStatus): Finding[] {
  if (hasLostData !== true) return []
  const message = `node ${id} no longer has what it had acknowledged as durable`
  const advice = 'its disk lost data: find out why, then put another in its place'
  return [
    problem('data-loss', message, advice, { node: id, command: `althing member replace ${id} --force` }),
  ]
}

function lagFinding({ id, matchIndex, state }: MemberStatus, lastIndex: number): Finding[] {
  if (matchIndex === undefined) return []
  const lag = lastIndex - matchIndex
  if (lag <= lagEntriesMax && state !== 'snapshot') return []
  const sent = state === 'snapshot' ? ' and is being sent a snapshot' : ''
  const message = `node ${id} is ${lag} entries behind${sent}`
  return [warning('lag', message, 'wait; when the lag grows, look at its disk and network', { node: id })]
}
