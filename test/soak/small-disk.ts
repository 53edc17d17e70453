import { execFile, execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const sizeMiB = 1_024
const chunkBytes = 4 * 1024 * 1024

/** A file system of bounded size in memory, for one node, that can be filled up. */
export class SmallDisk {
  readonly folder: string
  readonly #ballast: string
  /** When the process ends early. */
  readonly #leave = (): void => void execFileSync('umount', ['--lazy', this.folder])

  /** Resolves with `undefined` where mounting is not permitted. */
  static async mount(folder: string): Promise<SmallDisk | undefined> {
    mkdirSync(folder, { recursive: true })
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', folder])
    } catch {
      return undefined
    }
    return new SmallDisk(folder)
  }

  private constructor(folder: string) {
    this.folder = folder
    process.once('exit', this.#leave)
    this.#ballast = join(folder, 'ballast')
  }

  /** Leaves about so many bytes free. */
  fill(leftBytes: number): void {
    const file = openSync(this.#ballast, 'w')
    const chunk = new Uint8Array(chunkBytes)
    try {
      while (this.#freeBytes() > leftBytes)
        writeSync(file, chunk, 0, Math.min(chunkBytes, this.#freeBytes() - leftBytes))
      fsyncSync(file)
    } catch (error) {
      // The node wrote as well: then it is full, which is what was asked for.
      if ((error as { readonly code?: string }).code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  /** For the node that comes after. */
  empty(dataFolder: string): void {
    rmSync(dataFolder, { recursive: true, force: true })
  }

  async unmount(): Promise<void> {
    process.off('exit', this.#leave)
    await run('umount', ['--lazy', this.folder])
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder)
    return bavail * bsize
  }
}
