import type { Disk, DiskFile } from '../../contracts/world.ts'
import { encodeSegmentHeader, type SegmentHeader } from './segment-header.ts'

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

/** Makes the segment at its full size, zeros after the header; it has its name only once that is durable. */
export async function createSegment(disk: Disk, directory: string, header: SegmentHeader): Promise<DiskFile> {
  const path = segmentPath(directory, header.sequence)
  const file = await disk.open(`${path}.tmp`, { create: true })
  try {
    await file.truncate(0)
    await file.truncate(header.sizeBytes)
    await file.write(0, [encodeSegmentHeader(header)])
    await file.sync()
    await disk.rename(`${path}.tmp`, path)
    await disk.syncDirectory(directory)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** What an interrupted creation left. Never part of the log. */
export async function removeTemporaries(disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    if (name.endsWith('.tmp')) await disk.remove(`${directory}/${name}`)
  }
}
