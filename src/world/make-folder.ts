import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'

/**
 * Makes a folder, and those above it that are missing. Resolves with the topmost one that it made; `undefined`: it was there already.
 *
 * The recursive `mkdir` of Node.js tries for ever where the folder above is there and making one in it fails with ENOENT all the same, as in `/proc`.
 */
export async function makeFolder(full: string, mode = 0o777): Promise<string | undefined> {
  try {
    return await makeOne(full, mode)
  } catch (error) {
    const parent = path.dirname(full)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === full) throw error
    const first = await makeFolder(parent, mode)
    const made = await makeOne(full, mode)
    return first ?? made
  }
}

async function makeOne(full: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(full, { mode })
    return full
  } catch (error) {
    const isFolder = await stat(full).then(
      (found) => found.isDirectory(),
      () => false,
    )
    if (isFolder) return undefined
    throw error
  }
}
