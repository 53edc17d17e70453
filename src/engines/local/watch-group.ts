import type { KeyRange, WatchBatch, WatchEvent } from '../../contracts/store.ts'
import type { StoreReader } from '../../models/store/types.ts'

/** Where the batches of one watcher go. */
export interface WatchSink {
  /**
   * Takes a batch. `false`: no more until `Watcher.resume`; the watcher then costs nothing but its place. Watchers of the same range are given the same batch
   * object, so that what is made of it (its encoding) can be made once.
   */
  push(batch: WatchBatch): boolean
}

export interface WatcherState {
  readonly group: WatchGroup
  readonly wantsPrevious: boolean
  readonly progressMs: number
  readonly sink: WatchSink
  /** Everything before has been pushed. May lag behind while the watcher is synced and nothing of its range changes. */
  nextRevision: number
  /** It gets changes with its group. Otherwise it reads the history until it has caught up. */
  isSynced: boolean
  /** It has been synced once. */
  wasSynced: boolean
  isPaused: boolean
  isCatchingUp: boolean
  lastPushMs: number
  closed: boolean
}

/** All watchers of one range. */
export class WatchGroup {
  readonly range: KeyRange
  readonly watchers = new Set<WatcherState>()
  /** The first revision with events of the range that have not been handed out; 0 when there is none. */
  pendingFrom = 0
  round: WatchRound | undefined
  /** What a watcher that caught up read last, for others that stand at the same place. */
  history: SharedEvents | undefined

  constructor({ key, end }: KeyRange) {
    this.range = end === undefined ? { key } : { key, end }
  }

  /** Each synced watcher has all that was published. */
  get isIdle(): boolean {
    return this.pendingFrom === 0 && this.round === undefined
  }

  /** The first revision that some synced watcher may not have; `next` when there is none. */
  undeliveredFrom(next: number): number {
    return this.round?.events.from ?? (this.pendingFrom === 0 ? next : this.pendingFrom)
  }
}

/** One walk over the synced watchers of a group with the same events for all. */
export interface WatchRound {
  readonly events: SharedEvents
  readonly watchers: readonly WatcherState[]
  next: number
}

/** The events of a range from one revision to another, as the one batch that all watchers get who stand at the same place. */
export class SharedEvents {
  readonly from: number
  readonly to: number
  readonly #events: readonly WatchEvent[]
  #bare: WatchBatch | undefined
  #withPrevious: WatchBatch | undefined

  constructor(from: number, to: number, events: readonly WatchEvent[]) {
    this.from = from
    this.to = to
    this.#events = events
  }

  get isEmpty(): boolean {
    return this.#events.length === 0
  }

  batch(wantsPrevious: boolean): WatchBatch {
    if (wantsPrevious) return (this.#withPrevious ??= this.#batchOf(this.#events))
    return (this.#bare ??= this.#batchOf(withoutPrevious(this.#events)))
  }

  /** For a watcher that has the first of the revisions already; `undefined` when nothing is left. */
  batchFrom(revision: number, wantsPrevious: boolean): WatchBatch | undefined {
    if (revision <= this.from) return this.batch(wantsPrevious)
    const events = this.#events.filter((event) => revisionOf(event) >= revision)
    if (events.length === 0) return undefined
    return this.#batchOf(wantsPrevious ? events : withoutPrevious(events))
  }

  #batchOf(events: readonly WatchEvent[]): WatchBatch {
    return { kind: 'events', revision: this.to, events }
  }
}

/** Revisions that are read from the history in one turn of the loop. */
const revisionsMax = 1_000
/** Bytes of keys and values after which a batch from the history ends (with its last revision whole). */
const bytesMax = 1024 * 1024

/** What the history has from `from` on, up to a bound. `from` must not be compacted. */
export function readHistory(
  reader: StoreReader,
  range: KeyRange,
  from: number,
  newest: number,
): SharedEvents {
  let to = Math.min(newest, from + revisionsMax - 1)
  const events: WatchEvent[] = []
  let bytes = 0
  for (const change of reader.eventsBetween(range, from, to)) {
    for (const event of change.events) {
      events.push(event)
      bytes += event.type === 'put' ? event.kv.value.byteLength + event.kv.key.length : event.key.length
    }
    if (bytes < bytesMax) continue
    to = change.revision
    break
  }
  return new SharedEvents(from, to, events)
}

function revisionOf(event: WatchEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision
}

function withoutPrevious(events: readonly WatchEvent[]): readonly WatchEvent[] {
  if (events.every((event) => event.previous === undefined)) return events
  return events.map((event) =>
    event.type === 'put'
      ? { type: 'put', kv: event.kv }
      : { type: 'delete', key: event.key, modRevision: event.modRevision },
  )
}
