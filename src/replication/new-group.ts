import { AlthingError } from '../contracts/errors.ts'
import type { Configuration, RestoredState } from '../protocols/raft/types.ts'
import type { GroupId } from './group-id.ts'
import type { RetiredGroup } from './wal/retired-groups.ts'

/** Groups a node can hold, those that it keeps votes of included; each costs a few hundred bytes in every segment of the log. */
export const groupsMax = 10_000

export function noSuchGroup(id: GroupId): AlthingError {
  return new AlthingError('not-found', `this node has no group ${id}`, { outcome: 'none' })
}

/** Throws unless the group can be made on a node that has `groups`. */
export function checkNewGroup(
  id: GroupId,
  groups: ReadonlyMap<GroupId, unknown>,
  retired: ReadonlyMap<GroupId, unknown>,
  wasRemoved: boolean,
): void {
  if (groups.has(id) || wasRemoved) {
    const reason = wasRemoved ? 'was removed from this node, and is not used again' : 'exists on this node'
    throw new AlthingError('conflict', `group ${id} ${reason}`, { outcome: 'none' })
  }
  const known = new Set([...groups.keys(), ...retired.keys()])
  if (!known.has(id) && known.size >= groupsMax)
    throw new AlthingError('overloaded', `this node has ${groupsMax} groups already`, { outcome: 'none' })
}

/** What a new copy starts from: nothing, or, where an earlier copy was retired, what is kept of that. */
export function newCopy(initialConfiguration: Configuration, kept: RetiredGroup | undefined): RestoredState {
  if (kept === undefined) return { hardState: { term: 0, vote: 0 }, entries: [], initialConfiguration }
  const { hardState, last } = kept
  // With an empty log it could elect itself by the list of the founders, long after the group has moved on.
  return { hardState, entries: [], initialConfiguration: { voters: [] }, votingFloor: last }
}
