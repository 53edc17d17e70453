import { AlthingError } from '../../contracts/errors.ts'
import type { Disk, DiskFile, Logger } from '../../contracts/world.ts'
import type { SnapshotMeta } from '../../protocols/raft/types.ts'
import { asBuffer } from '../entry-codec.ts'
import { corruptFile, inFile } from './failure-latch.ts'
import type { StorageIdentity } from './identity.ts'
import type { GroupId } from '../group-id.ts'
import { type Item, readItems } from './items.ts'
import { type GroupImage, NodeImage } from './node-image.ts'
import { isZero, recordHeaderBytes } from './record.ts'
import { listSegments, segmentPath } from './segment-files.ts'
import {
  decodeMark,
  decodeSeal,
  decodeSegmentHeader,
  encodeSeal,
  recordsOffset,
  recordsOffsetOf,
  type SegmentHeader,
  sealOffset,
} from './segment-header.ts'
import { type ScanEnd, scanRecords } from './segment-scan.ts'

/** A segment that is read no more until it is removed. */
export interface SegmentSummary {
  readonly sequence: number
  /** Highest index of an entry in it, of every group that has one. */
  readonly indexMax: Map<GroupId, number>
}

/** What the segments of a folder hold, and where the next record goes. */
export interface RecoveredLog {
  readonly image: NodeImage
  /** Ascending; the last one is being written. */
  readonly segments: readonly SegmentSummary[]
  readonly sizeBytes: number
  readonly endOffset: number
  readonly crc: number
  /** Of the last segment. In another version than the present one nothing is added to it. */
  readonly version: SegmentHeader['version']
}

type WholeEnd = Exclude<ScanEnd, { kind: 'corrupt' }>

interface ReadSegment {
  readonly header: SegmentHeader
  readonly end: WholeEnd
  readonly summary: SegmentSummary
}

/**
 * Reads every segment, oldest first. Throws `corrupt` for anything but a torn end of the last one; that is cut, after a copy has been kept.
 * Until all segments are known to be whole nothing is written.
 */
export async function recoverLog(
  disk: Disk,
  directory: string,
  identity: StorageIdentity,
  logger: Logger,
): Promise<RecoveredLog | undefined> {
  const sequences = await listSegments(disk, directory)
  if (sequences.length === 0) return undefined
  const segments: ReadSegment[] = []
  const image = new NodeImage()
  let lastBytes: Buffer = Buffer.alloc(0)
  for (const [position, sequence] of sequences.entries()) {
    const path = segmentPath(directory, sequence)
    const { bytes, header } = await readSegmentFile(disk, path, sequence, identity)
    lastBytes = bytes
    checkFollows(path, header, segments.at(-1))
    const isLast = position === sequences.length - 1
    const summaries = segments.map(({ summary }) => summary)
    const segment = readSegment(path, bytes, header, image, summaries)
    checkEnd(path, segment, isLast)
    checkSeal(path, bytes, segment.end, isLast)
    segments.push(segment)
  }
  const last = segments.at(-1) as ReadSegment
  // Also where a seal was read: it may be in the system's cache only (see `renewSegment`).
  const finished = segments.at(-2)
  if (finished !== undefined) await sealSegment(disk, directory, finished)
  if (last.end.kind === 'torn') await cutTail(disk, directory, last, lastBytes, logger)
  return {
    image,
    segments: segments.map(({ summary }) => summary),
    sizeBytes: last.header.sizeBytes,
    endOffset: last.end.offset,
    crc: last.end.crc,
    version: last.header.version,
  }
}

/** Fits the group's log to its snapshot, or throws `corrupt` naming what is missing. Returns whether the log must be told that it starts anew. */
export function joinSnapshot(
  directory: string,
  recovered: RecoveredLog,
  group: GroupId,
  snapshot: SnapshotMeta | undefined,
): boolean {
  const image = recovered.image.groups.get(group) as GroupImage
  const joined = image.log.join(snapshot)
  if (typeof joined !== 'string') return joined.dropped
  const oldest = recovered.segments[0] as SegmentSummary
  const path = segmentPath(directory, oldest.sequence)
  throw corruptFile(path, 0, `of group ${group}, ${joined} before it are missing`)
}

