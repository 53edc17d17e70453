import type { WatchBatch, WatchEvent, WatchRequest } from '../../contracts/store.ts'
import { WatchStream } from '../local/watch-stream.ts'
import type { HistoryEvent, Span } from './history-query.ts'
import { boundsOf } from './key-bounds.ts'

/**
 * - `starting`: not told yet where the store is;
 * - `behind`: reads its own part of the history;
 * - `current`: given what the common reading finds;
 * - `paused`: its consumer has enough; nothing is read for it, or kept.
 */
export type WatchState = 'starting' | 'behind' | 'current' | 'paused'

/** One watch: where it stands, and how events become its batches. */
export class PostgresWatch {
  readonly stream: WatchStream
  readonly request: WatchRequest
  readonly span: Span
  state: WatchState
  /** The first revision that it has not been given. */
  nextRevision: number
  /** Its consumer had enough since it was last current: what it misses now, it misses for that. */
  isSlow = false
  lastPushMs = 0
  /** Nothing has been read for it yet: it is told of all that is compacted, not only of what is cleared. */
  isNew = true

  constructor(
    request: WatchRequest,
    source: { resume(watch: PostgresWatch): void; stop(watch: PostgresWatch): void },
  ) {
    this.request = request
    this.span = boundsOf(request)
    this.nextRevision = request.fromRevision ?? 0
    this.state = 'starting'
    this.stream = new WatchStream(
      { resume: () => source.resume(this), stop: () => source.stop(this) },
      request.signal,
    )
  }

  get wantsPrevious(): boolean {
    return this.request.previous === true
  }

  /** Gives it its part of `events`, which are all there are up to `upTo`. */
  deliver(events: readonly HistoryEvent[], upTo: number, nowMs: number): void {
    if (upTo < this.nextRevision) return
    const own: WatchEvent[] = []
    let last = 0
    for (const { revision, event } of events) {
      if (revision < this.nextRevision || revision > upTo) continue
      const key = event.type === 'put' ? event.kv.key : event.key
      if (key < this.span.from || key >= this.span.end) continue
      last = revision
      own.push(this.wantsPrevious || event.previous === undefined ? event : withoutPrevious(event))
    }
    this.nextRevision = upTo + 1
    if (own.length === 0) return
    this.lastPushMs = nowMs
    this.push({ kind: 'events', revision: last, events: own })
  }

  push(batch: WatchBatch): void {
    if (this.stream.push(batch)) return
    this.state = 'paused'
    this.isSlow = true
  }
}

function withoutPrevious(event: WatchEvent): WatchEvent {
  return event.type === 'put'
    ? { type: 'put', kv: event.kv }
    : { type: 'delete', key: event.key, modRevision: event.modRevision }
}
