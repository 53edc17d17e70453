import type { Disk } from '../../contracts/world.ts'
import type { DiskSpace } from '../node-storage.ts'

/** Where the log wants room before it is needed: ahead of the records, and for the next segment. */
export type RoomAhead = 'segment' | 'spare'

/** Knows whether the disk has room, so that the node can refuse what grows before the log itself meets the end. */
export class SpaceWatch {
  readonly #disk: Disk
  readonly #directory: string
  readonly #lowBytes: number
  readonly #refused = new Set<RoomAhead>()
  #freeBytes: number | undefined
  #isLow = false
  #handler: (space: DiskSpace) => void = () => {}
  #looking: Promise<DiskSpace> | undefined

  constructor(disk: Disk, directory: string, lowBytes: number) {
    this.#disk = disk
    this.#directory = directory
    this.#lowBytes = lowBytes
  }

  get space(): DiskSpace {
    const isLow = this.#isLow
    return this.#freeBytes === undefined ? { isLow } : { freeBytes: this.#freeBytes, isLow }
  }

  onChange(handler: (space: DiskSpace) => void): void {
    this.#handler = handler
  }

  /** The disk has given room that was asked for ahead of its use, or was full. */
  met(ahead: RoomAhead, isFull: boolean): void {
    if (isFull) this.#refused.add(ahead)
    else this.#refused.delete(ahead)
    this.#judge()
  }

  /** Looks that are asked for while one is under way share it. A system that cannot say is not low on that account. */
  look(): Promise<DiskSpace> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<DiskSpace> {
    const found = await this.#disk.freeBytes(this.#directory).then(
      (freeBytes) => ({ freeBytes }),
      () => undefined,
    )
    this.#freeBytes = found?.freeBytes
    // A log that rests asks for no more room: what it was refused before says nothing any more.
    if (found !== undefined && (found.freeBytes ?? this.#enoughBytes) >= this.#enoughBytes)
      this.#refused.clear()
    this.#judge()
    return this.space
  }

  /** Back to normal only with some more than the bound, so that a disk at it does not change to and fro. */
  get #enoughBytes(): number {
    return this.#lowBytes * 1.25
  }

  #judge(): void {
    const bound = this.#isLow ? this.#enoughBytes : this.#lowBytes
    const isLow = this.#refused.size > 0 || (this.#freeBytes !== undefined && this.#freeBytes < bound)
    if (isLow === this.#isLow) return
    this.#isLow = isLow
    this.#handler(this.space)
  }
}
