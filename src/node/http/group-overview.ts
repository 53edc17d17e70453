import type { GroupStatus } from '../../engines/cluster/node-status.ts'
import type { HttpContext } from './http-context.ts'

/** One group as its copies say. */
export interface GroupView {
  readonly id: number
  readonly name: string
  /** How many copies are wanted; of the cluster's own group, as many as there are voters. */
  readonly replicas: number
  /** Where the copies belong; the first should lead. */
  readonly members: readonly number[]
  /** Every copy is where it belongs. */
  readonly isSettled: boolean
  /** The member that says so of itself in the highest term; 0: none does. */
  readonly leader: number
  readonly term: number
  readonly keys: number
  readonly bytes: number
  readonly quotaBytes: number
  readonly copies: readonly {
    readonly node: number
    readonly isVoter: boolean
    /** Committed entries that it has yet to apply, by the copy that knows of most. */
    readonly behind: number
  }[]
}

interface ListedGroup {
  readonly id: number
  readonly name: string
  readonly replicas: number
  readonly members: readonly number[]
  readonly isSettled: boolean
}

interface Copy extends GroupStatus {
  readonly node: number
}

/** Every group: the leader of the cluster is asked which there are, each member for its copies. Rejects with `unavailable` where there is no leader. */
export async function groupOverview(http: Pick<HttpContext, 'node' | 'members'>): Promise<GroupView[]> {
  const [listed, copies] = await Promise.all([
    http.node.operate('group.list', null) as Promise<unknown> as Promise<readonly ListedGroup[]>,
    copiesOf(http),
  ])
  return listed.map((group) =>
    viewOf(
      group,
      copies.filter(({ id }) => id === group.id),
    ),
  )
}

async function copiesOf({ members }: Pick<HttpContext, 'members'>): Promise<Copy[]> {
  const found = await Promise.all(
    members.members.map(async (member) => {
      try {
        const groups = await members.call(member, (client) => client.operate('node.groups'))
        return (groups as unknown as readonly GroupStatus[]).map((each) => ({ ...each, node: member.id }))
      } catch {
        return []
      }
    }),
  )
  return found.flat()
}

function viewOf({ id, name, replicas, members, isSettled }: ListedGroup, copies: readonly Copy[]): GroupView {
  const leading = copies.filter(({ role }) => role === 'leader').sort((a, b) => b.term - a.term)[0]
  const known = leading ?? [...copies].sort((a, b) => b.appliedIndex - a.appliedIndex)[0]
  const commitIndex = Math.max(0, ...copies.map((copy) => copy.commitIndex))
  return {
    id,
    name,
    replicas,
    members,
    isSettled,
    leader: leading?.node ?? 0,
    term: known?.term ?? 0,
    keys: known?.keys ?? 0,
    bytes: known?.bytes ?? 0,
    quotaBytes: known?.quotaBytes ?? 0,
    copies: copies.map(({ node, voters, appliedIndex }) => ({
      node,
      isVoter: voters.includes(node),
      behind: commitIndex - appliedIndex,
    })),
  }
}
