import type { Configuration, RestoredState } from '../protocols/raft/types.ts'
import type { GroupId } from './group-id.ts'
import type { RaftStorage } from './storage.ts'
import type { StorageIdentity } from './wal/identity.ts'

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
  /** Groups found on the disk or created since, ready to run; without those that were removed. */
  readonly groups: ReadonlyMap<GroupId, OpenedGroup>
  /** As of the last look, which is taken as the log grows, and at every call of {@link NodeStorage.lookAtSpace}. */
  readonly space: DiskSpace
  /** Durable when resolved. Rejects with `conflict` when the group exists or existed, with `overloaded` past the bound of groups a node, both with outcome none. */
  createGroup(id: GroupId, initial: Configuration): Promise<OpenedGroup>
  /**
   * Forgets the group's log and removes its files; durable when resolved, and its id is not used on this node again. Call it after the group's `RaftGroup` is closed and what
   * it had asked of the storage has ended: its storage is closed. Rejects with `not-found`.
   */
  removeGroup(id: GroupId): Promise<void>
  /** Calls `handler` whenever {@link DiskSpace.isLow} has changed. One handler: the last one set. */
  onSpace(handler: (space: DiskSpace) => void): void
  /** Asks the system how much is free now. */
  lookAtSpace(): Promise<DiskSpace>
  /** Waits for what was appended, then lets the folder go. Idempotent. */
  close(): Promise<void>
}