/** The bytes of the file that may be other than zero. */
async function readSegmentFile(
  disk: Disk,
  path: string,
  sequence: number,
  identity: StorageIdentity,
): Promise<{ readonly bytes: Buffer; readonly header: SegmentHeader }> {
  const file = await disk.open(path)
  try {
    const size = await file.size()
    const head = asBuffer(await file.read(0, recordsOffset))
    const header = checkHeader(path, head, size, sequence, identity)
    const mark = header.version === 1 ? undefined : decodeMark(head)
    const end = Math.min(mark ?? size, size)
    return { bytes: asBuffer(await file.read(0, end)), header }
  } finally {
    await file.close()
  }
}

function checkHeader(
  path: string,
  bytes: Buffer,
  size: number,
  sequence: number,
  identity: StorageIdentity,
): SegmentHeader {
  const header = inFile(path, 0, () => decodeSegmentHeader(bytes))
  if (typeof header === 'string') throw corruptFile(path, 0, header)
  if (header.sequence !== sequence) {
    throw corruptFile(path, 0, `its header says it is segment ${header.sequence}`)
  }
  if (size !== header.sizeBytes) {
    throw corruptFile(path, size, `the file should have ${header.sizeBytes} bytes`)
  }
  if (header.clusterId !== identity.clusterId || header.nodeId !== identity.nodeId) {
    throw new AlthingError(
      'conflict',
      `${path} belongs to node ${header.nodeId} of cluster "${header.clusterId}", the folder to node ${identity.nodeId} of ` +
        `cluster "${identity.clusterId}"`,
      { outcome: 'none' },
    )
  }
  return header
}

function checkFollows(path: string, header: SegmentHeader, before: ReadSegment | undefined): void {
  if (before === undefined) return
  if (header.sequence !== before.header.sequence + 1) {
    throw corruptFile(path, 0, `segment ${before.header.sequence + 1}, which comes before it, is missing`)
  }
  if (header.previousCrc !== before.end.crc) {
    throw corruptFile(path, 36, 'the segment before it does not end with the record that this one continues')
  }
}

function readSegment(
  path: string,
  bytes: Buffer,
  header: SegmentHeader,
  image: NodeImage,
  before: readonly SegmentSummary[],
): ReadSegment {
  const summary: SegmentSummary = { sequence: header.sequence, indexMax: new Map() }
  const summaries = [...before, summary]
  const isFirst = before.length === 0
  const from = recordsOffsetOf(header)
  if (isFirst && header.lone !== undefined) image.start(1, header.lone)
  const end = scanRecords(bytes, from, header.previousCrc, ({ offset, payload }) => {
    const items = inFile(path, offset, () => readItems(payload, header.version))
    const isStart = offset === from && header.version !== 1
    const problem = isStart ? readStart(items, image, isFirst) : readRecord(items, image, summaries)
    if (problem !== undefined) throw corruptFile(path, offset, problem)
  })
  if (end.kind === 'corrupt') throw corruptFile(path, end.offset, end.reason)
  return { header, end, summary }
}

/** The first record of a segment, which it has had since it got its name. */
function readStart(items: readonly Item[], image: NodeImage, isFirst: boolean): string | undefined {
  return isFirst ? image.begin(items) : image.compare(items)
}

function readRecord(
  items: readonly Item[],
  image: NodeImage,
  summaries: readonly SegmentSummary[],
): string | undefined {
  for (const item of items) {
    const problem = image.apply(item)
    if (problem !== undefined) return problem
    if (item.type === 'entry') noteEntry(summaries.at(-1) as SegmentSummary, item.group, item.entry.index)
    else if (item.type === 'retired') forgetEntries(summaries, item.group)
  }
  return undefined
}

