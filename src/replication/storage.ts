import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Disk, World } from '../contracts/world.ts'
import type { Entry, HardState, RestoredState, SnapshotMeta } from '../protocols/raft/types.ts'
import { MemoryFiles } from './snapshots/memory-files.ts'
import type { SnapshotReader } from './snapshots/reader.ts'
import type { SnapshotReceiver } from './snapshots/receiver.ts'
import { SnapshotStore } from './snapshots/snapshot-store.ts'
import { corruptFile, FailureLatch } from './wal/failure-latch.ts'
import {
  checkIdentity,
  matchIdentity,
  readIdentity,
  type StorageIdentity,
  writeIdentity,
} from './wal/identity.ts'
import { type RecoveredLog, recoverLog } from './wal/recovery.ts'
import { removeTemporaries } from './wal/segment-files.ts'
import { joinSnapshot, walDefaults, type WalOptions, WriteAheadLog } from './wal/write-ahead-log.ts'

export type { SnapshotReader, SnapshotReceiver, StorageIdentity }

/**
 * Where a raft node keeps its log and snapshots. Once a write or sync has failed every call rejects with `disk-failed` and the first failure as cause: the
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
  /** Waits for what was appended. Idempotent. Where the storage is of one group, lets the folder go. */
  close(): Promise<void>
}

export interface OpenedStorage {
  readonly storage: RaftStorage
  /** What a raft machine starts from; entries may begin before the snapshot's end. */
  readonly restored: Omit<RestoredState, 'initialConfiguration'>
  readonly identity: StorageIdentity
  /** The folder was empty before. */
  readonly created: boolean
}

export interface DiskStorageOptions extends Partial<WalOptions> {
  /** Whose data the folder holds: made so when it is empty, `conflict` when it is another's. Without it the folder must hold data (`not-found`). */
  readonly identity?: StorageIdentity
  /** Bytes of data in one block of a snapshot file (default 128 KiB, at most 16 MiB). */
  readonly snapshotBlockBytes?: number
}

/**
 * Opens, or makes, the storage in `directory` (of the world's data folder) and holds the folder's lock until closed. Rejects with `conflict` (another
 * process or another node's data), `corrupt` (naming file and offset: nothing was changed), or `disk-failed`.
 */
