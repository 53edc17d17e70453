import type { Disk } from '../contracts/world.ts'
import type { SnapshotMeta } from '../protocols/raft/types.ts'
import { type GroupId, isGroupId } from './group-id.ts'
import { isSnapshotName, SnapshotStore } from './snapshots/snapshot-store.ts'
import type { FailureLatch } from './wal/failure-latch.ts'
import type { NodeImage } from './wal/node-image.ts'
import { removeTemporaries } from './wal/segment-files.ts'

/** Group 1 had its snapshots beside the log, where format version 1 was. */
const groupOfVersion1: GroupId = 1

/** Where the groups of a node have their snapshots: `groups/ID/`. */
export class GroupFolders {
  readonly #disk: Disk
  readonly #directory: string
  readonly #latch: FailureLatch
  readonly #blockBytes: number | undefined

  constructor(disk: Disk, directory: string, latch: FailureLatch, blockBytes: number | undefined) {
    this.#disk = disk
    this.#directory = directory
    this.#latch = latch
    this.#blockBytes = blockBytes
  }

  /** The newest snapshot of every group that has one. Throws `corrupt`. Changes nothing but what an interrupted creation has left. */
  async load(): Promise<Map<GroupId, SnapshotMeta>> {
    const found = new Map<GroupId, SnapshotMeta>()
    const old = await this.#store(this.#directory).load()
    if (old !== undefined) found.set(groupOfVersion1, old)
    for (const id of await this.#list()) {
      const path = this.#path(id)
      await removeTemporaries(this.#disk, path)
      const snapshot = await this.#store(path).load()
      if (snapshot !== undefined && snapshot.index >= (found.get(id)?.index ?? 0)) found.set(id, snapshot)
    }
    return found
  }

  /** Puts the snapshots of format version 1 in their new place, and removes the folders of groups that have no copy here any more. */
  async tidy({ groups, removed, retired }: NodeImage): Promise<void> {
    const old = (await this.#disk.list(this.#directory)).filter(isSnapshotName)
    if (old.length > 0) await this.#move(old)
    for (const id of await this.#list())
      if (removed.has(id) || (retired.has(id) && !groups.has(id))) await this.remove(id)
    for (const id of groups.keys()) await this.make(id)
  }

  /** Durable when resolved: a folder that is there already may be in the system's cache only, since its maker was killed. */
  async make(id: GroupId): Promise<void> {
    const isThere = (await this.#disk.list(this.#root)).includes(String(id))
    if (!isThere) await this.#disk.makeDirectory(this.#path(id))
    await this.#disk.syncDirectory(this.#root)
    await this.#disk.syncDirectory(this.#directory)
  }

  /** Durable when resolved. */
  async remove(id: GroupId): Promise<void> {
    const path = this.#path(id)
    for (const name of await this.#disk.list(path)) await this.#disk.remove(`${path}/${name}`)
    // Before the folder goes: in one that is made again under its name they must not come back.
    await this.#disk.syncDirectory(path)
    await this.#disk.remove(path)
    await this.#disk.syncDirectory(this.#root)
  }

  /** The snapshots of a group that exists; `saved` is called for each that has become durable. */
  async open(id: GroupId, saved: (meta: SnapshotMeta) => void): Promise<SnapshotStore> {
    const path = this.#path(id)
    // The node before may have been killed between the renaming of a snapshot and this: the log must not be cut for a file that a loss of power takes away.
    await this.#latch.guard(() => this.#disk.syncDirectory(path))
    const store = this.#store(path, saved)
    await store.load()
    return store
  }

  async #move(names: readonly string[]): Promise<void> {
    await this.make(groupOfVersion1)
    const path = this.#path(groupOfVersion1)
    for (const name of names) await this.#disk.rename(`${this.#directory}/${name}`, `${path}/${name}`)
    await this.#disk.syncDirectory(path)
    await this.#disk.syncDirectory(this.#directory)
  }

  async #list(): Promise<GroupId[]> {
    return (await this.#disk.list(this.#root)).map(Number).filter(isGroupId)
  }

  #store(path: string, saved?: (meta: SnapshotMeta) => void): SnapshotStore {
    return new SnapshotStore(this.#disk, path, this.#latch, this.#blockBytes, saved)
  }

  get #root(): string {
    return `${this.#directory}/groups`
  }

  #path(id: GroupId): string {
    return `${this.#root}/${id}`
  }
}
