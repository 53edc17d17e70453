import type { GroupId } from '../group-id.ts'
import type { GroupState } from './group-state.ts'
import type { SegmentSummary } from './recovery.ts'
import { segmentPath } from './segment-files.ts'
import type { WalDependencies } from './write-ahead-log.ts'

/** With more segments than this, a group that needs the oldest one is told that it holds them back. */
export const pinnedSegmentsMax = 4
/** Groups that may be told at once: each answers with a snapshot. */
const toldMax = 16

/** Which segments there are, who needs the oldest, and its removal when nobody does. */
export class Retention {
  readonly segments: SegmentSummary[]
  readonly #dependencies: WalDependencies
  readonly #groups: ReadonlyMap<GroupId, GroupState>
  #removing: Promise<void> = Promise.resolve()

  constructor(
    dependencies: WalDependencies,
    segments: readonly SegmentSummary[],
    groups: ReadonlyMap<GroupId, GroupState>,
  ) {
    this.#dependencies = dependencies
    this.segments = [...segments]
    this.#groups = groups
  }

  get last(): SegmentSummary {
    return this.segments.at(-1) as SegmentSummary
  }

  /** Removes the oldest segments that no group needs. Never the one that is being written. */
  release(): Promise<void> {
    this.#removing = this.#removing.then(() => this.#dependencies.latch.guard(() => this.#remove()))
    // The next call waits on this promise too, but need not be made for the failure to be handled.
    this.#removing.catch(() => undefined)
    return this.#removing
  }

  /** A segment has been started. Where too many are kept, whoever needs the oldest is asked to do without it. */
  async check(): Promise<void> {
    if (this.segments.length <= pinnedSegmentsMax) return
    await this.#doWithoutSnapshotted()
    this.#tell()
  }

  async settle(): Promise<void> {
    await this.#removing.catch(() => undefined)
  }

  async #remove(): Promise<void> {
    const { disk, directory } = this.#dependencies
    while (this.segments.length > 1) {
      const oldest = this.segments[0] as SegmentSummary
      if (this.#holders(oldest).length > 0) break
      this.segments.shift()
      await disk.remove(segmentPath(directory, oldest.sequence))
      // One by one, so that a crash never leaves a gap between segments.
      await disk.syncDirectory(directory)
    }
    if (this.segments.length > pinnedSegmentsMax) this.#tell()
  }

  /** Entries that are kept only for followers that are a little behind: those get the snapshot instead. */
  async #doWithoutSnapshotted(): Promise<void> {
    const oldest = this.segments[0] as SegmentSummary
    let hasFreed = false
    for (const state of this.#holders(oldest)) {
      const needed = neededIndex(oldest, state)
      if (needed > state.snapshotIndex) continue
      state.compactedIndex = needed
      hasFreed = true
    }
    if (hasFreed) await this.release().catch(() => undefined)
  }

  /** Those that were told longest ago first; the others when one of them has answered. */
  #tell(): void {
    const now = this.last.sequence
    const holders = this.#holders(this.segments[0] as SegmentSummary)
    const waiting = holders.filter((state) => state.toldAtSequence < now)
    const room = toldMax - (holders.length - waiting.length)
    waiting.sort((a, b) => a.toldAtSequence - b.toldAtSequence)
    for (const state of waiting.slice(0, Math.max(room, 0))) {
      state.toldAtSequence = now
      state.pinned()
    }
  }

  #holders(segment: SegmentSummary): GroupState[] {
    const holders: GroupState[] = []
    for (const group of segment.indexMax.keys()) {
      const state = this.#groups.get(group)
      if (state !== undefined && neededIndex(segment, state) > state.compactedIndex) holders.push(state)
    }
    return holders
  }
}

/** The last index of the group for which the segment is kept: an entry that was overwritten since is not needed. */
function neededIndex({ indexMax }: SegmentSummary, { group, nextIndex }: GroupState): number {
  return Math.min(indexMax.get(group) ?? 0, nextIndex - 1)
}
