import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { KeyRange, KeyValue, WatchBatch, WatchRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { StoreChange, StoreReader } from '../../models/store/types.ts'
import { readHistory, SharedEvents, WatchGroup, type WatcherState, type WatchSink } from './watch-group.ts'
import { WatchGroups } from './watch-groups.ts'
import { validateWatch } from './watch-validation.ts'

export type { WatchSink } from './watch-group.ts'

export interface Watcher {
  /** The sink wants more. What was missed is read from the store's history; nothing was queued meanwhile. */
  resume(): void
  close(): void
}

export interface WatchHubBounds {
  /** Watchers of one copy of the store, past which more are refused with `overloaded` (default 100,000). */
  readonly watchersMax: number
}

export interface WatchStats {
  readonly watchers: number
  /** Different ranges watched. */
  readonly ranges: number
  /** Watchers set aside until their consumer has read what it was given. */
  readonly setAside: number
  /** How often a watcher that was up to date has been set aside. */
  readonly setAsideTotal: number
  /** How often a watcher was given its whole range, since what it had missed was compacted. */
  readonly resyncsTotal: number
}

/** A group of no more watchers is served in the turn of the loop in which the change is applied. */
const servedAtOnceMax = 64
/** Watchers of a larger group that are served in one turn. */
const servedPerTurn = 500
const progressTickMs = 500
const warnEveryMs = 10_000

/**
 * The watchers of one copy of the store. Events go out in revision order, whole revisions, each once. There is no queue: a watcher whose
 * sink is full is set aside, and catches up from the store's own history (or, where that is compacted, by a `resync`).
 *
 * Watchers of the same range are a group, for which the events of a change are picked once. A large group is walked through in rounds, some watchers in
 * each turn of the loop; what changes meanwhile goes out together in the next round. So the more is written, the larger the batches, and no number of
 * watchers holds the loop up.
 */
export class WatchHub {
  readonly #world: World
  readonly #reader: StoreReader
  readonly #watchersMax: number
  readonly #isInTouch: () => boolean
  readonly #groups = new WatchGroups()
  #size = 0
  #ranges = 0
  #setAside = 0
  #setAsideTotal = 0
  #resyncsTotal = 0
  #warnedMs = Number.NEGATIVE_INFINITY
  #published: number
  #progressTimer: Timer | undefined
  #closed = false

  /** `isInTouch`: whether the copy that is watched hears of changes. Progress is told only while it does. Default: it always does. */
  constructor(
    world: World,
    reader: StoreReader,
    {
      watchersMax = 100_000,
      isInTouch = () => true,
    }: Partial<WatchHubBounds> & { readonly isInTouch?: () => boolean } = {},
  ) {
    if (!(Number.isSafeInteger(watchersMax) && watchersMax >= 1))
      throw invalidArgument('watchersMax', watchersMax, 'a whole number >= 1')
    this.#world = world
    this.#reader = reader
    this.#watchersMax = watchersMax
    this.#isInTouch = isInTouch
    this.#published = reader.revision
  }

  get size(): number {
    return this.#size
  }

  get stats(): WatchStats {
    return {
      watchers: this.#size,
      ranges: this.#ranges,
      setAside: this.#setAside,
      setAsideTotal: this.#setAsideTotal,
      resyncsTotal: this.#resyncsTotal,
    }
  }

  /** Sets a watcher on this copy as it is now. The caller has made sure that the copy is new enough. Throws `overloaded` past the bound. */
  add(request: WatchRequest, sink: WatchSink): Watcher {
    validateWatch(request)
    if (this.#size >= this.#watchersMax) {
      throw new AlthingError('overloaded', `there are ${this.#size} watchers, the most allowed`, {
        details: { limit: this.#watchersMax },
      })
    }
    const state: WatcherState = {
      group: this.#groupOf(request),
      wantsPrevious: request.previous ?? false,
      progressMs: request.progressMs ?? 0,
      sink,
      nextRevision: request.fromRevision ?? this.#published + 1,
      isSynced: false,
      wasSynced: false,
      isPaused: false,
      isCatchingUp: false,
      lastPushMs: this.#world.clock.monotonicMs(),
      closed: false,
    }
    state.group.watchers.add(state)
    this.#size++
    this.#push(state, { kind: 'created', revision: state.nextRevision - 1 })
    this.#catchUp(state)
    if (state.progressMs > 0) this.#armProgress()
    return { resume: () => this.#resume(state), close: () => this.#remove(state) }
  }

  /** One applied change, right after it was applied. */
  publish(change: StoreChange): void {
    this.#published = change.revision
    if (change.events.length === 0 || this.#size === 0) return
    for (const [group, events] of this.#groups.concernedBy(change.events)) {
      if (group.isIdle && group.watchers.size <= servedAtOnceMax) {
        const shared = new SharedEvents(change.revision, change.revision, events)
        for (const watcher of group.watchers) this.#give(watcher, shared)
      } else {
        if (group.pendingFrom === 0) group.pendingFrom = change.revision
        if (group.round === undefined) this.#nextRound(group)
      }
    }
  }

  /** The copy was replaced by a newer one: what lies between is in its history, or compacted. */
  replaced(): void {
    const next = this.#published + 1
    this.#published = this.#reader.revision
    for (const group of [...this.#groups]) {
      const undelivered = group.undeliveredFrom(next)
      group.pendingFrom = 0
      group.round = undefined
      for (const watcher of group.watchers) {
        if (watcher.isSynced) watcher.nextRevision = Math.max(watcher.nextRevision, undelivered)
        watcher.isSynced = false
        this.#catchUp(watcher)
      }
    }
  }

  close(): void {
    this.#closed = true
    this.#progressTimer?.cancel()
    for (const group of [...this.#groups]) {
      for (const watcher of group.watchers) this.#remove(watcher)
    }
  }

  #groupOf(range: KeyRange): WatchGroup {
    const found = this.#groups.get(range)
    if (found !== undefined) return found
    const group = new WatchGroup(range)
    this.#groups.add(group)
    this.#ranges++
    return group
  }

  #remove(watcher: WatcherState): void {
    if (watcher.closed) return
    watcher.closed = true
    if (watcher.isPaused) this.#setAside--
    this.#size--
    const { group } = watcher
    group.watchers.delete(watcher)
    if (group.watchers.size > 0) return
    this.#groups.delete(group)
    this.#ranges--
  }

  /** Begins to hand out what is pending, in a turn of its own, so that all changes of this one go together. */
  #nextRound(group: WatchGroup): void {
    const from = group.pendingFrom
    const nothing = new SharedEvents(from, from - 1, [])
    group.round = { events: nothing, watchers: [], next: 0 }
    this.#world.timers.immediate(() => {
      if (this.#closed || group.round?.events !== nothing) return
      if (from <= this.#reader.compactRevision) {
        this.#dissolve(group, from)
        return
      }
      const events = readHistory(this.#reader, group.range, from, this.#published)
      group.pendingFrom = events.to < this.#published ? events.to + 1 : 0
      group.round = { events, watchers: [...group.watchers], next: 0 }
      this.#serveRound(group)
    })
  }

  #serveRound(group: WatchGroup): void {
    const { round } = group
    if (round === undefined) return
    const end = Math.min(round.watchers.length, round.next + servedPerTurn)
    while (round.next < end) this.#give(round.watchers[round.next++] as WatcherState, round.events)
    if (round.next < round.watchers.length) {
      this.#world.timers.immediate(() => {
        if (!this.#closed && group.round === round) this.#serveRound(group)
      })
      return
    }
    group.round = undefined
    if (group.pendingFrom > 0) this.#nextRound(group)
  }

  /** What is pending has been compacted: each watcher is on its own. */
  #dissolve(group: WatchGroup, from: number): void {
    group.pendingFrom = 0
    group.round = undefined
    for (const watcher of group.watchers) {
      if (!watcher.isSynced) continue
      watcher.nextRevision = Math.max(watcher.nextRevision, from)
      watcher.isSynced = false
      this.#catchUp(watcher)
    }
  }

  /** Gives a synced watcher what it does not have of the events. */
  #give(watcher: WatcherState, events: SharedEvents): void {
    if (!watcher.isSynced || watcher.closed || watcher.nextRevision > events.to || events.isEmpty) return
    const batch = events.batchFrom(watcher.nextRevision, watcher.wantsPrevious)
    watcher.nextRevision = events.to + 1
    if (batch !== undefined) this.#push(watcher, batch)
  }

  #push(watcher: WatcherState, batch: WatchBatch): void {
    watcher.lastPushMs = this.#world.clock.monotonicMs()
    if (watcher.sink.push(batch) || watcher.closed || watcher.isPaused) return
    watcher.isPaused = true
    this.#setAside++
    if (!watcher.isSynced) return
    this.#setAsideTotal++
    watcher.nextRevision = Math.max(watcher.nextRevision, watcher.group.undeliveredFrom(this.#published + 1))
    watcher.isSynced = false
  }

  #resume(watcher: WatcherState): void {
    if (!watcher.isPaused || watcher.closed) return
    watcher.isPaused = false
    this.#setAside--
    this.#catchUp(watcher)
  }

  #catchUp(watcher: WatcherState): void {
    if (watcher.isCatchingUp || watcher.isPaused || watcher.closed || this.#closed) return
    if (watcher.nextRevision > this.#published) {
      watcher.isSynced = true
      watcher.wasSynced = true
      return
    }
    if (watcher.nextRevision <= this.#reader.compactRevision) this.#resync(watcher)
    else this.#pushHistory(watcher)
    watcher.isCatchingUp = true
    this.#world.timers.immediate(() => {
      watcher.isCatchingUp = false
      this.#catchUp(watcher)
    })
  }

  #pushHistory(watcher: WatcherState): void {
    const events = this.#historyFrom(watcher.group, watcher.nextRevision)
    watcher.nextRevision = events.to + 1
    if (!events.isEmpty) this.#push(watcher, events.batch(watcher.wantsPrevious))
  }

  /** Clients that come back after an outage stand at the same place: they share what is read, for a turn of the loop. */
  #historyFrom(group: WatchGroup, from: number): SharedEvents {
    if (group.history?.from === from) return group.history
    const events = readHistory(this.#reader, group.range, from, this.#published)
    if (group.history === undefined) {
      this.#world.timers.immediate(() => {
        group.history = undefined
      })
    }
    group.history = events
    return events
  }

  #resync(watcher: WatcherState): void {
    const { kvs, revision } = this.#wholeRange(watcher.group.range)
    const fromRevision = watcher.nextRevision
    watcher.nextRevision = revision + 1
    this.#resyncsTotal++
    if (watcher.wasSynced) this.#warnOfSlowWatcher(watcher.group.range, fromRevision)
    const reason = watcher.wasSynced ? 'slow' : 'compacted'
    this.#push(watcher, { kind: 'resync', reason, fromRevision, revision, kvs })
  }

  #warnOfSlowWatcher(range: KeyRange, fromRevision: number): void {
    const nowMs = this.#world.clock.monotonicMs()
    if (nowMs - this.#warnedMs < warnEveryMs) return
    this.#warnedMs = nowMs
    this.#world.logger.log('warn', 'a watcher fell so far behind that what it missed is compacted', {
      key: range.key,
      fromRevision,
      compactRevision: this.#reader.compactRevision,
      resyncsTotal: this.#resyncsTotal,
    })
  }

  /** Page by page at one revision: a reply is bounded, a resync must be whole. */
  #wholeRange(range: KeyRange): { readonly kvs: readonly KeyValue[]; readonly revision: number } {
    const first = this.#reader.range(range)
    if (!first.more) return first
    const { revision } = first
    const kvs = [...first.kvs]
    for (let more = true; more; ) {
      const last = kvs[kvs.length - 1] as KeyValue
      const page = this.#reader.range({ ...range, key: `${last.key}\0`, revision })
      for (const kv of page.kvs) kvs.push(kv)
      more = page.more
    }
    return { kvs, revision }
  }

  #armProgress(): void {
    if (this.#progressTimer !== undefined || this.#closed) return
    this.#progressTimer = this.#world.timers.after(progressTickMs, () => {
      this.#progressTimer = undefined
      let wanted = false
      for (const group of [...this.#groups]) wanted = this.#tellProgress(group) || wanted
      if (wanted) this.#armProgress()
    })
  }

  /** Whether a watcher of the group wants to be told. */
  #tellProgress(group: WatchGroup): boolean {
    const nowMs = this.#world.clock.monotonicMs()
    const isInTouch = this.#isInTouch()
    let wanted = false
    for (const watcher of group.watchers) {
      if (watcher.progressMs === 0) continue
      wanted = true
      // Only a synced watcher has everything up to the newest revision; one that is behind must not be told so.
      const isDue =
        isInTouch &&
        group.isIdle &&
        watcher.isSynced &&
        watcher.nextRevision <= this.#published + 1 &&
        nowMs - watcher.lastPushMs >= watcher.progressMs
      if (isDue) this.#push(watcher, { kind: 'progress', revision: this.#published })
    }
    return wanted
  }
}
