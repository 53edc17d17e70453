import type { Entry, HardState, SnapshotMeta } from '../protocols/raft/types.ts'
import { MemoryFiles } from './snapshots/memory-files.ts'
import type { SnapshotReader } from './snapshots/reader.ts'
import type { SnapshotReceiver } from './snapshots/receiver.ts'
import { SnapshotStore } from './snapshots/snapshot-store.ts'
import type { RaftStorage } from './storage.ts'
import { closedError, FailureLatch } from './wal/failure-latch.ts'

/** A group's storage without a disk: the log is what the raft machine has in memory, and only snapshots are kept. */
export class MemoryStorage implements RaftStorage {
  readonly #snapshots = new SnapshotStore(new MemoryFiles(), 'memory', new FailureLatch('memory'))
  #hardState: HardState
  #isClosed = false

  constructor(hardState: HardState = { term: 0, vote: 0 }) {
    this.#hardState = hardState
  }

  /** As last appended. */
  get hardState(): HardState {
    return this.#hardState
  }

  async append(batch: { readonly hardState?: HardState; readonly entries: readonly Entry[] }): Promise<void> {
    this.#check()
    this.#hardState = batch.hardState ?? this.#hardState
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

  async resetTo(_meta: SnapshotMeta, hardState: HardState): Promise<void> {
    this.#check()
    this.#hardState = hardState
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
    this.#isClosed = true
    await this.#snapshots.close()
  }

  #check(): void {
    if (this.#isClosed) throw closedError()
  }
}
