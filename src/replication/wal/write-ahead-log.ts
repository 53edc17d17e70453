import { assert } from '../../base/assert.ts'
import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { AlthingError } from '../../contracts/errors.ts'
import { type Disk, type DiskFile, maxFrameBytes } from '../../contracts/world.ts'
import type { Entry, HardState } from '../../protocols/raft/types.ts'
import { corruptFile, type FailureLatch } from './failure-latch.ts'
import type { StorageIdentity } from './identity.ts'
import { type Item, itemBytes, writeItem } from './items.ts'
import { alignUp, recordBytes, recordHeaderBytes, recordTerminator, sealRecord } from './record.ts'
import type { RecoveredLog, SegmentSummary } from './recovery.ts'
import { createSegment, renewSegment, segmentPath } from './segment-files.ts'
import { encodeSeal, recordsOffset, sealOffset } from './segment-header.ts'

export interface WalOptions {
  /** Size of a segment (default 64 MiB, at least 4 KiB). A larger record gets a segment of its own size. */
  readonly segmentBytes: number
  /** Bytes of waiting appends that one durable write takes together (default 4 MiB). One entry is always taken. */
  readonly groupBytesMax: number
}

export const walDefaults: WalOptions = { segmentBytes: 64 * 1024 * 1024, groupBytesMax: 4 * 1024 * 1024 }

export interface WalDependencies {
  readonly disk: Disk
  readonly directory: string
  readonly identity: StorageIdentity
  readonly latch: FailureLatch
}

/** Items that enter the log together; `done` only with the last piece of a large append. */
interface Job {
  readonly items: readonly Item[]
  readonly bytes: number
  readonly done?: Deferred<void>
}

/** Zeros are laid this far ahead of the records: a sync that need not allocate blocks takes half the time. */
const fillAheadBytes = 1024 * 1024

/**
 * The write-ahead log of one node: one durable write at a time, each taking all that waits (group commit). The caller bounds what waits: raft's
 * limits on uncommitted bytes and on bytes in flight do.
 */
