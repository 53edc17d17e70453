// What the numbers of a cluster mean, and what to do about it. Pure.
import type { ClusterMember, ClusterReply } from '../api/types.ts'
import type { Phrase } from '../text/fill-in.ts'

export type HealthLevel = 'ok' | 'warn' | 'bad'

export interface Problem {
  readonly member: number
  readonly level: HealthLevel
  readonly what: Phrase
  readonly toDo: Phrase
  /** The node's own words, in English. */
  readonly detail?: string
}

export interface ClusterHealth {
  readonly level: HealthLevel
  readonly title: Phrase
  readonly meaning: Phrase
  readonly problems: readonly Problem[]
}

/** More entries than this behind the leader is worth a word. Under load a healthy follower is some hundred behind at any moment. */
export const lagEntriesMax = 2_000

export function clusterHealth(cluster: ClusterReply, isSupervised: boolean): ClusterHealth {
  const { members } = cluster
  const problems = members.flatMap((member) => problemOf(member, cluster, isSupervised) ?? [])
  const voters = members.filter(({ id }) => isVoter(id, cluster))
  const answering = voters.filter(({ status }) => status !== null).length
  const ready = voters.filter(({ status }) => status?.isReady === true || isHindered(status)).length
  const quorum = quorumOf(voters.length)
  const values = { ready, answering, total: voters.length, quorum, leader: leaderOf(cluster) ?? 0 }
  if (ready < quorum || values.leader === 0) return without(values, problems)
  if (problems.length === 0) {
    const title: Phrase = { key: voters.length === 1 ? 'health.okSingle' : 'health.ok', values }
    return { level: 'ok', title, meaning: { key: 'health.okMeaning', values }, problems }
  }
  const spare = ready - quorum
  const meaning: Phrase = { key: spare > 0 ? 'health.degradedSpare' : 'health.degradedLast', values }
  return { level: 'warn', title: { key: 'health.degraded', values }, meaning, problems }
}

function without(
  values: { readonly answering: number; readonly quorum: number; readonly [name: string]: number },
  problems: readonly Problem[],
): ClusterHealth {
  const hasQuorum = values.answering >= values.quorum
  return {
    level: 'bad',
    title: { key: hasQuorum ? 'health.noLeader' : 'health.noQuorum', values },
    meaning: { key: hasQuorum ? 'health.noLeaderMeaning' : 'health.noQuorumMeaning', values },
    problems,
  }
}

/** Everyone is taken for a voter where nobody says otherwise. */
export function isVoter(id: number, cluster: ClusterReply): boolean {
  const leader = cluster.members.find((member) => member.id === leaderOf(cluster))
  const known = leader ?? cluster.members.find(({ status }) => status !== null)
  return known?.status?.members.find((member) => member.id === id)?.isVoter ?? true
}

/** It should not lead, and votes and stores all the same. */
function isHindered(status: ClusterMember['status']): boolean {
  return (status?.operations?.hindrances.length ?? 0) > 0
}

export function quorumOf(members: number): number {
  return Math.floor(members / 2) + 1
}

/** The leader by its own word, the one with the highest term where two say it; an old leader that is cut off goes on thinking so for a moment. */
export function leaderOf(cluster: ClusterReply): number | undefined {
  const leaders = cluster.members
    .filter(({ status }) => status?.role === 'leader')
    .toSorted((a, b) => (b.status?.term ?? 0) - (a.status?.term ?? 0))
  return leaders[0]?.id
}

/** How many entries the member has to apply until it is where the cluster is. `undefined` when that is not known. */
export function lagOf(member: ClusterMember, cluster: ClusterReply): number | undefined {
  if (member.status === null) return undefined
  const commit = Math.max(0, ...cluster.members.map(({ status }) => status?.commitIndex ?? 0))
  return Math.max(0, commit - member.status.appliedIndex)
}

function problemOf(member: ClusterMember, cluster: ClusterReply, isSupervised: boolean): Problem | undefined {
  const { id, status } = member
  if (status === null) {
    const toDo: Phrase = isSupervised ? { key: 'problem.goneToDoLocal' } : { key: 'problem.goneToDo' }
    return {
      member: id,
      level: 'bad',
      what: { key: 'problem.gone', values: { address: member.address } },
      toDo,
    }
  }
  const detail = status.problem === undefined ? {} : { detail: status.problem }
  if (status.blocked.length > 0) {
    const what: Phrase = { key: 'problem.blocked', values: { members: status.blocked.join(', ') } }
    return isDrillOnOthers(status.blocked, cluster)
      ? undefined
      : { member: id, level: 'warn', what, toDo: { key: 'problem.blockedToDo' }, ...detail }
  }
  if (status.operations?.hindrances.includes('draining') === true) {
    const toDo: Phrase = { key: 'problem.drainingToDo' }
    return { member: id, level: 'warn', what: { key: 'problem.draining' }, toDo }
  }
  if (!status.isReady) {
    const key = status.leader === 0 ? 'problem.noLeader' : 'problem.notReady'
    const toDo: Phrase = { key: status.leader === 0 ? 'problem.noLeaderToDo' : 'problem.notReadyToDo' }
    return { member: id, level: 'warn', what: { key }, toDo, ...detail }
  }
  const lag = lagOf(member, cluster) ?? 0
  if (lag <= lagEntriesMax) return undefined
  return {
    member: id,
    level: 'warn',
    what: { key: 'problem.lag', values: { lag } },
    toDo: { key: 'problem.lagToDo' },
  }
}

/** A member that blocks only such as are themselves cut off from all others is not the one in trouble. */
function isDrillOnOthers(blocked: readonly number[], cluster: ClusterReply): boolean {
  return blocked.every((id) => isIsolated(id, cluster))
}

/** Cut off, by a drill, from every other member. */
export function isIsolated(id: number, cluster: ClusterReply): boolean {
  const others = cluster.members.filter((member) => member.id !== id)
  if (others.length === 0) return false
  const own = cluster.members.find((member) => member.id === id)?.status
  if (own !== null && own !== undefined) return others.every((other) => own.blocked.includes(other.id))
  const answering = others.filter(({ status }) => status !== null)
  return answering.length > 0 && answering.every(({ status }) => status?.blocked.includes(id) === true)
}
