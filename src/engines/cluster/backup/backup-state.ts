import { BTree } from '../../../base/btree.ts'
import { prefixEnd } from '../../../base/bytes.ts'
import type { StoreState } from '../../../models/store/snapshot.ts'

/** Where the cluster keeps users, roles and tokens. */
export const accessPrefix = '\u0000access/'

/**
 * What of a frozen state goes into a backup: all but the sessions of clients, which mean nothing to another cluster. Without access the keys of users, roles and
 * tokens are left out, and with them the history, in which they would be found again: the state then counts as compacted at its revision.
 */
export function backupState(state: StoreState, withoutAccess: boolean): StoreState {
  const sessions = { ...state.sessions, sessions: new BTree<number, never>() }
  if (!withoutAccess) return { ...state, sessions }
  const current = without(state.keys.current, accessPrefix)
  return { ...state, sessions, keys: { ...withoutHistory(state.keys, state.keys.revision), current } }
}

/** The same keys with nothing known of the time before `revision`, which is that of the state or a later one. */
export function withoutHistory(keys: StoreState['keys'], revision: number): StoreState['keys'] {
  return { ...keys, revision, compactRevision: revision, records: [], recordCount: 0 }
}

export function without<V>(tree: BTree<string, V>, prefix: string): BTree<string, V> {
  const kept = tree.clone()
  const gone: string[] = []
  tree.scan(prefix, prefixEnd(prefix) ?? null, (_, key) => {
    gone.push(key)
    return true
  })
  for (const key of gone) kept.delete(key)
  return kept
}
