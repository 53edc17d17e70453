import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import type { IdWindow } from '../protocols/snowflake/sequence.ts'
import type { Tenure, TenureRequest, TenureSource } from './tenure.ts'

const markFile = 'high-water-mark'

/**
 * A worker id that the user has numbered. With a folder, the high-water mark is kept in a file there, which one process at a time may have; without,
 * nothing is kept, and after a restart ids are unique only if the clock shows more than it did before.
 */
export class FixedWorker implements TenureSource {
  readonly #world: World
  readonly #worker: number
  readonly #directory: string | undefined
  #lock: Promise<{ release(): Promise<void> }> | undefined

  constructor(world: World, worker: number, directory: string | undefined) {
    this.#world = world
    this.#worker = worker
    this.#directory = directory
  }

  /** Rejects with `conflict` while another process has the folder, `unavailable` when its mark lies too far ahead of the clock. */
  async claim({ now, after, reserveMs, lateMs }: TenureRequest): Promise<Tenure> {
    const directory = this.#directory
    if (directory === undefined) {
      const from = Math.max(now, after + 1)
      return new FixedTenure(this.#worker, { from, until: Number.MAX_SAFE_INTEGER })
    }
    const { disk } = this.#world
    await disk.makeDirectory(directory)
    this.#lock ??= disk.lock(directory)
    await this.#lock.catch((error: unknown) => {
      this.#lock = undefined
      throw error
    })
    const mark = await this.#read(directory)
    if (mark - now > lateMs) {
      throw new AlthingError(
        'unavailable',
        `worker id ${this.#worker} was used for times later than this clock shows, by ${mark - now} ms: the clock is behind, or was ahead`,
        { outcome: 'none', details: { cause: 'clock-back', backMs: mark - now } },
      )
    }
    const from = Math.max(now, after + 1, mark)
    const window = { from, until: from + reserveMs }
    await this.#write(directory, window.until)
    return new FixedTenure(this.#worker, window, (until) => this.#write(directory, until))
  }

  async close(): Promise<void> {
    const lock = await this.#lock?.catch(() => undefined)
    this.#lock = undefined
    await lock?.release()
  }

  async #read(directory: string): Promise<number> {
    let text: string
    try {
      text = textFromBytes(await this.#world.disk.read(`${directory}/${markFile}`))
    } catch (error) {
      if (isAlthingError(error, 'not-found')) return 0
      throw error
    }
    const mark = /^\d{1,15}\n$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(mark)) return mark
    throw new AlthingError('corrupt', `${directory}/${markFile} is not what this version writes there`, {
      outcome: 'none',
    })
  }

  async #write(directory: string, until: number): Promise<void> {
    const { disk } = this.#world
    const file = await disk.open(`${directory}/${markFile}.new`, { create: true })
    try {
      await file.truncate(0)
      await file.writeDurably(0, [bytesFromText(`${until}\n`)])
    } finally {
      await file.close()
    }
    await disk.rename(`${directory}/${markFile}.new`, `${directory}/${markFile}`)
    await disk.syncDirectory(directory)
  }
}

class FixedTenure implements Tenure {
  readonly token = 0
  readonly lost: AbortSignal = new AbortController().signal
  readonly worker: number
  readonly window: IdWindow
  readonly #write: ((until: number) => Promise<void>) | undefined
  #isOver = false

  constructor(worker: number, window: IdWindow, write?: (until: number) => Promise<void>) {
    this.worker = worker
    this.window = window
    this.#write = write
  }

  get isHeld(): boolean {
    return !this.#isOver
  }

  async extend(until: number): Promise<void> {
    await this.#write?.(until)
  }

  async release(usedUntil: number): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#write?.(usedUntil)
  }
}
