import type { WatchBatch, WatchEvent, WatchRequest } from '../../contracts/store.ts'
import { isInRange, rangeEnd } from '../../models/store/key-space.ts'
import { WatchStream } from '../local/watch-stream.ts'
import type { HistoryEvent } from './changes.ts'

/**
 * - `starting`: not told yet where the store is;
 * - `behind`: reads its own part of the history;
 * - `current`: given what the common reading finds;
 * - `paused`: its consumer has enough; nothing is read for it, or kept.
 */
export type WatchState = 'starting' | 'behind' | 'current' | 'paused'

/** One watch: where it stands, and how events become its batches. */
export class RedisWatch {
  readonly stream: WatchStream
  readonly request: WatchRequest
  state: WatchState = 'starting'
  /** The first revision that it has not been given. */
  nextRevision: number
  /** Its consumer had enough since it was last current: what it misses now, it misses for that. */
  isSlow = false
  lastPushMs = 0
  /** Nothing has been read for it yet: it is told of all that is compacted, not only of what is cleared. */
  isNew = true
  /** What it was told, from this revision on, the server has lost. */
  lostFrom: number | undefined

  constructor(
    request: WatchRequest,
    source: { resume(watch: RedisWatch): void; stop(watch: RedisWatch): void },
  ) {
    this.request = request
    this.nextRevision = request.fromRevision ?? 0
    this.stream = new WatchStream(
      { resume: () => source.resume(this), stop: () => source.stop(this) },
      request.signal,
    )
  }

  get wantsPrevious(): boolean {
    return this.request.previous === true
  }

  /** The server has lost what came after `revision`. */
  historyLost(revision: number): void {
    if (this.state === 'starting' || this.nextRevision - 1 <= revision) return
    this.lostFrom = Math.min(this.lostFrom ?? Infinity, revision + 1)
    if (this.state === 'current') this.state = 'behind'
  }

  /** Gives it its part of `events`, which are all there are up to `upTo`. */
  deliver(events: readonly HistoryEvent[], upTo: number, nowMs: number): void {
    if (upTo < this.nextRevision) return
    const { key: from } = this.request
    const end = rangeEnd(this.request)
    const own: WatchEvent[] = []
    let last = 0
    for (const { revision, event } of events) {
      if (revision < this.nextRevision || revision > upTo) continue
      if (!isInRange(event.type === 'put' ? event.kv.key : event.key, from, end)) continue
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
