import { BTree } from '../../../base/btree.ts'
import { bytesFromText, textFromBytes } from '../../../base/bytes.ts'
import type { KeyValue } from '../../../contracts/store.ts'
import type { StoreState } from '../../../models/store/snapshot.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import { type GroupDescriptor, groupKeys } from '../groups/group-descriptor.ts'
import { memberKeys } from '../membership/member-record.ts'
import { keysWithPrefix, withoutHistory, withoutPrefix } from './backup-state.ts'
import { lastBackupKey } from './last-backup.ts'

/** Revisions that a restored store is ahead of its backup, unless asked otherwise. */
export const bumpRevisionDefault = 1_000_000

/**
 * Leases and sessions that a client of the old cluster may have been given after the backup: their numbers are not given again, so that such a client cannot
 * meet another's under its own number.
 */
const numberMargin = 1_000_000

/**
 * The state that a group of a new cluster begins with. Keys, values, their revisions and the leases are those of the backup; sessions and history are dropped.
 *
 * With `bumpRevision` > 0 the store's revision is that much further: a client that saw revisions written after the backup, which are lost, is told
 * `compacted` and reads anew, instead of waiting for a revision that means something else now; and fencing tokens go on growing.
 */
export function restoredState(state: StoreState, bumpRevision: number): StoreState {
  const { keys, leases, sessions } = state
  return {
    ...state,
    keys: withoutHistory(keys, keys.revision + bumpRevision),
    leases: { ...leases, nextLease: leases.nextLease + numberMargin },
    sessions: { ...sessions, nextSession: sessions.nextSession + numberMargin, sessions: new BTree() },
  }
}

/** Which members of the new cluster have a copy of each group. */
export type Placement = ReadonlyMap<GroupId, readonly NodeId[]>

/**
 * The cluster's own group besides: what it remembered of the old members and where groups lay there makes way for the new members, and groups that are not placed
 * are forgotten. Users, roles, tokens and settings stay.
 */
export function restoredOwnState(
  state: StoreState,
  members: readonly NodeId[],
  placement: Placement,
): StoreState {
  const current = withoutPrefix(state.keys.current, memberKeys.prefix)
  current.delete(lastBackupKey)
  replaceJson(current, memberKeys.counter, (next: number) => Math.max(next, ...members.map((id) => id + 1)))
  for (const key of keysWithPrefix(current, groupKeys.prefix)) {
    const copies = placement.get(descriptorAt(current, key).id)
    if (copies === undefined) current.delete(key)
    else replaceJson(current, key, (group: GroupDescriptor) => placed(group, copies))
  }
  return { ...state, keys: { ...state.keys, current } }
}

/** As many copies as the group had, where there are as many members; the groups' copies are spread over them. */
export function placeRestored(groups: readonly GroupDescriptor[], members: readonly NodeId[]): Placement {
  return new Map(
    groups.map(({ id, replicas }, turn) => {
      const count = Math.min(replicas, members.length)
      return [id, Array.from({ length: count }, (_, i) => members[(turn + i) % members.length] as NodeId)]
    }),
  )
}

/** The groups that the cluster's own group tells of. */
export function descriptorsIn(state: StoreState): GroupDescriptor[] {
  const { current } = state.keys
  return keysWithPrefix(current, groupKeys.prefix).map((key) => descriptorAt(current, key))
}

function placed(group: GroupDescriptor, copies: readonly NodeId[]): GroupDescriptor {
  return { ...group, members: copies, founders: copies, placed: copies, former: [] }
}

function descriptorAt(tree: BTree<string, KeyValue>, key: string): GroupDescriptor {
  return JSON.parse(textFromBytes((tree.get(key) as KeyValue).value)) as GroupDescriptor
}

/** A key that is not there stays away. */
function replaceJson<T>(tree: BTree<string, KeyValue>, key: string, change: (value: T) => T): void {
  const kv = tree.get(key)
  if (kv === undefined) return
  const value = change(JSON.parse(textFromBytes(kv.value)) as T)
  tree.set(key, { ...kv, value: bytesFromText(JSON.stringify(value)) })
}
