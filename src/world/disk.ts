import { constants } from 'node:fs/promises'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Disk, DiskFile } from '../contracts/world.ts'
import { NodeFile } from './file.ts'
import { lockDirectory } from './folder-lock.ts'
import { makeFolder } from './make-folder.ts'

/** Files under one folder. */
export class NodeDisk implements Disk {
  readonly #root: string

  constructor(dataFolder: string) {
    this.#root = path.resolve(dataFolder)
  }

  async open(name: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    const full = this.#resolve(name)
    const flags = constants.O_RDWR | (options.create === true ? constants.O_CREAT : 0)
    return translated(name, () => NodeFile.open(full, flags))
  }

  read(name: string): Promise<Uint8Array> {
    return translated(name, () => fs.readFile(this.#resolve(name)))
  }

  async list(directory: string): Promise<string[]> {
    try {
      return (await fs.readdir(this.#resolve(directory))).sort()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw diskError(directory, error)
    }
  }

  async makeDirectory(name: string): Promise<void> {
    const full = this.#resolve(name)
    await translated(name, async () => {
      const first = await makeFolder(full, 0o700)
      // The data folder and those above it are out of the reach of `syncDirectory`.
      if (first !== undefined && this.#root.startsWith(first))
        await syncFolders(path.dirname(first), this.#root)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return translated(from, () => fs.rename(this.#resolve(from), this.#resolve(to)))
  }

  remove(name: string): Promise<void> {
    return translated(name, () => removeEntry(this.#resolve(name)))
  }

  async freeBytes(directory: string): Promise<number | undefined> {
    return translated(directory, async () => {
      const { bavail, bsize } = await fs.statfs(this.#resolve(directory))
      return bavail * bsize
    })
  }

  syncDirectory(name: string): Promise<void> {
    return translated(name, () => syncFolder(this.#resolve(name)))
  }

  async lock(directory: string): Promise<{ release(): Promise<void> }> {
    await this.makeDirectory(directory)
    return translated(directory, () => lockDirectory(this.#resolve(directory)))
  }

  #resolve(name: string): string {
    const full = path.resolve(this.#root, name)
    if (full !== this.#root && !full.startsWith(this.#root + path.sep)) {
      throw invalidArgument('path', name, 'a path inside the data folder')
    }
    return full
  }
}

async function removeEntry(full: string): Promise<void> {
  try {
    await fs.rm(full, { force: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_FS_EISDIR') throw error
    await fs.rmdir(full)
  }
}

async function syncFolder(full: string): Promise<void> {
  const handle = await fs.open(full, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** From `top` down to the one that contains `bottom`. */
async function syncFolders(top: string, bottom: string): Promise<void> {
  for (let full = path.dirname(bottom); full.length >= top.length; full = path.dirname(full)) {
    await syncFolder(full)
    if (full === path.dirname(full)) return
  }
}

/** Runs a call to the system and gives its failure as an `AlthingError`. */
export async function translated<T>(name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw diskError(name, error)
  }
}

function diskError(name: string, error: unknown): AlthingError {
  if (error instanceof AlthingError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
  return new AlthingError(isMissing ? 'not-found' : 'disk-failed', `${name}: ${reason}`, { cause: error })
}
