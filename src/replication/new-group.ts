import { AlthingError } from '../contracts/errors.ts'
import type { GroupId } from './group-id.ts'

/** Groups a node can hold; each costs a few hundred bytes in every segment of the log. */
export const groupsMax = 10_000

/** Throws unless the group can be made on a node that has `groups`. */
export function checkNewGroup(id: GroupId, groups: ReadonlyMap<GroupId, unknown>, wasRemoved: boolean): void {
  if (groups.has(id) || wasRemoved) {
    const reason = wasRemoved ? 'was removed from this node, and is not used again' : 'exists on this node'
    throw new AlthingError('conflict', `group ${id} ${reason}`, { outcome: 'none' })
  }
  if (groups.size >= groupsMax)
    throw new AlthingError('overloaded', `this node has ${groupsMax} groups already`, { outcome: 'none' })
}
