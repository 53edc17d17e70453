import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import type { HttpContext } from './http-context.ts'

export interface ClusterMemberView {
  readonly id: number
  readonly address: string
  readonly httpAddress?: string
  /** Null: it does not answer. */
  readonly status: NodeStatus | null
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
      const status = member.id === own.id ? own : await context.members.status(member)
      return {
        id: member.id,
        address: member.address,
        ...(status?.httpAddress === undefined ? {} : { httpAddress: status.httpAddress }),
        status: status ?? null,
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

/** A deposed leader that does not know it yet has a lower term than its successor. */
export function leaderOf(statuses: readonly NodeStatus[]): number {
  const leaders = statuses.filter(({ role }) => role === 'leader').sort((a, b) => b.term - a.term)
  return leaders[0]?.id ?? 0
}
