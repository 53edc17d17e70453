import { AlthingError } from '../../contracts/errors.ts'
import type { Disk, DiskFile } from '../../contracts/world.ts'
import type { SnapshotMeta } from '../../protocols/raft/types.ts'
import type { FailureLatch } from '../wal/failure-latch.ts'
import { sameMeta } from './format.ts'
import { SnapshotFileReader } from './reader.ts'

/** A snapshot on its way in from a peer. Calls may overlap; they take effect in call order. */
export interface SnapshotReceiver {
  /**
   * Stores bytes of the sender's file and resolves with how many it has from the start without a gap. Bytes it has already are skipped; bytes beyond a gap
   * are not taken: the sender goes on from the number returned. Rejects with `no-space` when the disk is full: the transfer is then to be given up.
   */
  write(offset: number, data: Uint8Array): Promise<number>
  /** Checks every checksum and that the file is the snapshot announced (otherwise `corrupt`, and the transfer is void), then makes it the newest, durably. */
  finish(): Promise<void>
  /** Gives the transfer up and removes what came. Idempotent; does nothing after `finish`. */
  abort(): Promise<void>
}

export interface ReceiverOptions {
  readonly disk: Disk
  readonly latch: FailureLatch
  readonly temporaryPath: string
  readonly meta: SnapshotMeta
  /** Gives the whole, synced file its name. */
  readonly install: (temporaryPath: string, meta: SnapshotMeta) => Promise<void>
}

export class SnapshotFileReceiver implements SnapshotReceiver {
  readonly #options: ReceiverOptions
  #file: DiskFile | undefined
  #received = 0
  #over = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: ReceiverOptions) {
    this.#options = options
  }

  /** Finished or given up. */
  get isOver(): boolean {
    return this.#over
  }

  write(offset: number, data: Uint8Array): Promise<number> {
    return this.#inOrder(() => this.#store(offset, data))
  }

  finish(): Promise<void> {
    return this.#inOrder(async () => {
      this.#checkUnderWay()
      const { latch, temporaryPath, meta, install } = this.#options
      const file = await this.#open()
      await latch.guardNew(() => file.sync())
      await this.#closeFile()
      this.#over = true
      try {
        await this.#verify()
        await install(temporaryPath, meta)
      } catch (error) {
        if (!latch.failed) await latch.guard(() => this.#options.disk.remove(temporaryPath))
        throw error
      }
    })
  }

  abort(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#over) return
      this.#over = true
      await this.#closeFile()
      await this.#options.latch.guard(() => this.#options.disk.remove(this.#options.temporaryPath))
    })
  }

  async #store(offset: number, data: Uint8Array): Promise<number> {
    this.#checkUnderWay()
    const skipped = this.#received - offset
    if (skipped < 0 || skipped >= data.byteLength) return this.#received
    const file = await this.#open()
    await this.#options.latch.guardNew(() => file.write(this.#received, [data.subarray(skipped)]))
    this.#received += data.byteLength - skipped
    return this.#received
  }

  async #verify(): Promise<void> {
    const { disk, temporaryPath, meta } = this.#options
    const reader = await SnapshotFileReader.open(await disk.open(temporaryPath), temporaryPath)
    try {
      if (!sameMeta(reader.meta, meta)) {
        throw new AlthingError(
          'corrupt',
          `the snapshot received is of index ${reader.meta.index}, not ${meta.index} as announced`,
        )
      }
      const chunks = reader.chunks()[Symbol.asyncIterator]()
      while (!(await chunks.next()).done);
    } finally {
      await reader.close()
    }
  }

  async #open(): Promise<DiskFile> {
    const { disk, latch, temporaryPath } = this.#options
    this.#file ??= await latch.guardNew(async () => {
      const file = await disk.open(temporaryPath, { create: true })
      await file.truncate(0)
      return file
    })
    return this.#file
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  #checkUnderWay(): void {
    if (this.#over) throw new AlthingError('closed', 'the transfer of the snapshot is over')
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }
}
