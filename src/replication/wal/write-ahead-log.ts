import { assert } from '../../base/assert.ts'
import { createDeferred } from '../../base/deferred.ts'
import { type Disk, maxFrameBytes } from '../../contracts/world.ts'
import type { Configuration, Entry, HardState, LogPosition } from '../../protocols/raft/types.ts'
import type { GroupId } from '../group-id.ts'
import { closedError, type FailureLatch } from './failure-latch.ts'
import { type GroupState, groupStateOf, newGroupState, noteItem, startItems } from './group-state.ts'
import type { StorageIdentity } from './identity.ts'
import { type Item, itemBytes, writeItem } from './items.ts'
import { type Job, splitIntoJobs } from './jobs.ts'
import { fillStepBytes, OpenSegment } from './open-segment.ts'
import { alignUp, recordBytes, recordHeaderBytes, recordTerminator, sealRecord } from './record.ts'
import { forgetEntries, noteEntry, type RecoveredLog, type SegmentSummary } from './recovery.ts'
import type { RemovedGroups } from './removed-groups.ts'
import { type RetiredGroup, retiredGroup } from './retired-groups.ts'
import { Retention } from './retention.ts'
import { createZeros, nameSegment, renewSegment, segmentPath, sparePath } from './segment-files.ts'
import { encodeMark, encodeSegmentHeader, markOffset, recordsOffset } from './segment-header.ts'
import type { SpaceWatch } from './space-watch.ts'
import { SpareSegment } from './spare-segment.ts'

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

type EndItem = Extract<Item, { type: 'removed' | 'retired' }>

/**
 * The write-ahead log of one node, shared by its groups: one durable write at a time, each taking all that waits, of whatever group (group commit). The caller bounds what
 * waits: raft's limits on uncommitted bytes and on bytes in flight do.
 */
export class WriteAheadLog {
  readonly #dependencies: WalDependencies
  readonly #options: WalOptions
  readonly #space: SpaceWatch
  readonly #spare: SpareSegment
  readonly #groups = new Map<GroupId, GroupState>()
  readonly #removed: RemovedGroups
  readonly #retired: Map<GroupId, RetiredGroup>
  readonly #retention: Retention
  #segment: OpenSegment
  #crc: number
  #queue: Job[] = []
  #writing: Promise<void> | undefined
  #closed = false

  private constructor(
    dependencies: WalDependencies,
    options: WalOptions,
    space: SpaceWatch,
    recovered: RecoveredLog,
    segment: OpenSegment,
  ) {
    this.#dependencies = dependencies
    this.#options = options
    this.#space = space
    this.#spare = new SpareSegment(dependencies, space, options.segmentBytes)
    this.#segment = segment
    this.#crc = recovered.crc
    this.#removed = recovered.image.removed
    this.#retired = recovered.image.retired
    for (const [group, image] of recovered.image.groups) this.#groups.set(group, groupStateOf(group, image))
    this.#retention = new Retention(dependencies, recovered.segments, this.#groups)
  }

  /** Makes the first segment of a new log; `recoverLog` then finds it. */
  static async create(dependencies: WalDependencies, options: WalOptions): Promise<void> {
    const { disk, directory, identity } = dependencies
    const { record } = sealedRecord([], recordsOffset, 0)
    const file = await createZeros(disk, sparePath(directory), options.segmentBytes)
    try {
      const header = { ...identity, sizeBytes: options.segmentBytes, sequence: 1, previousCrc: 0 }
      await nameSegment(
        disk,
        directory,
        file,
        1,
        beginningOf(header, record, Math.min(fillStepBytes, options.segmentBytes)),
      )
    } finally {
      await file.close()
    }
  }

  static async open(
    dependencies: WalDependencies,
    options: WalOptions,
    space: SpaceWatch,
    recovered: RecoveredLog,
  ): Promise<WriteAheadLog> {
    const { sequence } = recovered.segments.at(-1) as SegmentSummary
    const { disk, directory, latch } = dependencies
    const { sizeBytes, endOffset, version } = recovered
    const path = segmentPath(directory, sequence)
    const filledTo = Math.min(alignUp(endOffset, 4096), sizeBytes)
    const mark = Math.min(filledTo + fillStepBytes, sizeBytes)
    const file = await renewSegment(disk, path, { sizeBytes, endOffset, ...(version === 1 ? {} : { mark }) })
    await disk.syncDirectory(directory)
    const at = { offset: endOffset, filledTo, mark }
    const segment = new OpenSegment({ disk, latch, space, path, file, sizeBytes, ...at })
    const log = new WriteAheadLog(dependencies, options, space, recovered, segment)
    // Nothing is added to a segment of the version before.
    if (version === 1) await log.#startSegment(0)
    return log
  }

