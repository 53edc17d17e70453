import type { Configuration, Entry, HardState, SnapshotMeta } from '../protocols/raft/types.ts'
import type { SnapshotReader } from './snapshots/reader.ts'
import type { SnapshotReceiver } from './snapshots/receiver.ts'
import type { StorageIdentity } from './wal/identity.ts'
import type { WalOptions } from './wal/write-ahead-log.ts'

export type { SnapshotReader, SnapshotReceiver, StorageIdentity }

/**
 * Where a group keeps its log and snapshots. Once a write or sync has failed every call rejects with `disk-failed` and the first failure as cause: the
 * node must stop. `closed` after `close`.
 */
export interface RaftStorage {
  /**
   * Durable when resolved, in call order; the caller may call again before the last has resolved: waiting calls are written as one group (group
   * commit). An entry overwrites whatever the log has at its index and after. A rejection is final: the storage is failed. What waits is
   * bounded by the caller (raft's limits on uncommitted bytes and on bytes in flight).
   */
  append(batch: { readonly hardState?: HardState; readonly entries: readonly Entry[] }): Promise<void>
  /** Entries up to `index` are no longer needed (a snapshot at or after it is durable). Removes whole segments in the background; resolves when they are gone. */
  compact(index: number): Promise<void>
  /**
   * Writes a snapshot durably (temporary file, sync, rename, sync of the folder), chunk by chunk without stopping the loop; then older ones are removed. A
   * failure of `chunks` itself is passed on and harms nothing.
   */
  saveSnapshot(meta: SnapshotMeta, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>
  /**
   * After a snapshot received from the leader is durable: the log restarts after it, in order with the appends, durable when resolved. When the snapshot's last
   * entry is in the log the entries after it are kept; otherwise all are dropped (paper figure 13, step 6).
   */
  resetTo(meta: SnapshotMeta, hardState: HardState): Promise<void>
  /** Reader over the newest snapshot; `undefined` when there is none. Rejects with `corrupt`, naming file and offset. */
  openSnapshot(): Promise<SnapshotReader | undefined>
  /** Receives a snapshot from a peer into a temporary file. */
  receiveSnapshot(meta: SnapshotMeta, transferId: number): SnapshotReceiver
  /**
   * Calls `handler` when this group alone keeps old segments of the shared log from being removed: a snapshot of all that is applied, followed by `compact`, would free
   * them. Called again while that is not done. One handler: the last one set.
   */
  onPinned(handler: () => void): void
  /** Waits for what was appended. Idempotent. */
  close(): Promise<void>
}

export interface DiskStorageOptions extends Partial<WalOptions> {
  /** Whose data the folder holds: made so when it is empty, `conflict` when it is another's. Without it the folder must hold data (`not-found`). */
  readonly identity?: StorageIdentity
  /** Bytes of data in one block of a snapshot file (default 128 KiB, at most 16 MiB). */
  readonly snapshotBlockBytes?: number
  /** With less free than so many bytes the space is low (default: four segments). */
  readonly spaceLowBytes?: number
  /** The initial configuration of group 1, for a folder of format version 1, which does not hold it. */
  readonly version1Configuration?: Configuration
}
