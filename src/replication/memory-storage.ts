import type { SnapshotMeta } from '../protocols/raft/types.ts'
import { MemoryFiles } from './snapshots/memory-files.ts'
import type { SnapshotReader } from './snapshots/reader.ts'
import type { SnapshotReceiver } from './snapshots/receiver.ts'
import { SnapshotStore } from './snapshots/snapshot-store.ts'
import type { RaftStorage } from './storage.ts'
import { closedError, FailureLatch } from './wal/failure-latch.ts'

/** A group's storage without a disk: the log is what the raft machine has in memory, and only snapshots are kept. */
export class MemoryStorage implements RaftStorage {
  readonly #snapshots = new SnapshotStore(new MemoryFiles(), 'memory', new FailureLatch('memory'))
  #isClosed = false

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
    this.#isClosed = true
    await this.#snapshots.close()
  }

  #check(): void {
    if (this.#isClosed) throw closedError()
  }
}
