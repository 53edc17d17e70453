import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import type { MemberAnswer } from '../diagnosis/member-answer.ts'
import type { HttpContext } from './http-context.ts'

export interface ClusterMemberView {
  readonly id: number
  readonly address: string
  readonly httpAddress?: string
  /** Null: it does not answer. */
  readonly status: NodeStatus | null
  /** By how much its wall clock is ahead of that of the node that asked; off by `roundTripMs` / 2 at most. */
  readonly clockAheadMs?: number
  readonly roundTripMs?: number
}

/** All members as they are now, each asked itself. */
export interface ClusterView {
  readonly clusterId: string
  /** The member that says so of itself in the highest term; 0: none does. */
  readonly leader: number
  readonly members: readonly ClusterMemberView[]
  /** Milliseconds since 1970, by the clock of the node that asked. */
  readonly at: number
}

export async function clusterView(
  context: Pick<HttpContext, 'world' | 'node' | 'members'>,
): Promise<ClusterView> {
  const own = context.node.status()
  const members = await Promise.all(
    context.members.members.map(async (member): Promise<ClusterMemberView> => {
      const isOwn = member.id === own.id
      const answer = isOwn
        ? { ...member, status: own, clockAheadMs: 0, roundTripMs: 0 }
        : await context.members.ask(member)
      const { status, clockAheadMs, roundTripMs } = answer
      return {
        id: member.id,
        address: member.address,
        ...(status?.httpAddress === undefined ? {} : { httpAddress: status.httpAddress }),
        status: status ?? null,
        ...(clockAheadMs === undefined || roundTripMs === undefined ? {} : { clockAheadMs, roundTripMs }),
      }
    }),
  )
  return {
    clusterId: own.clusterId,
    leader: leaderOf(members.flatMap(({ status }) => status ?? [])),
    members,
    at: context.world.clock.wallMs(),
  }
}

/** The view as what is diagnosed. */
export function answersOf({ members }: ClusterView): MemberAnswer[] {
  return members.map(({ id, address, status, clockAheadMs, roundTripMs }) => ({
    id,
    address,
    ...(status === null ? {} : { status }),
    ...(clockAheadMs === undefined || roundTripMs === undefined ? {} : { clockAheadMs, roundTripMs }),
  }))
}

/** A deposed leader that does not know it yet has a lower term than its successor. */
export function leaderOf(statuses: readonly NodeStatus[]): number {
  const leaders = statuses.filter(({ role }) => role === 'leader').sort((a, b) => b.term - a.term)
  return leaders[0]?.id ?? 0
}
