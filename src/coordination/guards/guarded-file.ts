import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { FenceStamp } from '../fencing.ts'
import { randomId } from '../names.ts'
import { checkStamp, refusedStamp } from './stamp-check.ts'

/** Digits of the largest token, so that names are in the order of tokens. */
const tokenDigits = 16
/** A reader that meets a new writer each time gives up after so many. */
const readsMax = 100

export interface GuardedContent {
  readonly content: Uint8Array
  /** Of the hold under which it was written. */
  readonly token: number
}

/**
 * A file that only the present holder of a right changes. It is a folder: each holder writes a file of its own there, named by its token, and the content is
 * that of the largest token. So a stale holder, however late its write arrives, can only write what nobody reads, and no writer waits for another.
 *
 * A write is whole or not there: a temporary file, synced, renamed to its name, and the folder synced. What a crash leaves behind is
 * removed by the next writer. Several processes of one machine may write and read.
 */
export class GuardedFile {
  readonly #world: Pick<World, 'disk' | 'random'>
  readonly #folder: string
  #hasFolder = false
  /** Writes of this object, one after the other. */
  #writing: Promise<unknown> = Promise.resolve()

  /** `folder` is below the world's data folder, and for this alone. It is made with the first write. */
  constructor(world: Pick<World, 'disk' | 'random'>, folder: string) {
    if (typeof folder !== 'string' || folder.length === 0 || folder.split('/').includes('..')) {
      throw invalidArgument('folder', folder, 'the path of a folder below the data folder')
    }
    this.#world = world
    this.#folder = folder
  }

  /**
   * Replaces the content; durable when it resolves. Rejects with `stale-token` when a later holder has written: what is read is that holder's, whether it came before or
   * while this was written. A right that several hold at a time is refused (`invalid-argument`): there is one content.
   */
  async write(stamp: FenceStamp, content: Uint8Array): Promise<void> {
    checkStamp(stamp)
    if (stamp.kind !== undefined) {
      throw invalidArgument('stamp.kind', stamp.kind, 'absent: a lock held to write, or a leadership')
    }
    const writing = this.#writing.then(() => this.#write(stamp, content))
    this.#writing = writing.catch(() => {})
    await writing
  }

  /** The content of the newest holder that has written; undefined when none has. */
  async read(): Promise<GuardedContent | undefined> {
    for (let reads = 0; reads < readsMax; reads++) {
      const token = (await this.#tokens()).at(-1)
      if (token === undefined) return undefined
      try {
        return { token, content: await this.#world.disk.read(this.#path(nameOf(token))) }
      } catch (error) {
        // A later holder has written since, and removed it.
        if (!isAlthingError(error, 'not-found')) throw error
      }
    }
    throw new AlthingError('overloaded', `${this.#folder} was replaced ${readsMax} times while it was read`, {
      outcome: 'none',
    })
  }

  async #write(stamp: FenceStamp, content: Uint8Array): Promise<void> {
    const { disk } = this.#world
    await this.#refuseStale(stamp)
    await this.#makeFolder()
    const name = nameOf(stamp.token)
    const temporary = this.#path(`${name}.${randomId(this.#world)}.new`)
    try {
      const file = await disk.open(temporary, { create: true })
      try {
        await file.writeDurably(0, [content])
        await file.sync()
      } finally {
        await file.close()
      }
      await disk.rename(temporary, this.#path(name))
    } catch (error) {
      // By who came later: it removes what was begun before.
      await this.#refuseStale(stamp)
      throw error
    }
    await disk.syncDirectory(this.#folder)
    await this.#removeBelow(stamp.token)
    await this.#refuseStale(stamp)
  }

  /** That the folder is there must be durable before what is in it can be. */
  async #makeFolder(): Promise<void> {
    if (this.#hasFolder) return
    const { disk } = this.#world
    await disk.makeDirectory(this.#folder)
    const parents = this.#folder.split('/').slice(0, -1)
    for (let depth = parents.length; depth >= 0; depth--) {
      await disk.syncDirectory(parents.slice(0, depth).join('/') || '.')
    }
    this.#hasFolder = true
  }

  async #refuseStale(stamp: FenceStamp): Promise<void> {
    const newest = (await this.#tokens()).at(-1) ?? 0
    if (newest <= stamp.token) return
    await this.#removeBelow(newest)
    throw refusedStamp(`file ${this.#folder}`, stamp)
  }

  async #tokens(): Promise<readonly number[]> {
    return (await this.#world.disk.list(this.#folder)).flatMap((name) => {
      const token = tokenOf(name)
      return token === undefined || name.endsWith('.new') ? [] : [token]
    })
  }

  /** Contents and beginnings of earlier holders. */
  async #removeBelow(token: number): Promise<void> {
    for (const name of await this.#world.disk.list(this.#folder)) {
      const other = tokenOf(name)
      if (other !== undefined && other < token) await this.#world.disk.remove(this.#path(name))
    }
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`
  }
}

function nameOf(token: number): string {
  return String(token).padStart(tokenDigits, '0')
}

function tokenOf(name: string): number | undefined {
  const match = /^(\d{16})(?:\.[0-9a-f]{16}\.new)?$/.exec(name)
  return match === null ? undefined : Number(match[1])
}