export function noteEntry({ indexMax }: SegmentSummary, group: GroupId, index: number): void {
  if (index > (indexMax.get(group) ?? 0)) indexMax.set(group, index)
}

/** A later copy of the group begins anew: it needs none of these segments for what an earlier copy has in them. */
export function forgetEntries(summaries: readonly SegmentSummary[], group: GroupId): void {
  for (const { indexMax } of summaries) indexMax.delete(group)
}

function checkEnd(path: string, { end, header }: ReadSegment, isLast: boolean): void {
  if (end.offset === recordsOffsetOf(header) && header.version !== 1) {
    throw corruptFile(path, end.offset, 'the first record, which every segment has, is missing')
  }
  if (end.kind === 'torn' && !isLast) {
    throw corruptFile(path, end.offset, 'the record is incomplete, but a later segment exists')
  }
}

function checkSeal(path: string, bytes: Buffer, end: WholeEnd, isLast: boolean): void {
  const seal = decodeSeal(bytes)
  if (seal === 'none') return
  if (seal === 'damaged') throw corruptFile(path, sealOffset, 'the seal fails its checksum')
  if (isLast) throw corruptFile(path, sealOffset, 'the segment is finished, but the next one is missing')
  if (seal === 'torn') return
  if (seal.crc !== end.crc || seal.endOffset !== end.offset) {
    throw corruptFile(
      path,
      end.offset,
      `the records end here, but by the seal they end at offset ${seal.endOffset}`,
    )
  }
}

async function sealSegment(disk: Disk, directory: string, segment: ReadSegment): Promise<void> {
  const file = await disk.open(segmentPath(directory, segment.header.sequence))
  try {
    const seal = encodeSeal({ endOffset: segment.end.offset, crc: segment.end.crc })
    await file.writeDurably(sealOffset, [seal])
  } finally {
    await file.close()
  }
}

async function cutTail(
  disk: Disk,
  directory: string,
  segment: ReadSegment,
  bytes: Buffer,
  logger: Logger,
): Promise<void> {
  const path = segmentPath(directory, segment.header.sequence)
  const offset = segment.end.offset
  const copyPath = `${path}.${offset}.broken`
  const dirtyEnd = endOfContent(bytes, offset)
  await keepCopy(disk, directory, copyPath, bytes.subarray(0, dirtyEnd))
  const file = await disk.open(path)
  try {
    await overwriteWithZeros(file, offset, dirtyEnd)
  } finally {
    await file.close()
  }
  logger.log('warn', 'the write-ahead log ended in an incomplete record, which was cut', {
    file: path,
    offset,
    copy: copyPath,
  })
}

/** An earlier start may have kept the copy already, and then have died while it cut. */
async function keepCopy(disk: Disk, directory: string, path: string, bytes: Buffer): Promise<void> {
  const name = path.slice(directory.length + 1)
  if ((await disk.list(directory)).includes(name)) return
  const copy = await disk.open(`${path}.tmp`, { create: true })
  try {
    await copy.truncate(0)
    await copy.write(0, [bytes])
    await copy.sync()
  } finally {
    await copy.close()
  }
  await disk.rename(`${path}.tmp`, path)
  await disk.syncDirectory(directory)
}

/**
 * The payload from its end, then the header: wherever a crash stops this, what is left is still known as a torn record.
 */
async function overwriteWithZeros(file: DiskFile, from: number, to: number): Promise<void> {
  const step = 1024 * 1024
  const headerEnd = Math.min(from + recordHeaderBytes, to)
  for (let end = to; end > headerEnd; ) {
    const start = Math.max(headerEnd, end - step)
    await file.writeDurably(start, [Buffer.alloc(end - start)])
    end = start
  }
  await file.writeDurably(from, [Buffer.alloc(headerEnd - from)])
}

function endOfContent(bytes: Buffer, from: number): number {
  let end = bytes.length
  const step = 4096
  while (end > from && isZero(bytes, Math.max(from, end - step), end)) end = Math.max(from, end - step)
  return end
}
