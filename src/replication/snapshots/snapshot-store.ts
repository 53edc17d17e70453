import { isAlthingError } from '../../contracts/errors.ts'
import type { Disk } from '../../contracts/world.ts'
import type { SnapshotMeta } from '../../protocols/raft/types.ts'
import { closedError, corruptFile, type FailureLatch } from '../wal/failure-latch.ts'
import { blockBytesDefault } from './format.ts'
import { SnapshotFileReader, type SnapshotReader } from './reader.ts'
import { SnapshotFileReceiver, type SnapshotReceiver } from './receiver.ts'
import { SnapshotFileWriter } from './writer.ts'

const pattern = /^snapshot-(\d{16})-(\d{16})\.snap$/

/** The snapshots of one folder. The newest counts; older ones are removed once it is durable and nobody reads them. */
export class SnapshotStore {
  readonly #disk: Disk
  readonly #directory: string
  readonly #latch: FailureLatch
  readonly #blockBytes: number
  readonly #saved: (meta: SnapshotMeta) => void
  /** Number of open readers by file name. */
  readonly #readers = new Map<string, number>()
  #names: string[] = []
  #temporaries = 0
  readonly #saving = new Set<Promise<void>>()
  #receivers: SnapshotFileReceiver[] = []
  #isClosed = false
  #last: Promise<unknown> = Promise.resolve()

  /** `saved` is called for each snapshot that has become durable here, written or received. */
  constructor(
    disk: Disk,
    directory: string,
    latch: FailureLatch,
    blockBytes: number = blockBytesDefault,
    saved: (meta: SnapshotMeta) => void = () => {},
  ) {
    this.#saved = saved
    this.#disk = disk
    this.#directory = directory
    this.#latch = latch
    this.#blockBytes = blockBytes
  }

  /** Finds what is there and returns the newest. Throws `corrupt` when its header is damaged. */
  async load(): Promise<SnapshotMeta | undefined> {
    this.#names = (await this.#disk.list(this.#directory)).filter((name) => pattern.test(name))
    const reader = await this.open()
    try {
      if (reader !== undefined && fileName(reader.meta) !== this.#names.at(-1)) {
        throw corruptFile(`${this.#directory}/${this.#names.at(-1)}`, 0, 'its content is another snapshot')
      }
      return reader?.meta
    } finally {
      await reader?.close()
    }
  }

  /** Rejects with `no-space` when the disk is full; nothing is changed then. */
  save(meta: SnapshotMeta, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const saving = this.#save(meta, chunks).finally(() => this.#saving.delete(saving))
    this.#saving.add(saving)
    return saving
  }

  async #save(meta: SnapshotMeta, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.#temporaryPath('save')
    try {
      await this.#write(path, meta, chunks)
      await this.#install(path, meta)
    } catch (error) {
      if (!this.#latch.failed) await this.#disk.remove(path)
      throw error
    }
  }

  async #write(
    path: string,
    meta: SnapshotMeta,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const latch = this.#latch
    const file = await latch.guardNew(() => this.#disk.open(path, { create: true }))
    try {
      const writer = new SnapshotFileWriter(file, meta, this.#blockBytes)
      await latch.guardNew(() => writer.start())
      for await (const chunk of chunks) {
        if (this.#isClosed) throw closedError()
        await latch.guardNew(() => writer.add(chunk))
      }
      await latch.guardNew(() => writer.finish())
    } finally {
      await file.close()
    }
  }

  async open(): Promise<SnapshotReader | undefined> {
    const name = this.#names.at(-1)
    if (name === undefined) return undefined
    // Counted before the first wait: a save that ends meanwhile must leave the file.
    this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1)
    const path = `${this.#directory}/${name}`
    try {
      const file = await this.#disk.open(path)
      return await SnapshotFileReader.open(file, path, () => this.#release(name))
    } catch (error) {
      await this.#release(name)
      throw error
    }
  }

  receive(meta: SnapshotMeta, transferId: number): SnapshotReceiver {
    const receiver = new SnapshotFileReceiver({
      disk: this.#disk,
      latch: this.#latch,
      temporaryPath: this.#temporaryPath(`receive-${transferId}`),
      meta,
      install: (path, whole) => this.#install(path, whole),
    })
    this.#receivers = [...this.#receivers.filter(({ isOver }) => !isOver), receiver]
    return receiver
  }

  /** Gives up what is being saved and received, and waits for all that is under way: the folder may be removed afterwards. Rejects when the disk fails. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#saving)
    if (!this.#latch.failed) for (const receiver of this.#receivers) await receiver.abort()
    await this.#last
  }

  #install(temporaryPath: string, meta: SnapshotMeta): Promise<void> {
    return this.#inOrder(async () => {
      const name = fileName(meta)
      const newest = this.#names.at(-1)
      if (newest !== undefined && name < newest) {
        // A newer one came while this was being written.
        await this.#disk.remove(temporaryPath)
        return
      }
      await this.#latch.guardNew(() => this.#disk.rename(temporaryPath, `${this.#directory}/${name}`))
      await this.#disk.syncDirectory(this.#directory)
      if (newest !== name) this.#names.push(name)
      this.#saved(meta)
      await this.#removeOlder()
    })
  }

  async #removeOlder(): Promise<void> {
    const newest = this.#names.at(-1)
    const unread = this.#names.filter((name) => name !== newest && !this.#readers.has(name))
    for (const name of unread) await this.#disk.remove(`${this.#directory}/${name}`)
    this.#names = this.#names.filter((name) => !unread.includes(name))
  }

  async #release(name: string): Promise<void> {
    const count = (this.#readers.get(name) ?? 1) - 1
    if (count > 0) {
      this.#readers.set(name, count)
      return
    }
    this.#readers.delete(name)
    // Once this is closed the folder may be another store's, with a file of the same name.
    if (this.#isClosed || this.#latch.failed) return
    if (name !== this.#names.at(-1)) await this.#inOrder(() => this.#removeOlder())
  }

  #temporaryPath(kind: string): string {
    this.#temporaries++
    return `${this.#directory}/snapshot-${kind}-${this.#temporaries}.tmp`
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    this.#latch.check()
    try {
      await work()
    } catch (error) {
      throw isAlthingError(error, 'no-space') ? error : this.#latch.fail(error)
    }
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(() => this.#guard(work))
    this.#last = result.catch(() => undefined)
    return result
  }
}

export function isSnapshotName(name: string): boolean {
  return pattern.test(name)
}

/** Sorted by name, snapshots are sorted by index. */
function fileName(meta: SnapshotMeta): string {
  return `snapshot-${String(meta.index).padStart(16, '0')}-${String(meta.term).padStart(16, '0')}.snap`
}
