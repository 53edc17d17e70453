import type { Clock, Disk, DiskFile } from '../contracts/world.ts'

/** Told of each sync of a file to the disk, writes that sync included. */
export type OnSync = (seconds: number) => void

/** The same disk, with a clock at every sync: how long a durable write takes is what decides the speed of a store. */
export function measureDisk(disk: Disk, clock: Clock, onSync: OnSync): Disk {
  return {
    open: async (path, options) => measureFile(await disk.open(path, options), clock, onSync),
    read: (path) => disk.read(path),
    list: (directory) => disk.list(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    freeBytes: (directory) => disk.freeBytes(directory),
    syncDirectory: (path) => disk.syncDirectory(path),
    lock: (directory) => disk.lock(directory),
  }
}

function measureFile(file: DiskFile, clock: Clock, onSync: OnSync): DiskFile {
  const timed = async (sync: () => Promise<void>): Promise<void> => {
    const startedMs = clock.monotonicMs()
    await sync()
    onSync((clock.monotonicMs() - startedMs) / 1_000)
  }
  return {
    size: () => file.size(),
    read: (offset, length) => file.read(offset, length),
    write: (offset, chunks) => file.write(offset, chunks),
    writeDurably: (offset, chunks) => timed(() => file.writeDurably(offset, chunks)),
    sync: () => timed(() => file.sync()),
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  }
}
