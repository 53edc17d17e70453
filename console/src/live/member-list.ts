// What the leader and the members themselves say of each member, put together. Pure.
import type { ClusterReply, ListedMember, MemberList, MemberSight, MemberStatus } from '../api/types.ts'
import { leaderOf } from './cluster-health.ts'

/** One line of the page of members. */
export interface MemberLine extends Omit<ListedMember, 'address'> {
  readonly address: string
  readonly isLeader: boolean
  readonly isDraining: boolean
  /** Of a learner that is to vote: how much of the log it has, 0..1. */
  readonly caughtUp: number | undefined
  readonly catchingUpMs: number | undefined
  /** How the others see it, at worst; `undefined`: nobody has seen it. */
  readonly sight: MemberSight | undefined
  /** Who sees it so. */
  readonly seenBy: readonly number[]
}

const gravity = ['alive', 'recovered', 'left', 'degraded', 'suspect', 'failed']

/** Without a list (no leader answers) the lines are those of the members that are known. Members that were removed are left out. */
export function memberLines(cluster: ClusterReply, list: MemberList | undefined): MemberLine[] {
  const leader = leaderOf(cluster)
  const leading = cluster.members.find(({ id }) => id === leader)?.status ?? undefined
  const listed = (list?.members ?? knownMembers(cluster)).filter(({ state }) => state !== 'removed')
  return listed.map((member) => {
    const own = cluster.members.find(({ id }) => id === member.id)
    const seen = leading?.members.find(({ id }) => id === member.id)
    return {
      ...member,
      address: own?.address ?? member.address ?? '',
      isLeader: member.id === leader,
      isDraining: own?.status?.operations?.hindrances.includes('draining') ?? false,
      caughtUp: member.role === 'learner' ? shareOf(seen, leading?.lastIndex) : undefined,
      catchingUpMs: seen?.learnerForMs,
      ...sightOf(cluster, member.id),
    }
  })
}

function sightOf(cluster: ClusterReply, id: number): Pick<MemberLine, 'sight' | 'seenBy'> {
  const all = cluster.members.flatMap(({ id: by, status }) => {
    const sight = status?.members.find((member) => member.id === id)?.seen
    return sight === undefined ? [] : [{ by, sight }]
  })
  const others = all.filter(({ by }) => by !== id)
  const seen = others.length > 0 ? others : all
  const gravityOf = ({ sight }: { readonly sight: MemberSight }): number => gravity.indexOf(sight.state)
  const worst = seen.reduce<(typeof seen)[number] | undefined>(
    (found, each) => (found === undefined || gravityOf(each) > gravityOf(found) ? each : found),
    undefined,
  )
  const seenBy = seen.filter(({ sight }) => sight.state === worst?.sight.state).map(({ by }) => by)
  return { sight: worst?.sight, seenBy }
}

function shareOf(seen: MemberStatus | undefined, lastIndex: number | undefined): number | undefined {
  if (seen?.matchIndex === undefined || lastIndex === undefined || lastIndex === 0) return undefined
  return Math.min(1, seen.matchIndex / lastIndex)
}

function knownMembers(cluster: ClusterReply): ListedMember[] {
  const known = cluster.members.find(({ status }) => status !== null)?.status
  return cluster.members.map(({ id, status }) => {
    const isVoter = known?.members.find((member) => member.id === id)?.isVoter ?? true
    return { id, role: isVoter ? 'voter' : 'learner', state: 'joined', isAnswering: status !== null }
  })
}
