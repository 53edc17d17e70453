import { AlthingError } from '../contracts/errors.ts'
import type { Disk, World } from '../contracts/world.ts'
import type { Configuration, LogPosition, RestoredState, SnapshotMeta } from '../protocols/raft/types.ts'
import { GroupFolders } from './group-folders.ts'
import { checkGroupId, type GroupId } from './group-id.ts'
import { GroupStorage } from './group-storage.ts'
import { checkNewGroup, newCopy, noSuchGroup } from './new-group.ts'
import type { DiskSpace, NodeStorage, OpenedGroup } from './node-storage.ts'
import type { SnapshotStore } from './snapshots/snapshot-store.ts'
import type { DiskStorageOptions } from './storage.ts'
import { closedError, corruptFile, FailureLatch } from './wal/failure-latch.ts'
import { matchIdentity, readIdentity, type StorageIdentity, writeIdentity } from './wal/identity.ts'
import type { GroupImage } from './wal/node-image.ts'
import { joinSnapshot, type RecoveredLog, recoverLog } from './wal/recovery.ts'
import type { RetiredGroup } from './wal/retired-groups.ts'
import { removeTemporaries } from './wal/segment-files.ts'
import { SpaceWatch } from './wal/space-watch.ts'
import { type WalDependencies, type WalOptions, WriteAheadLog } from './wal/write-ahead-log.ts'

export interface DiskNodeOptions extends Omit<DiskStorageOptions, keyof WalOptions>, WalOptions {
  readonly spaceLowBytes: number
}

interface Lock {
  release(): Promise<void>
}

/** What a folder is found to hold. */
interface Found {
  readonly recovered: RecoveredLog
  readonly snapshots: ReadonlyMap<GroupId, SnapshotMeta>
  /** Groups whose log does not lead up to their snapshot. */
  readonly startingAnew: readonly GroupId[]
}

/** Takes the folder's lock and opens what is in it, or makes it. */
export async function openDiskNode(
  world: World,
  directory: string,
  options: DiskNodeOptions,
): Promise<DiskNodeStorage> {
  const { disk } = world
  await makeDirectoryDurably(disk, directory)
  const lock = await disk.lock(directory)
  try {
    return await openLocked(world, directory, options, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function openLocked(
  world: World,
  directory: string,
  options: DiskNodeOptions,
  lock: Lock,
): Promise<DiskNodeStorage> {
  const { disk } = world
  await removeTemporaries(disk, directory)
  const latch = new FailureLatch(directory)
  const folders = new GroupFolders(disk, directory, latch, options.snapshotBlockBytes)
  const snapshots = await folders.load()
  const kept = await readIdentity(disk, directory)
  const identity = decideIdentity(directory, kept, options.identity)
  const dependencies: WalDependencies = { disk, directory, identity, latch }
  if (kept === undefined) {
    await checkEmpty(world, directory, identity, snapshots)
    await WriteAheadLog.create(dependencies, options)
    await writeIdentity(disk, directory, identity)
  }
  const found = await recover(world, directory, identity, snapshots)
  const { recovered } = found
  tellInitialConfiguration(recovered, options.version1Configuration)
  const space = new SpaceWatch(disk, directory, options.spaceLowBytes)
  await space.look()
  const log = await WriteAheadLog.open(dependencies, options, space, recovered)
  await folders.tidy(recovered.image)
  const node = new DiskNodeStorage({
    identity,
    created: kept === undefined,
    log,
    folders,
    latch,
    space,
    lock,
  })
  for (const [id, image] of recovered.image.groups) {
    const snapshot = snapshots.get(id)
    const kept = recovered.image.retired.get(id)
    const opened = await node.openGroup(id, restoredState(image, snapshot, kept))
    if (snapshot !== undefined && found.startingAnew.includes(id))
      await opened.storage.resetTo(snapshot, image.log.hardState)
  }
  return node
}

async function recover(
  world: World,
  directory: string,
  identity: StorageIdentity,
  snapshots: ReadonlyMap<GroupId, SnapshotMeta>,
): Promise<Found> {
  const recovered = await recoverLog(world.disk, directory, identity, world.logger)
  if (recovered === undefined) throw corruptFile(directory, 0, 'the write-ahead log is missing')
  const { groups, removed, retired } = recovered.image
  const unknown = [...snapshots.keys()].find((id) => !groups.has(id) && !removed.has(id) && !retired.has(id))
  if (unknown !== undefined)
    throw corruptFile(
      directory,
      0,
      `there is a snapshot of group ${unknown}, but the log knows no such group`,
    )
  const startingAnew = [...groups.keys()].filter((id) =>
    joinSnapshot(directory, recovered, id, snapshots.get(id)),
  )
  return { recovered, snapshots, startingAnew }
}

export interface DiskNodeParts {
  readonly identity: StorageIdentity
  readonly created: boolean
  readonly log: WriteAheadLog
  readonly folders: GroupFolders
  readonly latch: FailureLatch
  readonly space: SpaceWatch
  readonly lock: Lock
}

export class DiskNodeStorage implements NodeStorage {
  readonly identity: StorageIdentity
  readonly created: boolean
  readonly groups = new Map<GroupId, OpenedGroup>()
  readonly #parts: DiskNodeParts
  /** Groups being made, retired or removed. */
  readonly #changing = new Set<GroupId>()
  #closing: Promise<void> | undefined

  constructor(parts: DiskNodeParts) {
    this.#parts = parts
    this.identity = parts.identity
    this.created = parts.created
  }

  get space(): DiskSpace {
    return this.#parts.space.space
  }

  get retired(): ReadonlySet<GroupId> {
    return new Set(this.#parts.log.retired.keys())
  }

  onSpace(handler: (space: DiskSpace) => void): void {
    this.#parts.space.onChange(handler)
  }

  lookAtSpace(): Promise<DiskSpace> {
    return this.#parts.space.look()
  }

  async createGroup(id: GroupId, initial: Configuration): Promise<OpenedGroup> {
    checkGroupId(id)
    this.#check()
    const { log, folders, latch } = this.#parts
    this.#checkUnchanging(id)
    checkNewGroup(id, this.groups, log.retired, log.wasRemoved(id))
    return this.#change(id, async () => {
      await latch.guard(() => folders.make(id))
      const restored = newCopy(initial, log.retired.get(id))
      await log.create(id, restored.initialConfiguration)
      return this.openGroup(id, restored)
    })
  }

  async retireGroup(id: GroupId, last: LogPosition): Promise<void> {
    this.#check()
    this.#checkUnchanging(id)
    const { log } = this.#parts
    await this.#end(this.#copyOf(id), id, () => log.retire(id, last))
  }

  async removeGroup(id: GroupId): Promise<void> {
    this.#check()
    this.#checkUnchanging(id)
    const { log } = this.#parts
    if (!this.groups.has(id) && log.retired.has(id)) await this.#change(id, () => log.remove(id))
    else await this.#end(this.#copyOf(id), id, () => log.remove(id))
  }

  /** Puts a group that the log knows among those that are ready. */
  async openGroup(group: GroupId, restored: RestoredState): Promise<OpenedGroup> {
    const { log, folders, latch } = this.#parts
    const saved = (meta: SnapshotMeta): void => log.snapshotted(group, meta.index)
    const snapshots: SnapshotStore = await folders.open(group, saved)
    if (restored.snapshot !== undefined) saved(restored.snapshot)
    const opened = { storage: new GroupStorage({ group, log, snapshots, latch }), restored }
    this.groups.set(group, opened)
    return opened
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const { storage } of this.groups.values()) await storage.close()
    await this.#parts.log.close()
    await this.#parts.lock.release()
  }

  #copyOf(id: GroupId): OpenedGroup {
    const opened = this.groups.get(id)
    if (opened === undefined) throw noSuchGroup(id)
    return opened
  }

  /** The files last: without the record a restart needs them, with it a restart removes them. */
  #end({ storage }: OpenedGroup, id: GroupId, record: () => Promise<void>): Promise<void> {
    const { folders, latch } = this.#parts
    this.groups.delete(id)
    return this.#change(id, async () => {
      await storage.close()
      await record()
      await latch.guard(() => folders.remove(id))
    })
  }

  async #change<T>(id: GroupId, work: () => Promise<T>): Promise<T> {
    this.#changing.add(id)
    try {
      return await work()
    } finally {
      this.#changing.delete(id)
    }
  }

  #checkUnchanging(id: GroupId): void {
    if (!this.#changing.has(id)) return
    throw new AlthingError('conflict', `group ${id} is being made, retired or removed on this node`, {
      outcome: 'none',
    })
  }

  #check(): void {
    if (this.#closing !== undefined) throw closedError()
    this.#parts.latch.check()
  }
}

