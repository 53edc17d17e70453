import type { Disk } from '../../../contracts/world.ts'
import type { TakenBackup } from './take-backup.ts'

const readBytes = 1024 * 1024

/**
 * Writes a backup durably: into a temporary file beside, which gets its name when it is whole and synced. After a failure there is no file of that name, or the
 * one that was there before.
 */
export async function writeBackupFile(
  disk: Disk,
  path: string,
  backup: AsyncGenerator<Uint8Array[], TakenBackup, undefined>,
): Promise<TakenBackup> {
  const temporary = `${path}.partial`
  const file = await disk.open(temporary, { create: true })
  let taken: TakenBackup
  try {
    await file.truncate(0)
    taken = await writeAll(backup, (offset, chunks) => file.write(offset, chunks))
    await file.sync()
  } catch (error) {
    await file.close()
    await disk.remove(temporary)
    throw error
  }
  await file.close()
  await disk.rename(temporary, path)
  await disk.syncDirectory(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')
  return taken
}

async function writeAll(
  backup: AsyncGenerator<Uint8Array[], TakenBackup, undefined>,
  write: (offset: number, chunks: readonly Uint8Array[]) => Promise<void>,
): Promise<TakenBackup> {
  let offset = 0
  try {
    for (;;) {
      const next = await backup.next()
      if (next.done === true) return next.value
      await write(offset, next.value)
      for (const chunk of next.value) offset += chunk.byteLength
    }
  } finally {
    // The node is told, when it was the disk that failed.
    await backup.return(undefined as never)
  }
}

/** The bytes of a file. Rejects with `not-found`. */
export async function* fileBytes(disk: Disk, path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await disk.open(path)
  try {
    for (let offset = 0; ; ) {
      const bytes = await file.read(offset, readBytes)
      if (bytes.byteLength === 0) return
      yield bytes
      offset += bytes.byteLength
    }
  } finally {
    await file.close()
  }
}
