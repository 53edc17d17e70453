import type { MemberStatus, NodeStatus } from '../../engines/cluster/node-status.ts'
import { type Finding, hostOf, isLocal, ok, problem, warning } from './finding.ts'
import { leaderAmong, type MemberAnswer, statusProblems, votersAmong } from './member-answer.ts'

const lagEntriesMax = 10_000

/** Whether the cluster serves, and what it can bear. */
export function clusterFindings(members: readonly MemberAnswer[]): Finding[] {
  const leader = leaderAmong(members)
  return [
    ...serviceFindings(members, leader),
    quorumFinding(members),
    ...machineFinding(members),
    ...followerFindings(leader),
    ...versionFindings(members),
  ]
}

function serviceFindings(members: readonly MemberAnswer[], leader: NodeStatus | undefined): Finding[] {
  const problems = statusProblems(members)
  if (problems.length === 0 && leader !== undefined) {
    const all = members.length
    return [ok('cluster', `${all} of ${all} nodes answer; node ${leader.id} leads`)]
  }
  const advice = 'start what does not run, read its log, and see that the members reach each other'
  return problems.map((message) => problem('cluster', message, advice))
}

function quorumFinding(members: readonly MemberAnswer[]): Finding {
  const voters = votersAmong(members)
  const total = voters.length
  const alive = voters.filter(({ status }) => status !== undefined).length
  const spare = alive - (Math.floor(total / 2) + 1)
  if (spare < 0) {
    const advice =
      'bring nodes back; reads work with --serializable; if they are lost for good, save a copy (althing backup --serializable) and restore it'
    return problem('quorum', 'there is no quorum', advice)
  }
  if (spare === 0) {
    const advice =
      alive < total
        ? 'bring the missing nodes back, or replace them (althing member replace)'
        : 'run three nodes, or five: one node survives no failure, and two survive none either'
    return warning('quorum', 'the next node that fails stops all writes', advice)
  }
  if (total % 2 === 0) {
    const message = `${total} nodes bear no more failures than ${total - 1}`
    return warning('quorum', message, 'run an odd number of voting nodes')
  }
  return ok('quorum', `${spare} more ${spare === 1 ? 'node' : 'nodes'} may fail`)
}

/** Several voters on one machine fail together. */
function machineFinding(members: readonly MemberAnswer[]): Finding[] {
  const voters = votersAmong(members)
  if (voters.length < 2) return []
  if (isLocal(voters))
    return [ok('quorum', 'all nodes run on this machine: good to develop with, not to survive its failure')]
  const byHost = new Map<string, number>()
  for (const { address } of voters) byHost.set(hostOf(address), (byHost.get(hostOf(address)) ?? 0) + 1)
  const [host, count] = [...byHost].sort((a, b) => b[1] - a[1])[0] ?? ['', 0]
  if (voters.length - count > voters.length / 2) return []
  const message = `${count} of ${voters.length} voting nodes run on ${host}: its failure stops all writes`
  return [warning('quorum', message, 'move nodes to machines of their own, in places that fail apart')]
}

function followerFindings(leader: NodeStatus | undefined): Finding[] {
  if (leader === undefined) return []
  return leader.members.flatMap((member) => [
    ...lostDataFinding(member),
    ...lagFinding(member, leader.lastIndex),
  ])
}

function lostDataFinding({ id, hasLostData }: MemberStatus): Finding[] {
  if (hasLostData !== true) return []
  const message = `node ${id} no longer has what it had acknowledged as durable`
  const advice = `its disk lost data: find out why, then put another in its place (althing member replace ${id})`
  return [problem('data-loss', message, advice, id)]
}

function lagFinding({ id, matchIndex, state, isVoter }: MemberStatus, lastIndex: number): Finding[] {
  if (matchIndex === undefined) return []
  const lag = lastIndex - matchIndex
  const isBehind = lag > lagEntriesMax || state === 'snapshot'
  if (!isBehind && isVoter === false)
    return [
      ok('learner', `node ${id} is a learner, ${lag} entries behind: it receives and does not vote`, id),
    ]
  if (!isBehind) return []
  const sent = state === 'snapshot' ? ' and is being sent a snapshot' : ''
  const message = `node ${id} is ${lag} entries behind${sent}`
  const advice = 'wait; when the lag grows, look at its disk and network'
  return [warning(isVoter === false ? 'learner' : 'lag', message, advice, id)]
}

function versionFindings(members: readonly MemberAnswer[]): Finding[] {
  const versions = new Map<string, number[]>()
  for (const { id, status } of members) {
    if (status !== undefined) versions.set(status.version, [...(versions.get(status.version) ?? []), id])
  }
  const [first] = versions.keys()
  if (versions.size <= 1) return [ok('version', `every node runs version ${first}`)]
  const list = [...versions].map(([version, ids]) => `${version} on ${ids.join(', ')}`).join('; ')
  const message = `the nodes run different versions: ${list}`
  return [warning('version', message, 'finish the upgrade: run the same version everywhere')]
}
