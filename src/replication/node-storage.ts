import { invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import type { Configuration, LogPosition, RestoredState } from '../protocols/raft/types.ts'
import { type DiskNodeOptions, openDiskNode } from './disk-node-storage.ts'
import type { GroupId } from './group-id.ts'
import { MemoryNodeStorage } from './memory-node-storage.ts'
import type { DiskStorageOptions, RaftStorage } from './storage.ts'
import { checkIdentity, type StorageIdentity } from './wal/identity.ts'
import { walDefaults } from './wal/write-ahead-log.ts'

export type { GroupId, StorageIdentity }

/** One group's share of a node's storage. */
export interface OpenedGroup {
  readonly storage: RaftStorage
  /** What a raft machine starts from; entries may begin before the snapshot's end. */
  readonly restored: RestoredState
}

/** How much room the disk has. */
export interface DiskSpace {
  /** Bytes that may still be written to the file system of the folder; absent where the system does not say. */
  readonly freeBytes?: number
  /**
   * The log cannot grow for long: less is free than `spaceLowBytes`, or the zeros that are laid ahead of the records have met a full disk. Nothing has failed
   * yet: what shrinks (a snapshot, a removal) may go on, what grows should be refused with `no-space`.
   */
  readonly isLow: boolean
}

/** What a node keeps on its disk: one write-ahead log for all its groups, and each group's snapshots. */
export interface NodeStorage {
  readonly identity: StorageIdentity
  /** The folder was empty before. */
  readonly created: boolean
  /** Groups found on the disk or created since, ready to run; without those that were retired or removed. */
  readonly groups: ReadonlyMap<GroupId, OpenedGroup>
  /** Groups of which a copy was retired, also those that have a new one, until they are removed. As of now: what changes later does not change the set. */
  readonly retired: ReadonlySet<GroupId>
  /** As of the last look, which is taken as the log grows, and at every call of {@link NodeStorage.lookAtSpace}. */
  readonly space: DiskSpace
  /**
   * Durable when resolved. A group that was retired begins with an empty log, its kept term and vote, the end of the log that is gone as its `votingFloor`, and no voters, whatever `initial`
   * says: who they are it hears from the leader. Rejects with `conflict` when the group exists, was removed, or is being made, retired or removed; with `overloaded` past the bound of groups
   * a node; both with outcome none.
   */
  createGroup(id: GroupId, initial: Configuration): Promise<OpenedGroup>
  /**
   * Forgets the group's log and removes its files, but keeps its term and vote, and `last`, where its log ends (where it ended for an earlier copy, if that was more up-to-date): a
   * later copy stands for this one in elections. Durable when resolved. Call it after the group's `RaftGroup` is closed and what it had asked of the storage has ended: its storage is
   * closed. Rejects with `not-found`, and with `conflict` while the group is being made, retired or removed.
   */
  retireGroup(id: GroupId, last: LogPosition): Promise<void>
  /** As {@link NodeStorage.retireGroup}, but keeps nothing, also nothing of a copy retired before: the id is not used on this node again. */
  removeGroup(id: GroupId): Promise<void>
  /** Calls `handler` whenever {@link DiskSpace.isLow} has changed. One handler: the last one set. */
  onSpace(handler: (space: DiskSpace) => void): void
  /** Asks the system how much is free now. */
  lookAtSpace(): Promise<DiskSpace>
  /** Waits for what was appended, then lets the folder go. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens, or makes, the storage in `directory` (of the world's data folder) and holds the folder's lock until closed. A folder of format version 1 is opened as that of
 * group 1. Rejects with `conflict` (another process or another node's data), `corrupt` (naming file and offset: nothing was changed), `not-found` (nothing is there, and no
 * identity was given), or `disk-failed`.
 */
export async function openNodeStorage(
  world: World,
  directory: string,
  options: DiskStorageOptions = {},
): Promise<NodeStorage> {
  return openDiskNode(world, directory, checkOptions(options))
}

/** The same without a disk: nothing survives the object. For `memory:` and for tests. */
export function createMemoryNodeStorage(
  identity: StorageIdentity = { clusterId: 'memory', nodeId: 1 },
): NodeStorage {
  return new MemoryNodeStorage(identity)
}

function checkOptions(options: DiskStorageOptions): DiskNodeOptions {
  if (options.identity !== undefined) checkIdentity(options.identity)
  const { segmentBytes = walDefaults.segmentBytes, groupBytesMax = walDefaults.groupBytesMax } = options
  const { snapshotBlockBytes = 1, spaceLowBytes = 4 * segmentBytes } = options
  checkInteger('segmentBytes', segmentBytes, 4096, 2 ** 30)
  checkInteger('groupBytesMax', groupBytesMax, 1, 2 ** 28)
  checkInteger('snapshotBlockBytes', snapshotBlockBytes, 1, 2 ** 24)
  checkInteger('spaceLowBytes', spaceLowBytes, 0, Number.MAX_SAFE_INTEGER)
  return { ...options, segmentBytes, groupBytesMax, spaceLowBytes }
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw invalidArgument(name, value, `an integer of ${min} to ${max}`)
}
