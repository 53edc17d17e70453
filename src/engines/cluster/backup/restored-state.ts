import { BTree } from '../../../base/btree.ts'
import type { StoreState } from '../../../models/store/snapshot.ts'
import { withoutHistory } from './backup-state.ts'

/** Revisions that a restored store is ahead of its backup, unless asked otherwise. */
export const bumpRevisionDefault = 1_000_000

/**
 * Leases and sessions that a client of the old cluster may have been given after the backup: their numbers are not given again, so that such a client cannot
 * meet another's under its own number.
 */
const numberMargin = 1_000_000

/**
 * The state that a new cluster begins with. Keys, values, their revisions and the leases are those of the backup; sessions are dropped.
 *
 * With `bumpRevision` > 0 the store's revision is that much further, and all before it counts as compacted: a client that saw revisions written after
 * the backup, which are lost, is told `compacted` and reads anew, instead of waiting for a revision that means something else now; and fencing tokens go on
 * growing. With 0 revision and history are exactly the backup's.
 */
export function restoredState(state: StoreState, bumpRevision: number): StoreState {
  const { keys, leases, sessions } = state
  return {
    ...state,
    keys: bumpRevision === 0 ? keys : withoutHistory(keys, keys.revision + bumpRevision),
    leases: { ...leases, nextLease: leases.nextLease + numberMargin },
    sessions: {
      ...sessions,
      nextSession: sessions.nextSession + numberMargin,
      sessions: new BTree(),
    },
  }
}
