import { AlthingError } from '../contracts/errors.ts'
import type { Configuration } from '../protocols/raft/types.ts'
import { checkGroupId, type GroupId } from './group-id.ts'
import { closedError } from './wal/failure-latch.ts'
import { MemoryStorage } from './memory-storage.ts'
import { checkNewGroup } from './new-group.ts'
import type { DiskSpace, NodeStorage, OpenedGroup } from './node-storage.ts'
import { checkIdentity, type StorageIdentity } from './wal/identity.ts'
import { RemovedGroups } from './wal/removed-groups.ts'

/** A node's storage of which nothing survives the object. */
export class MemoryNodeStorage implements NodeStorage {
  readonly identity: StorageIdentity
  readonly created = true
  readonly groups = new Map<GroupId, OpenedGroup>()
  readonly space: DiskSpace = { isLow: false }
  readonly #removed = new RemovedGroups()
  #isClosed = false

  constructor(identity: StorageIdentity) {
    checkIdentity(identity)
    this.identity = identity
  }

  async createGroup(id: GroupId, initial: Configuration): Promise<OpenedGroup> {
    checkGroupId(id)
    if (this.#isClosed) throw closedError()
    checkNewGroup(id, this.groups, this.#removed.has(id))
    const opened: OpenedGroup = {
      storage: new MemoryStorage(),
      restored: { hardState: { term: 0, vote: 0 }, entries: [], initialConfiguration: initial },
    }
    this.groups.set(id, opened)
    return opened
  }

  async removeGroup(id: GroupId): Promise<void> {
    if (this.#isClosed) throw closedError()
    const opened = this.groups.get(id)
    if (opened === undefined)
      throw new AlthingError('not-found', `this node has no group ${id}`, { outcome: 'none' })
    this.groups.delete(id)
    this.#removed.add(id)
    await opened.storage.close()
  }

  onSpace(): void {}

  async lookAtSpace(): Promise<DiskSpace> {
    return this.space
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { storage } of this.groups.values()) await storage.close()
  }
}
