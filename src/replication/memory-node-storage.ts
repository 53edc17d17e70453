import type { Configuration, LogPosition } from '../protocols/raft/types.ts'
import { checkGroupId, type GroupId } from './group-id.ts'
import { closedError } from './wal/failure-latch.ts'
import { MemoryStorage } from './memory-storage.ts'
import { checkNewGroup, newCopy, noSuchGroup } from './new-group.ts'
import type { DiskSpace, NodeStorage, OpenedGroup } from './node-storage.ts'
import { checkIdentity, type StorageIdentity } from './wal/identity.ts'
import { RemovedGroups } from './wal/removed-groups.ts'
import { type RetiredGroup, retiredGroup } from './wal/retired-groups.ts'

/** A node's storage of which nothing survives the object. */
export class MemoryNodeStorage implements NodeStorage {
  readonly identity: StorageIdentity
  readonly created = true
  readonly groups = new Map<GroupId, OpenedGroup & { readonly storage: MemoryStorage }>()
  readonly space: DiskSpace = { isLow: false }
  readonly #retired = new Map<GroupId, RetiredGroup>()
  readonly #removed = new RemovedGroups()
  #isClosed = false

  constructor(identity: StorageIdentity) {
    checkIdentity(identity)
    this.identity = identity
  }

  get retired(): ReadonlySet<GroupId> {
    return new Set(this.#retired.keys())
  }

  async createGroup(id: GroupId, initial: Configuration): Promise<OpenedGroup> {
    checkGroupId(id)
    if (this.#isClosed) throw closedError()
    checkNewGroup(id, this.groups, this.#retired, this.#removed.has(id))
    const restored = newCopy(initial, this.#retired.get(id))
    const opened = { storage: new MemoryStorage(restored.hardState), restored }
    this.groups.set(id, opened)
    return opened
  }

  async retireGroup(id: GroupId, last: LogPosition): Promise<void> {
    if (this.#isClosed) throw closedError()
    const opened = this.groups.get(id)
    if (opened === undefined) throw noSuchGroup(id)
    this.#retired.set(id, retiredGroup(opened.storage.hardState, last, this.#retired.get(id)))
    this.groups.delete(id)
    await opened.storage.close()
  }

  async removeGroup(id: GroupId): Promise<void> {
    if (this.#isClosed) throw closedError()
    const opened = this.groups.get(id)
    const wasRetired = this.#retired.delete(id)
    if (opened === undefined && !wasRetired) throw noSuchGroup(id)
    this.groups.delete(id)
    this.#removed.add(id)
    await opened?.storage.close()
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
