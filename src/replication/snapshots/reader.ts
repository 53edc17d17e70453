import { AlthingError } from '../../contracts/errors.ts'
import type { DiskFile } from '../../contracts/world.ts'
import type { SnapshotMeta } from '../../protocols/raft/types.ts'
import { asBuffer } from '../entry-codec.ts'
import { corruptFile } from '../wal/failure-latch.ts'
import {
  type Block,
  blockHeaderBytes,
  blockOffset,
  decodeBlock,
  decodeSnapshotHeader,
  type SnapshotLayout,
  snapshotHeaderBytes,
  snapshotPreludeBytes,
} from './format.ts'

/** One snapshot, open for reading; it stays readable until closed, even when a newer one replaces it. */
export interface SnapshotReader {
  readonly meta: SnapshotMeta
  /** Bytes of the file, as {@link SnapshotReader.read} gives them. */
  readonly size: number
  /**
   * Bytes of the file, for a transfer to a peer; fewer than asked for only at the end. Each block touched is checked first: rejects with `corrupt`, naming
   * file and offset.
   */
  read(offset: number, length: number): Promise<Uint8Array>
  /** The state: what was given to `saveSnapshot`, in other pieces. Rejects with `corrupt` like `read`, and when the file does not end where it should. */
  chunks(): AsyncIterable<Uint8Array>
  /** Idempotent. */
  close(): Promise<void>
}

/** Reads header and blocks of a snapshot file and checks each. */
export class SnapshotFileReader implements SnapshotReader {
  readonly size: number
  readonly #file: DiskFile
  readonly #path: string
  readonly #layout: SnapshotLayout
  readonly #onClose: () => Promise<void>
  #checkedBlock = -1
  #closed = false

  private constructor(
    file: DiskFile,
    path: string,
    layout: SnapshotLayout,
    size: number,
    onClose: () => Promise<void>,
  ) {
    this.#file = file
    this.#path = path
    this.#layout = layout
    this.size = size
    this.#onClose = onClose
  }

  /** Takes `file` over and closes it, also when it throws. */
  static async open(
    file: DiskFile,
    path: string,
    onClose: () => Promise<void> = async () => {},
  ): Promise<SnapshotFileReader> {
    try {
      const size = await file.size()
      const headerBytes = snapshotHeaderBytes(asBuffer(await file.read(0, snapshotPreludeBytes)))
      if (typeof headerBytes === 'string') throw corruptFile(path, 0, headerBytes)
      const layout = decodeSnapshotHeader(asBuffer(await file.read(0, headerBytes)))
      if (typeof layout === 'string') throw corruptFile(path, 0, layout)
      return new SnapshotFileReader(file, path, layout, size, onClose)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get meta(): SnapshotMeta {
    return this.#layout.meta
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#checkOpen()
    const end = Math.min(offset + length, this.size)
    if (end <= offset) return new Uint8Array(0)
    const stride = blockHeaderBytes + this.#layout.blockBytes
    const first = Math.max(0, Math.floor((offset - this.#layout.blocksOffset) / stride))
    for (let number = first; blockOffset(this.#layout, number) < end; number++) {
      if (number !== this.#checkedBlock) await this.#readBlock(number)
      this.#checkedBlock = number
    }
    return this.#file.read(offset, end - offset)
  }

  async *chunks(): AsyncIterable<Uint8Array> {
    for (let number = 0; ; number++) {
      const block = await this.#readBlock(number)
      if (block.data.length > 0) yield block.data
      if (block.isLast) return
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#file.close()
    await this.#onClose()
  }

  async #readBlock(number: number): Promise<Block> {
    this.#checkOpen()
    const offset = blockOffset(this.#layout, number)
    const bytes = asBuffer(await this.#file.read(offset, blockHeaderBytes + this.#layout.blockBytes))
    const block = decodeBlock(this.#layout, number, bytes)
    if (typeof block === 'string') throw corruptFile(this.#path, offset, block)
    const end = offset + blockHeaderBytes + block.data.length
    if (block.isLast && end !== this.size) throw corruptFile(this.#path, end, 'bytes follow the last block')
    return block
  }

  #checkOpen(): void {
    if (this.#closed) throw new AlthingError('closed', `the reader of ${this.#path} is closed`)
  }
}
