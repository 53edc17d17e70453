import { invalidArgument } from '../../../contracts/errors.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'

/** What a group is and where its copies belong. Kept as JSON under `\0groups/ID` of group 1; every node follows these keys. */
export interface GroupDescriptor {
  readonly id: GroupId
  /** Unique among the groups that exist. */
  readonly name: string
  /** How many copies are wanted, where there are as many members. */
  readonly replicas: number
  /** Where the copies belong now; the first is the one that should lead. */
  readonly members: readonly NodeId[]
  /** The voters that the group began with: what a founder's empty log stands for. */
  readonly founders: readonly NodeId[]
  /**
   * The voters as the group's leader last reported them, and who has been dropped from `members` since, for by then it may vote as well: these keep their
   * copy until the others have taken over. Empty before the first report.
   */
  readonly placed: readonly NodeId[]
  /**
   * Had a copy, or was to have one, and has not said yet that it has none any more. Until then it gets no other: what the copy that goes still acknowledges would
   * be taken for the word of the one that comes.
   */
  readonly former: readonly NodeId[]
}

export const groupKeys = {
  prefix: '\0groups/',
  descriptor: (id: GroupId): string => `\0groups/${String(id).padStart(10, '0')}`,
  /** The next id to give out. */
  counter: '\0group-counter',
} as const

/** Group 1, under the name that stands for it. */
export const ownGroupName = 'default'

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/

/** Throws `invalid-argument`. */
export function checkGroupName(name: unknown): string {
  if (typeof name !== 'string' || !namePattern.test(name) || name === ownGroupName) {
    const allowed = `1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or digit, and not '${ownGroupName}'`
    throw invalidArgument('name', name, allowed)
  }
  return name
}

/** Every copy is where it belongs. */
export function isSettled({ members, placed }: GroupDescriptor): boolean {
  return members.length === placed.length && members.every((id) => placed.includes(id))
}

/** A node keeps its copy until the group's leader has reported that it votes no more; before the first report nobody has been let go. */
export function belongsOn({ members, founders, placed, former }: GroupDescriptor, node: NodeId): boolean {
  if (members.includes(node) || placed.includes(node)) return true
  return placed.length === 0 && (founders.includes(node) || former.includes(node))
}

/** The copies are to be on `members` from now on. Who has to go keeps its copy, and its vote, until the group's leader reports anew. */
export function moveTo(group: GroupDescriptor, members: readonly NodeId[]): GroupDescriptor {
  const { placed, former } = group
  const gone = group.members.filter((id) => !members.includes(id))
  const unreported = placed.length === 0 ? [] : gone.filter((id) => !placed.includes(id))
  return {
    ...group,
    members,
    placed: [...placed, ...unreported],
    former: [...former.filter((id) => !gone.includes(id)), ...gone],
  }
}

/** The node has said that it has no copy any more, and kept what its copy stood for in elections: it may get another one. */
export function released(group: GroupDescriptor, node: NodeId): GroupDescriptor {
  return { ...group, former: group.former.filter((id) => id !== node) }
}

/**
 * Without this node the group could not go on, nor move to other members. While copies move it is not known here who votes by now, so nobody who may can
 * be spared.
 */
export function isNeeded(group: GroupDescriptor, node: NodeId, answering: ReadonlySet<NodeId>): boolean {
  if (!belongsOn(group, node)) return false
  if (!isSettled(group)) return true
  const left = group.placed.filter((voter) => voter !== node && answering.has(voter))
  return left.length * 2 <= group.placed.length
}