/** A folder is an entry of its parent: without a sync of that, a loss of power takes the folder and all that was synced in it. */
async function makeDirectoryDurably(disk: Disk, directory: string): Promise<void> {
  await disk.makeDirectory(directory)
  const parts = directory.split('/')
  for (let depth = parts.length - 1; depth >= 0; depth--)
    await disk.syncDirectory(parts.slice(0, depth).join('/'))
}

function decideIdentity(
  directory: string,
  found: StorageIdentity | undefined,
  wanted: StorageIdentity | undefined,
): StorageIdentity {
  const identity = found ?? wanted
  if (identity === undefined) {
    throw new AlthingError(
      'not-found',
      `${directory} holds no node's data, and no identity was given to make it`,
    )
  }
  if (found !== undefined && wanted !== undefined) matchIdentity(directory, found, wanted)
  return identity
}

/** A folder without an identity may hold what a creation that was cut short has left, and no more. */
async function checkEmpty(
  world: World,
  directory: string,
  identity: StorageIdentity,
  snapshots: ReadonlyMap<GroupId, SnapshotMeta>,
): Promise<void> {
  const recovered = await recoverLog(world.disk, directory, identity, world.logger)
  const isUsed = recovered !== undefined && !isFresh(recovered)
  if (isUsed || snapshots.size > 0) {
    throw corruptFile(`${directory}/identity.json`, 0, 'the file is missing, but the folder holds data')
  }
}

function isFresh({ image, segments, version, crc }: RecoveredLog): boolean {
  if (segments.length > 1) return false
  if (version === 1) return crc === 0
  return image.groups.size === 0 && image.removed.runs.length === 0 && image.retired.size === 0
}

/** Format version 1 did not keep it: whoever opens the folder must know it. */
function tellInitialConfiguration({ image }: RecoveredLog, configuration: Configuration | undefined): void {
  for (const group of image.groups.values()) group.initialConfiguration ??= configuration
}

function restoredState(
  { log, initialConfiguration }: GroupImage,
  snapshot: SnapshotMeta | undefined,
  kept: RetiredGroup | undefined,
): RestoredState {
  const { hardState, entries } = log
  return {
    hardState,
    entries,
    initialConfiguration: initialConfiguration ?? { voters: [] },
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(kept === undefined ? {} : { votingFloor: kept.last }),
  }
}