export class WriteAheadLog {
  readonly #dependencies: WalDependencies
  readonly #options: WalOptions
  readonly #segments: SegmentSummary[]
  #file: DiskFile
  #sizeBytes: number
  #offset: number
  #crc: number
  #hardState: HardState
  /** One more than the highest index that was ever in the log: what lies below it in removed segments, a snapshot stands for. */
  #nextIndex: number
  #filledTo: number
  #fill: Promise<void> | undefined
  #queue: Job[] = []
  #writing: Promise<void> | undefined
  #removing: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(
    dependencies: WalDependencies,
    options: WalOptions,
    file: DiskFile,
    recovered: RecoveredLog,
  ) {
    this.#dependencies = dependencies
    this.#options = options
    this.#file = file
    this.#segments = [...recovered.segments]
    this.#sizeBytes = recovered.sizeBytes
    this.#offset = recovered.endOffset
    this.#crc = recovered.crc
    this.#hardState = recovered.image.hardState
    const indexesMax = recovered.segments.map((segment) => segment.indexMax)
    this.#nextIndex = Math.max(recovered.image.nextIndex, ...indexesMax.map((index) => index + 1))
    this.#filledTo = alignUp(recovered.endOffset, 4096)
  }

  /** Makes the first segment of a new log; {@link recoverLog} then finds it. */
  static async create(dependencies: WalDependencies, options: WalOptions): Promise<void> {
    const { disk, directory, identity } = dependencies
    const file = await createSegment(disk, directory, {
      ...identity,
      sizeBytes: options.segmentBytes,
      sequence: 1,
      nextIndex: 1,
      previousCrc: 0,
      hardState: { term: 0, vote: 0 },
    })
    await file.close()
  }

  static async open(
    dependencies: WalDependencies,
    options: WalOptions,
    recovered: RecoveredLog,
  ): Promise<WriteAheadLog> {
    const { sequence } = recovered.segments.at(-1) as SegmentSummary
    const { disk, directory } = dependencies
    const { sizeBytes, endOffset } = recovered
    const file = await renewSegment(disk, segmentPath(directory, sequence), { sizeBytes, endOffset })
    await disk.syncDirectory(directory)
    return new WriteAheadLog(dependencies, options, file, recovered)
  }

  append(hardState: HardState | undefined, entries: readonly Entry[]): Promise<void> {
    const items: Item[] = hardState === undefined ? [] : [{ type: 'hardState', hardState }]
    for (const entry of entries) {
      assert(entry.data.byteLength <= maxFrameBytes, 'a log entry is larger than a frame', {
        index: entry.index,
      })
      items.push({ type: 'entry', entry })
    }
    return this.#submit(items)
  }

  reset(index: number, term: number, hardState: HardState): Promise<void> {
    return this.#submit([
      { type: 'hardState', hardState },
      { type: 'reset', index, term },
    ])
  }

  /** Removes the oldest segments that hold no entry after `index`. Never the one that is being written. */
  compact(index: number): Promise<void> {
    this.#removing = this.#removing.then(() => this.#dependencies.latch.guard(() => this.#remove(index)))
    // The next call waits on this promise too, but need not be made for the failure to be handled.
    this.#removing.catch(() => undefined)
    return this.#removing
  }

  /** Waits for what was appended. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#writing
    await this.#fill
    await this.#removing.catch(() => undefined)
    await this.#file.close()
  }

  async #submit(items: readonly Item[]): Promise<void> {
    this.#dependencies.latch.check()
    if (this.#closed) throw new AlthingError('closed', 'the storage is closed', { outcome: 'none' })
    const jobs = splitIntoJobs(items, this.#options.groupBytesMax)
    const last = jobs.at(-1)
    if (last === undefined) {
      await this.#writing
      return this.#dependencies.latch.check()
    }
    const done = createDeferred<void>()
    for (const job of jobs) this.#queue.push(job === last ? { ...job, done } : job)
    // One turn of the microtask queue later, so that all appends of the caller's turn are one write.
    this.#writing ??= Promise.resolve().then(() => this.#writeAll())
    return done.promise
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup()
      try {
        this.#dependencies.latch.check()
        await this.#writeGroup(group)
      } catch (error) {
        const failure = this.#dependencies.latch.fail(error)
        for (const job of group) job.done?.reject(failure)
        continue
      }
      for (const job of group) job.done?.resolve()
    }
    this.#writing = undefined
  }

  #takeGroup(): Job[] {
    let bytes = 0
    let count = 0
    for (const job of this.#queue) {
      if (count > 0 && bytes + job.bytes > this.#options.groupBytesMax) break
      bytes += job.bytes
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #writeGroup(group: readonly Job[]): Promise<void> {
    const payloadLength = group.reduce((sum, job) => sum + job.bytes, 1)
    const length = recordBytes(payloadLength)
    if (this.#offset + length > this.#sizeBytes) await this.#startSegment(recordsOffset + length)
    const record = Buffer.allocUnsafe(length)
    let at = recordHeaderBytes
    for (const job of group) for (const item of job.items) at = this.#put(record, at, item)
    record[at] = recordTerminator
    const crc = sealRecord(record, payloadLength, this.#offset, this.#crc)
    await this.#reserve(this.#offset + length)
    await this.#file.writeDurably(this.#offset, [record])
    this.#crc = crc
    this.#offset += length
    this.#fillAhead()
  }

  #put(record: Buffer, offset: number, item: Item): number {
    switch (item.type) {
      case 'hardState':
        this.#hardState = item.hardState
        break
      case 'reset':
        this.#nextIndex = Math.max(this.#nextIndex, item.index + 1)
        break
      case 'entry': {
        const segment = this.#segments.at(-1) as SegmentSummary
        segment.indexMax = Math.max(segment.indexMax, item.entry.index)
        this.#nextIndex = Math.max(this.#nextIndex, item.entry.index + 1)
      }
    }
    return writeItem(record, offset, item)
  }

  /** The next segment exists before the seal says so; recovery accepts a crash at any point in between. */
  async #startSegment(minimumBytes: number): Promise<void> {
    const { disk, directory, identity } = this.#dependencies
    const sequence = (this.#segments.at(-1) as SegmentSummary).sequence + 1
    const sizeBytes = Math.max(this.#options.segmentBytes, alignUp(minimumBytes, 4096))
    await this.#fill
    const file = await createSegment(disk, directory, {
      ...identity,
      sizeBytes,
      sequence,
      nextIndex: this.#nextIndex,
      previousCrc: this.#crc,
      hardState: this.#hardState,
    })
    await this.#file.writeDurably(sealOffset, [encodeSeal({ endOffset: this.#offset, crc: this.#crc })])
    await this.#file.close()
    this.#file = file
    this.#sizeBytes = sizeBytes
    this.#offset = recordsOffset
    this.#filledTo = 4096
    this.#segments.push({ sequence, indexMax: 0 })
  }

  /** No zeros may be on their way to where a record is written. */
  async #reserve(end: number): Promise<void> {
    if (end <= this.#filledTo) return
    await this.#fill
    this.#dependencies.latch.check()
    this.#filledTo = Math.max(this.#filledTo, alignUp(end, 4096))
  }

  #fillAhead(): void {
    if (this.#fill !== undefined || this.#filledTo - this.#offset > fillAheadBytes / 2) return
    const from = this.#filledTo
    const to = Math.min(from + fillAheadBytes, this.#sizeBytes)
    if (from >= to) return
    this.#fill = this.#file.writeDurably(from, [Buffer.alloc(to - from)]).then(
      () => {
        this.#filledTo = to
        this.#fill = undefined
      },
      (error: unknown) => {
        this.#dependencies.latch.fail(error)
        this.#fill = undefined
      },
    )
  }

  async #remove(index: number): Promise<void> {
    const { disk, directory } = this.#dependencies
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0] as SegmentSummary
      if (oldest.indexMax > index) return
      this.#segments.shift()
      await disk.remove(segmentPath(directory, oldest.sequence))
      // One by one, so that a crash never leaves a gap between segments.
      await disk.syncDirectory(directory)
    }
  }
}

/** Fits the log to the snapshot, or throws `corrupt` naming what is missing. Returns whether the log must be told that it starts anew. */
export function joinSnapshot(
  directory: string,
  recovered: RecoveredLog,
  snapshot: Parameters<RecoveredLog['image']['join']>[0],
): boolean {
  const joined = recovered.image.join(snapshot)
  if (typeof joined !== 'string') return joined.dropped
  const oldest = recovered.segments[0] as SegmentSummary
  throw corruptFile(segmentPath(directory, oldest.sequence), 0, `${joined} before it are missing`)
}

function splitIntoJobs(items: readonly Item[], bytesMax: number): Job[] {
  const jobs: Job[] = []
  let gathered: Item[] = []
  let bytes = 0
  for (const item of items) {
    const length = itemBytes(item)
    if (gathered.length > 0 && bytes + length > bytesMax) {
      jobs.push({ items: gathered, bytes })
      gathered = []
      bytes = 0
    }
    gathered.push(item)
    bytes += length
  }
  if (gathered.length > 0) jobs.push({ items: gathered, bytes })
  return jobs
}
