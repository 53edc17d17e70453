import { BTree } from '../../../base/btree.ts'
import { prefixEnd } from '../../../base/bytes.ts'
import type { StoreState } from '../../../models/store/snapshot.ts'
import { accessPrefix } from '../../../models/store/system-keys.ts'

/**
 * What of a frozen state goes into a backup: the keys and leases as they are, without the history that older reads and watches go by, and without the sessions of clients,
 * which mean nothing to another cluster. `withoutAccess` leaves out users, roles and tokens too.
 */
export function backupState(state: StoreState, withoutAccess: boolean): StoreState {
  const { keys, sessions } = state
  const current = withoutAccess ? withoutPrefix(keys.current, accessPrefix) : keys.current
  return {
    ...state,
    keys: withoutHistory({ ...keys, current }, keys.revision),
    sessions: { ...sessions, sessions: new BTree() },
  }
}

/** The same keys with nothing known of the time before `revision`, which is that of the state or a later one. */
export function withoutHistory(keys: StoreState['keys'], revision: number): StoreState['keys'] {
  return { ...keys, revision, compactRevision: revision, records: [], recordCount: 0 }
}

export function withoutPrefix<V>(tree: BTree<string, V>, prefix: string): BTree<string, V> {
  const kept = tree.clone()
  for (const key of keysWithPrefix(tree, prefix)) kept.delete(key)
  return kept
}

export function keysWithPrefix(tree: BTree<string, unknown>, prefix: string): string[] {
  const keys: string[] = []
  tree.scan(prefix, prefixEnd(prefix) ?? null, (_, key) => {
    keys.push(key)
    return true
  })
  return keys
}
