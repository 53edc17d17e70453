import type { Disk, DiskFile } from '../../contracts/world.ts'
import { type FailureLatch, isDiskFull } from './failure-latch.ts'
import { alignUp } from './record.ts'
import { encodeMark, encodeSeal, markOffset, sealOffset } from './segment-header.ts'
import type { SpaceWatch } from './space-watch.ts'

/** Zeros are laid in pieces of this size, so far ahead of the records at least: a sync that need not allocate blocks takes half the time. */
export const fillStepBytes = 1024 * 1024
/** In a log that grows, so far ahead: room to go on for a while when the disk is found full. */
const fillAheadBytesMax = 4 * 1024 * 1024
/** After the disk was full it is asked again when so much more has been written. */
const retryBytes = 64 * 1024

export interface OpenSegmentOptions {
  readonly disk: Disk
  readonly latch: FailureLatch
  readonly space: SpaceWatch
  readonly path: string
  readonly file: DiskFile
  readonly sizeBytes: number
  /** Where the next record goes. */
  readonly offset: number
  /** Up to here the file has its place on the disk. */
  readonly filledTo: number
  /** What the mark in the file says. */
  readonly mark: number
}

/** The segment that records are added to. */
export class OpenSegment {
  readonly #options: OpenSegmentOptions
  readonly #file: DiskFile
  /**
   * Zeros go through a file of their own: the system reports the failure of an earlier write once to each, so a failed fill can be borne without ever hiding
   * that of a record.
   */
  #fillFile: DiskFile | undefined
  #offset: number
  #filledTo: number
  #mark: number
  #fill: Promise<void> | undefined
  #retryAt = 0

  constructor(options: OpenSegmentOptions) {
    this.#options = options
    this.#file = options.file
    this.#offset = options.offset
    this.#filledTo = options.filledTo
    this.#mark = options.mark
  }

  get offset(): number {
    return this.#offset
  }

  hasRoom(bytes: number): boolean {
    return this.#offset + bytes <= this.#options.sizeBytes
  }

  get isHalfFull(): boolean {
    return this.#offset > this.#options.sizeBytes / 2
  }

  /** Durable when resolved. */
  async write(record: Buffer): Promise<void> {
    const end = this.#offset + record.length
    if (end > this.#filledTo || end > this.#mark) await this.#reserve(end)
    await this.#file.writeDurably(this.#offset, [record])
    this.#offset = end
    this.#fillAhead()
  }

  /** The next segment exists; nothing is added to this one. */
  async finish(crc: number): Promise<void> {
    while (this.#fill !== undefined) await this.#fill
    await this.#file.writeDurably(sealOffset, [encodeSeal({ endOffset: this.#offset, crc })])
    await this.close()
  }

  async close(): Promise<void> {
    while (this.#fill !== undefined) await this.#fill
    await this.#fillFile?.close()
    await this.#file.close()
  }

  /** No zeros may be on their way to where a record is written, and no record may stand behind the mark. */
  async #reserve(end: number): Promise<void> {
    // One that ends may have begun the next.
    while (this.#fill !== undefined) await this.#fill
    this.#options.latch.check()
    const filled = alignUp(end, 4096)
    if (end > this.#mark)
      await this.#setMark(this.#file, Math.min(filled + fillStepBytes, this.#options.sizeBytes))
    this.#filledTo = Math.max(this.#filledTo, filled)
  }

  async #setMark(file: DiskFile, mark: number): Promise<void> {
    await file.writeDurably(markOffset, [encodeMark(mark)])
    this.#mark = mark
  }

  #fillAhead(): void {
    if (this.#fill !== undefined || this.#offset < this.#retryAt) return
    const { sizeBytes, space, latch } = this.#options
    const ahead = Math.min(fillAheadBytesMax, Math.max(fillStepBytes, this.#offset))
    if (this.#filledTo - this.#offset > ahead - fillStepBytes / 2) return
    const to = Math.min(this.#filledTo + fillStepBytes, sizeBytes)
    if (to <= this.#filledTo) return
    this.#fill = this.#layZeros(this.#filledTo, to).then(
      () => {
        this.#fill = undefined
        space.met('segment', false)
        void space.look()
        this.#fillAhead()
      },
      (error: unknown) => {
        this.#fill = undefined
        this.#retryAt = this.#offset + retryBytes
        if (isDiskFull(error)) space.met('segment', true)
        else latch.fail(error)
      },
    )
  }

  async #layZeros(from: number, to: number): Promise<void> {
    const { disk, path } = this.#options
    this.#fillFile ??= await disk.open(path)
    await this.#fillFile.writeDurably(from, [Buffer.alloc(to - from)])
    this.#filledTo = to
    if (to > this.#mark) await this.#setMark(this.#fillFile, to)
  }
}
