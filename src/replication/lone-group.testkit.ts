import type { World } from '../contracts/world.ts'
import type { RestoredState } from '../protocols/raft/types.ts'
import { type NodeStorage, openNodeStorage } from './node-storage.ts'
import type { DiskStorageOptions, RaftStorage, StorageIdentity } from './storage.ts'

export interface LoneGroup {
  readonly storage: RaftStorage
  readonly restored: RestoredState
  readonly identity: StorageIdentity
  readonly created: boolean
  readonly node: NodeStorage
}

/** The storage of group 1 of a node that has no other. Closing it closes the node's. */
export async function openLoneGroup(
  world: World,
  directory: string,
  options: DiskStorageOptions = {},
): Promise<LoneGroup> {
  const node = await openNodeStorage(world, directory, options)
  const { storage, restored } = node.groups.get(1) ?? (await node.createGroup(1, { voters: [1] }))
  const lone: RaftStorage = {
    append: (batch) => storage.append(batch),
    compact: (index) => storage.compact(index),
    saveSnapshot: (meta, chunks) => storage.saveSnapshot(meta, chunks),
    resetTo: (meta, hardState) => storage.resetTo(meta, hardState),
    openSnapshot: () => storage.openSnapshot(),
    receiveSnapshot: (meta, transferId) => storage.receiveSnapshot(meta, transferId),
    onPinned: (handler) => storage.onPinned(handler),
    close: () => node.close(),
  }
  return { storage: lone, restored, identity: node.identity, created: node.created, node }
}