  append(group: GroupId, hardState: HardState | undefined, entries: readonly Entry[]): Promise<void> {
    const items: Item[] = hardState === undefined ? [] : [{ type: 'hardState', group, hardState }]
    for (const entry of entries) {
      assert(entry.data.byteLength <= maxFrameBytes, 'a log entry is larger than a frame', {
        index: entry.index,
      })
      items.push({ type: 'entry', group, entry })
    }
    return this.#submit(group, items)
  }

  reset(group: GroupId, index: number, term: number, hardState: HardState): Promise<void> {
    return this.#submit(group, [
      { type: 'hardState', group, hardState },
      { type: 'reset', group, index, term },
    ])
  }

  /** With the hard state that was kept, if an earlier copy was retired. */
  create(group: GroupId, initialConfiguration: Configuration): Promise<void> {
    return this.#submit(group, [{ type: 'created', group, initialConfiguration }])
  }

  /** Nothing is appended to the group from now on. It may be retired, too. */
  remove(group: GroupId): Promise<void> {
    return this.#end({ type: 'removed', group })
  }

  /** All that was appended to the group is durable, and nothing is appended until it is created again. `last`: where its log ends. */
  async retire(group: GroupId, last: LogPosition): Promise<void> {
    const state = this.#groups.get(group)
    assert(state !== undefined, 'the log has no such group', { group })
    const kept = retiredGroup(state.hardState, last, this.#retired.get(group))
    await this.#end({ type: 'retired', group, kept })
  }

  /** What is kept of copies that were retired, also where the group has a new copy. */
  get retired(): ReadonlyMap<GroupId, RetiredGroup> {
    return this.#retired
  }

  wasRemoved(group: GroupId): boolean {
    return this.#removed.has(group)
  }

  /** The group's entries up to `index` are not needed: resolves when the segments that nobody needs any more are gone. */
  compact(group: GroupId, index: number): Promise<void> {
    const state = this.#groups.get(group)
    if (state !== undefined) state.compactedIndex = Math.max(state.compactedIndex, index)
    return this.#retention.release()
  }

  /** A snapshot of the group is durable. */
  snapshotted(group: GroupId, index: number): void {
    const state = this.#groups.get(group)
    if (state !== undefined) state.snapshotIndex = Math.max(state.snapshotIndex, index)
  }

  /** Calls `handler` when the group keeps old segments from being removed: see `RaftStorage.onPinned`. */
  onPinned(group: GroupId, handler: () => void): void {
    const state = this.#groups.get(group)
    if (state !== undefined) state.pinned = handler
  }

  /** Waits for what was appended. */
  async settle(): Promise<void> {
    await this.#writing
  }

  /** Waits for what was appended. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#writing
    await this.#retention.settle()
    await this.#spare.close()
    await this.#segment.close()
  }

  async #end(item: EndItem): Promise<void> {
    await this.#submit(item.group, [item])
    await this.#retention.release()
  }

  async #submit(group: GroupId, items: readonly Item[]): Promise<void> {
    this.#dependencies.latch.check()
    if (this.#closed) throw closedError()
    const jobs = splitIntoJobs(group, items, this.#options.groupBytesMax)
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
      const jobs = this.#takeJobs()
      try {
        this.#dependencies.latch.check()
        await this.#write(jobs)
      } catch (error) {
        const failure = this.#dependencies.latch.fail(error)
        for (const job of jobs) job.done?.reject(failure)
        continue
      }
      for (const job of jobs) job.done?.resolve()
    }
    this.#writing = undefined
  }

  #takeJobs(): Job[] {
    let bytes = 0
    let count = 0
    for (const job of this.#queue) {
      if (count > 0 && bytes + job.bytes > this.#options.groupBytesMax) break
      bytes += job.bytes
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #write(jobs: readonly Job[]): Promise<void> {
    const payloadLength = jobs.reduce((sum, job) => sum + job.bytes, 1)
    const length = recordBytes(payloadLength)
    if (!this.#segment.hasRoom(length)) await this.#startSegment(length)
    const record = Buffer.allocUnsafe(length)
    let at = recordHeaderBytes
    for (const job of jobs) at = this.#putJob(record, at, job)
    record[at] = recordTerminator
    const crc = sealRecord(record, payloadLength, this.#segment.offset, this.#crc)
    await this.#segment.write(record)
    this.#crc = crc
    for (const { items } of jobs) if (isEnd(items[0])) this.#forget(items[0])
    if (this.#segment.isHalfFull) this.#spare.prepare()
  }

  #putJob(record: Buffer, offset: number, { group, items }: Job): number {
    const state = this.#stateFor(group, items[0])
    let indexMax = 0
    let at = offset
    for (const item of items) {
      if (state !== undefined) noteItem(state, item)
      if (item.type === 'entry' && item.entry.index > indexMax) indexMax = item.entry.index
      at = writeItem(record, at, item)
    }
    if (indexMax > 0) noteEntry(this.#retention.last, group, indexMax)
    return at
  }

  /** `undefined` for a group that is retired and is now removed. */
  #stateFor(group: GroupId, first: Item | undefined): GroupState | undefined {
    const kept = this.#retired.get(group)
    if (first?.type === 'created') {
      const hardState = kept?.hardState ?? { term: 0, vote: 0 }
      this.#groups.set(group, newGroupState(group, first.initialConfiguration, hardState))
    }
    const state = this.#groups.get(group)
    const isOnlyRetired = kept !== undefined && first?.type === 'removed'
    assert(state !== undefined || isOnlyRetired, 'the log has no such group', { group })
    return state
  }

  /** Only once its end is durable: until then a restart finds the group, and needs every segment that it had. */
  #forget(item: EndItem): void {
    this.#groups.delete(item.group)
    forgetEntries(this.#retention.segments, item.group)
    if (item.type === 'retired') {
      this.#retired.set(item.group, item.kept)
      return
    }
    this.#retired.delete(item.group)
    this.#removed.add(item.group)
  }

  /** The next segment exists, with all that it needs to stand alone, before the seal says so; recovery accepts a crash at any point in between. */
  async #startSegment(recordLength: number): Promise<void> {
    const { disk, directory, identity, latch } = this.#dependencies
    const sequence = this.#retention.last.sequence + 1
    const items = startItems(this.#groups, this.#removed, this.#retired)
    const { record, crc } = sealedRecord(items, recordsOffset, this.#crc)
    const offset = recordsOffset + record.length
    const sizeBytes = Math.max(this.#options.segmentBytes, alignUp(offset + recordLength, 4096))
    const spare = await this.#spare.take(sizeBytes)
    const filledTo = Math.max(spare.filledTo, alignUp(offset, 4096))
    const header = { ...identity, sizeBytes, sequence, previousCrc: this.#crc }
    await nameSegment(disk, directory, spare.file, sequence, beginningOf(header, record, filledTo))
    await this.#segment.finish(this.#crc)
    const path = segmentPath(directory, sequence)
    const at = { offset, filledTo, mark: filledTo }
    this.#segment = new OpenSegment({
      disk,
      latch,
      space: this.#space,
      path,
      file: spare.file,
      sizeBytes,
      ...at,
    })
    this.#crc = crc
    this.#retention.segments.push({ sequence, indexMax: new Map() })
    void this.#space.look()
    void this.#retention.check()
  }
}

function sealedRecord(
  items: readonly Item[],
  fileOffset: number,
  previousCrc: number,
): { readonly record: Buffer; readonly crc: number } {
  const payloadLength = items.reduce((sum, item) => sum + itemBytes(item), 1)
  const record = Buffer.allocUnsafe(recordBytes(payloadLength))
  let at = recordHeaderBytes
  for (const item of items) at = writeItem(record, at, item)
  record[at] = recordTerminator
  return { record, crc: sealRecord(record, payloadLength, fileOffset, previousCrc) }
}

function beginningOf(
  header: Parameters<typeof encodeSegmentHeader>[0],
  record: Buffer,
  mark: number,
): Buffer[] {
  const head = Buffer.alloc(recordsOffset)
  encodeSegmentHeader(header).copy(head)
  encodeMark(mark).copy(head, markOffset)
  return [head, record]
}

function isEnd(item: Item | undefined): item is EndItem {
  return item?.type === 'removed' || item?.type === 'retired'
}
