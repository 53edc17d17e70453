import type { DiskFile } from '../../contracts/world.ts'
import type { SnapshotMeta } from '../../protocols/raft/types.ts'
import {
  decodeSnapshotHeader,
  encodeBlockHeader,
  encodeSnapshotHeader,
  type SnapshotLayout,
} from './format.ts'

/** Writes header and blocks of a snapshot from chunks of any size, holding one block at a time. */
export class SnapshotFileWriter {
  readonly #file: DiskFile
  readonly #layout: SnapshotLayout
  readonly #header: Buffer
  #block: Buffer
  #filled = 0
  #number = 0
  #offset = 0

  constructor(file: DiskFile, meta: SnapshotMeta, blockBytes: number) {
    this.#file = file
    this.#header = encodeSnapshotHeader(meta, blockBytes)
    this.#layout = decodeSnapshotHeader(this.#header) as SnapshotLayout
    this.#block = Buffer.allocUnsafe(blockBytes)
  }

  async start(): Promise<void> {
    await this.#file.truncate(0)
    await this.#write([this.#header])
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      // Only when more follows is it known that a full block is not the last.
      if (this.#filled === this.#block.length) await this.#flush(false)
      const length = Math.min(chunk.byteLength - at, this.#block.length - this.#filled)
      this.#block.set(chunk.subarray(at, at + length), this.#filled)
      this.#filled += length
      at += length
    }
  }

  /** The content is durable when resolved; its name is not. */
  async finish(): Promise<void> {
    await this.#flush(true)
    await this.#file.sync()
  }

  async #flush(isLast: boolean): Promise<void> {
    const data = this.#block.subarray(0, this.#filled)
    await this.#write([encodeBlockHeader(this.#layout, this.#number, data, isLast), data])
    this.#number++
    this.#filled = 0
  }

  async #write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#file.write(this.#offset, chunks)
    for (const chunk of chunks) this.#offset += chunk.byteLength
  }
}
