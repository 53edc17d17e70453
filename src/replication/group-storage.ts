import type { Entry, HardState, SnapshotMeta } from '../protocols/raft/types.ts'
import type { GroupId } from './group-id.ts'
import type { SnapshotReader } from './snapshots/reader.ts'
import type { SnapshotReceiver } from './snapshots/receiver.ts'
import type { SnapshotStore } from './snapshots/snapshot-store.ts'
import type { RaftStorage } from './storage.ts'
import { closedError, type FailureLatch } from './wal/failure-latch.ts'
import type { WriteAheadLog } from './wal/write-ahead-log.ts'

export interface GroupStorageOptions {
  readonly group: GroupId
  readonly log: WriteAheadLog
  readonly snapshots: SnapshotStore
  readonly latch: FailureLatch
}

/** One group's share of a node's log, and its snapshots. */
export class GroupStorage implements RaftStorage {
  readonly #options: GroupStorageOptions
  #closing: Promise<void> | undefined

  constructor(options: GroupStorageOptions) {
    this.#options = options
  }

  async append(batch: { readonly hardState?: HardState; readonly entries: readonly Entry[] }): Promise<void> {
    if (this.#closing !== undefined) throw closedError()
    return this.#options.log.append(this.#options.group, batch.hardState, batch.entries)
  }

  async compact(index: number): Promise<void> {
    this.#check()
    await this.#options.log.compact(this.#options.group, index)
  }

  async saveSnapshot(
    meta: SnapshotMeta,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#check()
    await this.#options.snapshots.save(meta, chunks)
  }

  async resetTo(meta: SnapshotMeta, hardState: HardState): Promise<void> {
    this.#check()
    await this.#options.log.reset(this.#options.group, meta.index, meta.term, hardState)
  }

  async openSnapshot(): Promise<SnapshotReader | undefined> {
    this.#check()
    return this.#options.snapshots.open()
  }

  receiveSnapshot(meta: SnapshotMeta, transferId: number): SnapshotReceiver {
    this.#check()
    return this.#options.snapshots.receive(meta, transferId)
  }

  onPinned(handler: () => void): void {
    this.#options.log.onPinned(this.#options.group, handler)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { log, snapshots } = this.#options
    await log.settle()
    await snapshots.close()
  }

  #check(): void {
    if (this.#closing !== undefined) throw closedError()
    this.#options.latch.check()
  }
}
