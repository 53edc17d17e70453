import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'

/** The one durable record of an election machine: a file that is replaced as a whole. One process at a time may have the folder. */
export class SavedState {
  readonly #world: World
  readonly #folder: string
  #lock: { release(): Promise<void> } | undefined

  constructor(world: World, folder: string) {
    this.#world = world
    this.#folder = folder
  }

  /** What was saved last; `undefined` before the first. Rejects with `conflict` when another process has the folder. */
  async open(): Promise<Uint8Array | undefined> {
    const { disk } = this.#world
    await disk.makeDirectory(this.#folder)
    this.#lock = await disk.lock(this.#folder)
    try {
      return await disk.read(this.#path('state'))
    } catch (error) {
      if (isAlthingError(error, 'not-found')) return undefined
      throw error
    }
  }

  /** Durable when it resolves. After a rejection (`disk-failed`) nothing is known of what the disk holds: the elector must end. */
  async save(state: Uint8Array): Promise<void> {
    const { disk } = this.#world
    try {
      const file = await disk.open(this.#path('state.new'), { create: true })
      try {
        await file.truncate(0)
        await file.writeDurably(0, [state])
      } finally {
        await file.close()
      }
      await disk.rename(this.#path('state.new'), this.#path('state'))
      await disk.syncDirectory(this.#folder)
    } catch (cause) {
      throw new AlthingError(
        'disk-failed',
        `the state of an election could not be saved in ${this.#folder}`,
        { cause },
      )
    }
  }

  async close(): Promise<void> {
    await this.#lock?.release()
    this.#lock = undefined
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`
  }
}