export async function openDiskStorage(
  world: World,
  directory: string,
  options: DiskStorageOptions = {},
): Promise<OpenedStorage> {
  const walOptions = checkOptions(options)
  const { disk } = world
  await makeDirectoryDurably(disk, directory)
  const lock = await disk.lock(directory)
  try {
    await removeTemporaries(disk, directory)
    const latch = new FailureLatch(directory)
    const snapshots = new SnapshotStore(disk, directory, latch, options.snapshotBlockBytes)
    const snapshot = await snapshots.load()
    const found = await readIdentity(disk, directory)
    const identity = decideIdentity(directory, found, options.identity)
    const dependencies = { disk, directory, identity, latch }
    if (found === undefined) {
      await checkEmpty(world, directory, identity, snapshot)
      await WriteAheadLog.create(dependencies, walOptions)
      await writeIdentity(disk, directory, identity)
    }
    const recovered = await recoverLog(disk, directory, identity, world.logger)
    if (recovered === undefined) throw corruptFile(directory, 0, 'the write-ahead log is missing')
    const startsAnew = joinSnapshot(directory, recovered, snapshot)
    const log = await WriteAheadLog.open(dependencies, walOptions, recovered)
    const storage = new DiskStorage(log, snapshots, latch, lock)
    if (startsAnew && snapshot !== undefined) {
      await storage.resetTo(snapshot, recovered.image.hardState)
    }
    return { storage, restored: restoredState(recovered, snapshot), identity, created: found === undefined }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** A folder is an entry of its parent: without a sync of that, a loss of power takes the folder and all that was synced in it. */
async function makeDirectoryDurably(disk: Disk, directory: string): Promise<void> {
  await disk.makeDirectory(directory)
  const parts = directory.split('/')
  for (let depth = parts.length - 1; depth >= 0; depth--)
    await disk.syncDirectory(parts.slice(0, depth).join('/'))
}

/** The same without a disk: nothing survives the object. For `memory:` and for tests. */
export function createMemoryStorage(
  identity: StorageIdentity = { clusterId: 'memory', nodeId: 1 },
): OpenedStorage {
  checkIdentity(identity)
  return {
    storage: new MemoryStorage(new MemoryFiles()),
    restored: { hardState: { term: 0, vote: 0 }, entries: [] },
    identity,
    created: true,
  }
}

class DiskStorage implements RaftStorage {
  readonly #log: WriteAheadLog
  readonly #snapshots: SnapshotStore
  readonly #latch: FailureLatch
  readonly #lock: { release(): Promise<void> }
  #closing: Promise<void> | undefined

  constructor(
    log: WriteAheadLog,
    snapshots: SnapshotStore,
    latch: FailureLatch,
    lock: { release(): Promise<void> },
  ) {
    this.#log = log
    this.#snapshots = snapshots
    this.#latch = latch
    this.#lock = lock
  }

  append(batch: { readonly hardState?: HardState; readonly entries: readonly Entry[] }): Promise<void> {
    return this.#log.append(batch.hardState, batch.entries)
  }

  async compact(index: number): Promise<void> {
    this.#check()
    await this.#log.compact(index)
  }

  async saveSnapshot(
    meta: SnapshotMeta,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#check()
    await this.#snapshots.save(meta, chunks)
  }

  resetTo(meta: SnapshotMeta, hardState: HardState): Promise<void> {
    return this.#log.reset(meta.index, meta.term, hardState)
  }

  async openSnapshot(): Promise<SnapshotReader | undefined> {
    this.#check()
    return this.#snapshots.open()
  }

  receiveSnapshot(meta: SnapshotMeta, transferId: number): SnapshotReceiver {
    this.#check()
    return this.#snapshots.receive(meta, transferId)
  }

  onPinned(): void {}

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#log.close()
    await this.#snapshots.settle()
    await this.#lock.release()
  }

  #check(): void {
    if (this.#closing !== undefined) throw closedError()
    this.#latch.check()
  }
}

class MemoryStorage implements RaftStorage {
  readonly #snapshots: SnapshotStore
  #closed = false

  constructor(files: Disk) {
    this.#snapshots = new SnapshotStore(files, 'memory', new FailureLatch('memory'))
  }

  async append(): Promise<void> {
    this.#check()
  }

  async compact(): Promise<void> {
    this.#check()
  }

  async saveSnapshot(
    meta: SnapshotMeta,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#check()
    await this.#snapshots.save(meta, chunks)
  }

  async resetTo(): Promise<void> {
    this.#check()
  }

  async openSnapshot(): Promise<SnapshotReader | undefined> {
    this.#check()
    return this.#snapshots.open()
  }

  receiveSnapshot(meta: SnapshotMeta, transferId: number): SnapshotReceiver {
    this.#check()
    return this.#snapshots.receive(meta, transferId)
  }

  onPinned(): void {}

  async close(): Promise<void> {
    this.#closed = true
    await this.#snapshots.settle()
  }

  #check(): void {
    if (this.#closed) throw closedError()
  }
}

function checkOptions(options: DiskStorageOptions): WalOptions {
  if (options.identity !== undefined) checkIdentity(options.identity)
  const { segmentBytes = walDefaults.segmentBytes, groupBytesMax = walDefaults.groupBytesMax } = options
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes < 4096 || segmentBytes > 2 ** 30) {
    throw invalidArgument('segmentBytes', segmentBytes, 'an integer of 4096 to 2^30')
  }
  if (!Number.isSafeInteger(groupBytesMax) || groupBytesMax < 1 || groupBytesMax > 2 ** 28) {
    throw invalidArgument('groupBytesMax', groupBytesMax, 'an integer of 1 to 2^28')
  }
  const block = options.snapshotBlockBytes
  if (block !== undefined && (!Number.isSafeInteger(block) || block < 1 || block > 2 ** 24)) {
    throw invalidArgument('snapshotBlockBytes', block, 'an integer of 1 to 2^24')
  }
  return { segmentBytes, groupBytesMax }
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
  snapshot: SnapshotMeta | undefined,
): Promise<void> {
  const recovered = await recoverLog(world.disk, directory, identity, world.logger)
  const hasRecords = recovered !== undefined && (recovered.crc !== 0 || recovered.segments.length > 1)
  if (hasRecords || snapshot !== undefined) {
    throw corruptFile(`${directory}/identity.json`, 0, 'the file is missing, but the folder holds data')
  }
}

function restoredState(
  recovered: RecoveredLog,
  snapshot: SnapshotMeta | undefined,
): OpenedStorage['restored'] {
  const { hardState, entries } = recovered.image
  return snapshot === undefined ? { hardState, entries } : { hardState, snapshot, entries }
}

function closedError(): AlthingError {
  return new AlthingError('closed', 'the storage is closed', { outcome: 'none' })
}
