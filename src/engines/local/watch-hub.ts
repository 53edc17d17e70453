import type { ByteString } from '../../base/bytes.ts'
import type { KeyRange, KeyValue, WatchBatch, WatchEvent, WatchRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { StoreChange, StoreReader } from '../../models/store/types.ts'
import { validateWatch } from './watch-validation.ts'

/** Where the batches of one watcher go. */
export interface WatchSink {
  /** Takes a batch. `false`: no more until {@link Watcher.resume}; the watcher then costs nothing but its place. */
  push(batch: WatchBatch): boolean
}

export interface Watcher {
  /** The sink wants more. What was missed is read from the store's history; nothing was queued meanwhile. */
  resume(): void
  close(): void
}

interface WatcherState {
  readonly range: KeyRange
  readonly wantsPrevious: boolean
  readonly progressMs: number
  readonly sink: WatchSink
  /** Everything before has been pushed. Only kept up to date while the watcher is behind. */
  nextRevision: number
  /** It gets changes as they are applied. Otherwise it reads the history until it has caught up. */
  isSynced: boolean
  isPaused: boolean
  isCatchingUp: boolean
  lastPushMs: number
  closed: boolean
}

/** Revisions that a watcher reads from the history in one turn of the loop. */
const catchUpRevisions = 1_000
/** Bytes of keys and values after which a batch from the history ends (with its last revision whole). */
const catchUpBytes = 1024 * 1024
const progressTickMs = 500

/**
 * The watchers of one copy of the store. Events go out in revision order, whole revisions, each once. There is no queue: a watcher whose
 * sink is full is set aside, and catches up from the store's own history (or, where that is compacted, by a `resync`).
 */
export class WatchHub {
  readonly #world: World
  readonly #reader: StoreReader
  readonly #byKey = new Map<ByteString, Set<WatcherState>>()
  readonly #byRange = new Set<WatcherState>()
  #published: number
  #progressTimer: Timer | undefined
  #closed = false

  constructor(world: World, reader: StoreReader) {
    this.#world = world
    this.#reader = reader
    this.#published = reader.revision
  }

  get size(): number {
    let size = this.#byRange.size
    for (const watchers of this.#byKey.values()) size += watchers.size
    return size
  }

  /** Sets a watcher on this copy as it is now. The caller has made sure that the copy is new enough. */
  add(request: WatchRequest, sink: WatchSink): Watcher {
    validateWatch(request)
    const { fromRevision } = request
    const state: WatcherState = {
      range: request.end === undefined ? { key: request.key } : { key: request.key, end: request.end },
      wantsPrevious: request.previous ?? false,
      progressMs: request.progressMs ?? 0,
      sink,
      nextRevision: fromRevision ?? this.#published + 1,
      isSynced: false,
      isPaused: false,
      isCatchingUp: false,
      lastPushMs: this.#world.clock.monotonicMs(),
      closed: false,
    }
    this.#register(state)
    this.#push(state, { kind: 'created', revision: state.nextRevision - 1 })
    this.#catchUp(state)
    if (state.progressMs > 0) this.#armProgress()
    return { resume: () => this.#resume(state), close: () => this.#remove(state) }
  }

  /** One applied change, right after it was applied. */
  publish(change: StoreChange): void {
    this.#published = change.revision
    if (change.events.length === 0) return
    const bare = withoutPrevious(change.events)
    for (const watcher of this.#byRange) this.#publishTo(watcher, change, bare)
    if (this.#byKey.size === 0) return
    const touched = new Set<WatcherState>()
    for (const event of change.events) {
      for (const watcher of this.#byKey.get(keyOf(event)) ?? []) touched.add(watcher)
    }
    for (const watcher of touched) this.#publishTo(watcher, change, bare)
  }

  /** The copy was replaced by a newer one: what lies between is in its history, or compacted. */
  replaced(): void {
    const next = this.#published + 1
    this.#published = this.#reader.revision
    for (const watcher of this.#all()) {
      if (watcher.isSynced) watcher.nextRevision = Math.max(watcher.nextRevision, next)
      watcher.isSynced = false
      this.#catchUp(watcher)
    }
  }

  close(): void {
    this.#closed = true
    this.#progressTimer?.cancel()
    this.#byKey.clear()
    this.#byRange.clear()
  }

  #register(watcher: WatcherState): void {
    if (watcher.range.end !== undefined) {
      this.#byRange.add(watcher)
      return
    }
    const { key } = watcher.range
    const watchers = this.#byKey.get(key) ?? new Set()
    watchers.add(watcher)
    this.#byKey.set(key, watchers)
  }

  #remove(watcher: WatcherState): void {
    watcher.closed = true
    this.#byRange.delete(watcher)
    const watchers = this.#byKey.get(watcher.range.key)
    if (watchers?.delete(watcher) === true && watchers.size === 0) this.#byKey.delete(watcher.range.key)
  }

  *#all(): Iterable<WatcherState> {
    yield* this.#byRange
    for (const watchers of this.#byKey.values()) yield* watchers
  }

  #publishTo(watcher: WatcherState, change: StoreChange, bare: readonly WatchEvent[]): void {
    if (!watcher.isSynced || watcher.closed) return
    if (change.revision < watcher.nextRevision) return
    const events = eventsIn(watcher.range, watcher.wantsPrevious ? change.events : bare)
    if (events.length === 0) return
    watcher.nextRevision = change.revision + 1
    this.#push(watcher, { kind: 'events', revision: change.revision, events })
  }

  #push(watcher: WatcherState, batch: WatchBatch): void {
    watcher.lastPushMs = this.#world.clock.monotonicMs()
    if (watcher.sink.push(batch)) return
    watcher.isPaused = true
    if (watcher.isSynced) watcher.nextRevision = Math.max(watcher.nextRevision, this.#published + 1)
    watcher.isSynced = false
  }

  #resume(watcher: WatcherState): void {
    if (!watcher.isPaused || watcher.closed) return
    watcher.isPaused = false
    this.#catchUp(watcher)
  }

  #catchUp(watcher: WatcherState): void {
    if (watcher.isCatchingUp || watcher.isPaused || watcher.closed || this.#closed) return
    if (watcher.nextRevision > this.#published) {
      watcher.isSynced = true
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
    const from = watcher.nextRevision
    let to = Math.min(this.#published, from + catchUpRevisions - 1)
    const events: WatchEvent[] = []
    let bytes = 0
    for (const change of this.#reader.eventsBetween(watcher.range, from, to)) {
      for (const event of watcher.wantsPrevious ? change.events : withoutPrevious(change.events)) {
        events.push(event)
        bytes += event.type === 'put' ? event.kv.value.byteLength + event.kv.key.length : event.key.length
      }
      if (bytes < catchUpBytes) continue
      to = change.revision
      break
    }
    watcher.nextRevision = to + 1
    if (events.length > 0) this.#push(watcher, { kind: 'events', revision: to, events })
  }

  #resync(watcher: WatcherState): void {
    const { kvs, revision } = this.#wholeRange(watcher.range)
    const fromRevision = watcher.nextRevision
    watcher.nextRevision = revision + 1
    this.#push(watcher, { kind: 'resync', fromRevision, revision, kvs })
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
      const nowMs = this.#world.clock.monotonicMs()
      let wanted = false
      for (const watcher of this.#all()) {
        if (watcher.progressMs === 0) continue
        wanted = true
        // Only a synced watcher has everything up to the newest revision; one that is behind must not be told so.
        const isDue =
          watcher.isSynced &&
          watcher.nextRevision <= this.#published + 1 &&
          nowMs - watcher.lastPushMs >= watcher.progressMs
        if (isDue) this.#push(watcher, { kind: 'progress', revision: this.#published })
      }
      if (wanted) this.#armProgress()
    })
  }
}

function keyOf(event: WatchEvent): ByteString {
  return event.type === 'put' ? event.kv.key : event.key
}

function eventsIn(range: KeyRange, events: readonly WatchEvent[]): readonly WatchEvent[] {
  return events.every((event) => isIn(range, keyOf(event)))
    ? events
    : events.filter((event) => isIn(range, keyOf(event)))
}

function isIn({ key, end }: KeyRange, candidate: ByteString): boolean {
  if (end === undefined) return candidate === key
  return candidate >= key && (end === null || candidate < end)
}

function withoutPrevious(events: readonly WatchEvent[]): readonly WatchEvent[] {
  if (events.every((event) => event.previous === undefined)) return events
  return events.map((event) =>
    event.type === 'put'
      ? { type: 'put', kv: event.kv }
      : { type: 'delete', key: event.key, modRevision: event.modRevision },
  )
}
