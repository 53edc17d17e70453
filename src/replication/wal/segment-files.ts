import type { Disk, DiskFile } from '../../contracts/world.ts'
import { encodeMark, markOffset } from './segment-header.ts'

const pattern = /^wal-(\d{10,16})\.log$/

export function segmentPath(directory: string, sequence: number): string {
  return `${directory}/wal-${String(sequence).padStart(10, '0')}.log`
}

/** Sequences of the segments in the folder, ascending. */
export async function listSegments(disk: Disk, directory: string): Promise<number[]> {
  const names = await disk.list(directory)
  return names
    .map((name) => Number(pattern.exec(name)?.[1] ?? Number.NaN))
    .filter((sequence) => !Number.isNaN(sequence))
    .sort((a, b) => a - b)
}

/** Where the file of the next segment is made ready. */
export function sparePath(directory: string): string {
  return `${directory}/wal-spare.tmp`
}

/** A file of zeros, of full size. Durable with its first use. */
export async function createZeros(disk: Disk, path: string, sizeBytes: number): Promise<DiskFile> {
  const file = await disk.open(path, { create: true })
  try {
    await file.truncate(0)
    await file.truncate(sizeBytes)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Writes what the segment begins with (header, mark, first record) and gives the file its name, durably, in this order: a segment with a name is whole. */
export async function nameSegment(
  disk: Disk,
  directory: string,
  spare: DiskFile,
  sequence: number,
  beginning: readonly Uint8Array[],
): Promise<void> {
  await spare.writeDurably(0, beginning)
  await disk.rename(sparePath(directory), segmentPath(directory, sequence))
  await disk.syncDirectory(directory)
}

const copyBytes = 1024 * 1024

/**
 * Puts a copy of the segment's content up to `endOffset`, and zeros after it, in its place; it counts once the folder is synced. What was read from the
 * segment may be in the system's cache only: a process that was killed had not synced it yet, or a sync of it failed, and then every later sync
 * of that file reports success without it (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
 */
export async function renewSegment(
  disk: Disk,
  path: string,
  {
    sizeBytes,
    endOffset,
    mark,
  }: { readonly sizeBytes: number; readonly endOffset: number; readonly mark?: number },
): Promise<DiskFile> {
  const from = await disk.open(path)
  const to = await disk.open(`${path}.tmp`, { create: true })
  try {
    await to.truncate(0)
    await to.truncate(sizeBytes)
    for (let offset = 0; offset < endOffset; offset += copyBytes) {
      await to.write(offset, [await from.read(offset, Math.min(copyBytes, endOffset - offset))])
    }
    if (mark !== undefined) await to.write(markOffset, [encodeMark(mark)])
    await to.sync()
    await disk.rename(`${path}.tmp`, path)
    return to
  } catch (error) {
    await to.close()
    throw error
  } finally {
    await from.close()
  }
}

/** What an interrupted creation left. Never part of the log. */
export async function removeTemporaries(disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    if (name.endsWith('.tmp')) await disk.remove(`${directory}/${name}`)
  }
}
