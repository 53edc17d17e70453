import type { DiskFile } from '../../contracts/world.ts'
import { isDiskFull } from './failure-latch.ts'
import { createZeros, sparePath } from './segment-files.ts'
import type { SpaceWatch } from './space-watch.ts'
import type { WalDependencies } from './write-ahead-log.ts'

/** Zeros that are laid into the spare file: so much of the next segment has its place on the disk. */
const laidBytesMax = 1024 * 1024

export interface Spare {
  readonly file: DiskFile
  /** Up to here the zeros are on the disk, not a hole. */
  readonly filledTo: number
}

/** The file of the next segment, made ready while the present one has room: so a full disk is met while nothing waits for it. */
export class SpareSegment {
  readonly #dependencies: WalDependencies
  readonly #space: SpaceWatch
  readonly #sizeBytes: number
  #preparing: Promise<Spare | undefined> | undefined

  constructor(dependencies: WalDependencies, space: SpaceWatch, sizeBytes: number) {
    this.#dependencies = dependencies
    this.#space = space
    this.#sizeBytes = sizeBytes
  }

  /** In the background. A disk that is full is reported and may be asked again; any other failure is the storage's. */
  prepare(): void {
    this.#preparing ??= this.#prepare().then(
      (spare) => {
        this.#space.met('spare', false)
        return spare
      },
      (error: unknown) => {
        this.#preparing = undefined
        if (isDiskFull(error)) this.#space.met('spare', true)
        else this.#dependencies.latch.fail(error)
        return undefined
      },
    )
  }

  /** What was prepared, or made now; of the size wanted. */
  async take(sizeBytes: number): Promise<Spare> {
    const prepared = (await this.#preparing) ?? (await this.#prepare())
    this.#preparing = undefined
    this.#space.met('spare', false)
    if (sizeBytes > this.#sizeBytes) await prepared.file.truncate(sizeBytes)
    return prepared
  }

  async close(): Promise<void> {
    const spare = await this.#preparing
    if (spare === undefined) return
    await spare.file.close()
    if (!this.#dependencies.latch.failed) await this.#remove()
  }

  async #prepare(): Promise<Spare> {
    const { disk, directory } = this.#dependencies
    const filledTo = Math.min(this.#sizeBytes, laidBytesMax)
    try {
      const file = await createZeros(disk, sparePath(directory), this.#sizeBytes)
      try {
        await file.writeDurably(0, [Buffer.alloc(filledTo)])
      } catch (error) {
        await file.close()
        throw error
      }
      return { file, filledTo }
    } catch (error) {
      if (isDiskFull(error)) await this.#remove()
      throw error
    }
  }

  async #remove(): Promise<void> {
    await this.#dependencies.disk.remove(sparePath(this.#dependencies.directory))
  }
}
