import type { ByteString } from '../../base/bytes.ts'
import { equalBytes } from '../../base/bytes.ts'
import type { KeyRange, KeyValue, WatchEvent } from '../../contracts/store.ts'

/** All events of one revision: what the store's own log says. */
export interface RevisionEvents {
  readonly revision: number
  readonly events: readonly WatchEvent[]
}

/** The truth that watchers are judged by: every revision that changed a key, in order, from the store's first one. */
export class EventLog {
  readonly revisions: readonly RevisionEvents[]
  readonly #byKey = new Map<ByteString, WatchEvent[]>()

  /** `revisions` in any order; empty ones are left out. */
  constructor(revisions: readonly RevisionEvents[]) {
    this.revisions = revisions
      .filter(({ events }) => events.length > 0)
      .sort((a, b) => a.revision - b.revision)
    for (const event of this.revisions.flatMap(({ events }) => events)) {
      const ofKey = this.#byKey.get(eventKey(event))
      if (ofKey === undefined) this.#byKey.set(eventKey(event), [event])
      else ofKey.push(event)
    }
  }

  /** Events of `range` in the revisions `from..to`, both included. */
  between(range: KeyRange, from: number, to: number): RevisionEvents[] {
    const found: RevisionEvents[] = []
    for (
      let i = countBelow(this.revisions, ({ revision }) => revision < from);
      i < this.revisions.length;
      i++
    ) {
      const { revision, events } = this.revisions[i] as RevisionEvents
      if (revision > to) break
      const inRange = events.filter((event) => isInRange(range, eventKey(event)))
      if (inRange.length > 0) found.push({ revision, events: inRange })
    }
    return found
  }

  /** The newest event of `key` at or below `revision`. */
  newestAt(key: ByteString, revision: number): WatchEvent | undefined {
    const ofKey = this.#byKey.get(key) ?? []
    return ofKey[countBelow(ofKey, (event) => eventRevision(event) <= revision) - 1]
  }

  /** The keys of `range` as they were at `revision`. */
  stateAt(range: KeyRange, revision: number): Map<ByteString, KeyValue> {
    const state = new Map<ByteString, KeyValue>()
    for (const { events } of this.between(range, 0, revision)) {
      for (const event of events) applyEvent(state, event)
    }
    return state
  }
}

/** How many at the start of `list` are below, where those that are come first. */
function countBelow<T>(list: readonly T[], isBelow: (item: T) => boolean): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBelow(list[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
}

export function applyEvent(state: Map<ByteString, KeyValue>, event: WatchEvent): void {
  if (event.type === 'put') state.set(event.kv.key, event.kv)
  else state.delete(event.key)
}

export function eventKey(event: WatchEvent): ByteString {
  return event.type === 'put' ? event.kv.key : event.key
}

export function eventRevision(event: WatchEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision
}

export function isInRange({ key, end }: KeyRange, candidate: ByteString): boolean {
  if (end === undefined) return candidate === key
  return candidate >= key && (end === null || candidate < end)
}

export function sameKeyValue(a: KeyValue | undefined, b: KeyValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.key === b.key &&
    a.createRevision === b.createRevision &&
    a.modRevision === b.modRevision &&
    a.version === b.version &&
    a.lease === b.lease &&
    equalBytes(a.value, b.value)
  )
}

/** Compares all but the previous value. */
export function sameEvent(a: WatchEvent, b: WatchEvent): boolean {
  if (a.type === 'put') return b.type === 'put' && sameKeyValue(a.kv, b.kv)
  return b.type === 'delete' && a.key === b.key && a.modRevision === b.modRevision
}
