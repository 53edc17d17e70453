import type { NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { GroupDescriptor } from './group-descriptor.ts'

/**
 * Who should lead each group now: the first of its members or, while that one is away, the one of its other members that should lead the fewest groups.
 * Without this all groups of a member that died would stay with whoever noticed first. Members that see the same others name the same ones. A group whose
 * members are all away is left out.
 */
export function actingLeaders(
  groups: Iterable<GroupDescriptor>,
  isPresent: (id: NodeId) => boolean,
): ReadonlyMap<GroupId, NodeId> {
  const acting = new Map<GroupId, NodeId>()
  const counts = new Map<NodeId, number>()
  const choose = (group: GroupId, member: NodeId): void => {
    acting.set(group, member)
    counts.set(member, (counts.get(member) ?? 0) + 1)
  }
  const orphans: GroupDescriptor[] = []
  for (const group of groups) {
    const [first] = group.members
    if (first !== undefined && isPresent(first)) choose(group.id, first)
    else orphans.push(group)
  }
  for (const { id, members } of orphans.sort((a, b) => a.id - b.id)) {
    const present = members.filter(isPresent)
    const fewest = Math.min(...present.map((member) => counts.get(member) ?? 0))
    const member = present.find((each) => (counts.get(each) ?? 0) === fewest)
    if (member !== undefined) choose(id, member)
  }
  return acting
}
