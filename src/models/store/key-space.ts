import { assert } from '../../base/assert.ts'
import { BTree } from '../../base/btree.ts'
import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type {
  KeyRange,
  KeyValue,
  LeaseId,
  RangeReply,
  RangeRequest,
  WatchEvent,
} from '../../contracts/store.ts'
import { storeLimits } from '../../contracts/store.ts'
import { StateDigest } from './state-digest.ts'
import { eventBytes, versionBytes } from './store-size.ts'
import type { StoreChange } from './types.ts'

/** All events of one revision, ordered by key, at most one to a key. Immutable. */
export interface RevisionRecord {
  readonly revision: number
  readonly events: readonly WatchEvent[]
  /** Of this and all records before it, also those forgotten: what their events hold on to. The difference of two tells what the records between hold. */
  readonly heldBytesTotal: number
}

/** A view that no later change reaches. */
export interface FrozenKeySpace {
  readonly revision: number
  readonly compactRevision: number
  readonly current: BTree<ByteString, KeyValue>
  /** The revisions kept, oldest first: `records[0]` to `records[recordCount - 1]`. Only the entries below `recordCount` belong to the view. */
  readonly records: readonly RevisionRecord[]
  readonly recordCount: number
}

/** Bytes of replies that may still be gathered; shared by the ranges of one transaction. */
export interface ReplyBudget {
  bytes: number
}

/**
 * Keys at all revisions since the last compaction.
 *
 *     current   key -> its newest version       (live keys only)
 *     records   revision -> what it changed, each event with the version before
 *
 * An older revision is read by undoing the records after it, newest first. So a write costs one change of the tree and one push, a deleted key leaves
 * nothing in the tree, and compaction forgets a prefix of the records and touches no key. The price: a read at an older revision takes time in
 * proportion to the changes made since.
 *
 * A change is made in two steps: `put` and `delete` act on `current` at once and gather events; `commit` gives them the next revision. Whoever calls them has made
 * sure beforehand that nothing can fail between, and that no key is changed twice.
 */
export class KeySpace {
  #revision: number
  #compactRevision: number
  #current: BTree<ByteString, KeyValue>
  /** `#records[i]` has revision `#firstRevision + i`. Only ever appended to; compaction puts another array in its place. */
  #records: RevisionRecord[]
  #pending: WatchEvent[] = []
  /** Of the current versions. */
  readonly #sums: KeySums
  /** `heldBytesTotal` of the newest record that was forgotten. */
  #forgottenBytes = 0

  /** `sums` are those of `state.current`. */
  constructor(state?: FrozenKeySpace, sums: KeySums = new KeySums()) {
    this.#revision = state?.revision ?? 1
    this.#compactRevision = state?.compactRevision ?? 0
    this.#current = state?.current.clone() ?? new BTree()
    this.#records = state?.records.slice(0, state.recordCount) ?? []
    this.#sums = sums
  }

  /** Of the keys and the history, by the formula of `store-size.ts`. */
  get bytes(): number {
    return this.#sums.bytes + this.historyBytes
  }

  /** The part that compaction can free. */
  get historyBytes(): number {
    return (this.#records.at(-1)?.heldBytesTotal ?? this.#forgottenBytes) - this.#forgottenBytes
  }

  /** Of the current versions. */
  get digest(): StateDigest {
    return this.#sums.digest
  }

  get revision(): number {
    return this.#revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  get size(): number {
    return this.#current.size
  }

  get recordCount(): number {
    return this.#records.length
  }

  get(key: ByteString): KeyValue | undefined {
    return this.#current.get(key)
  }

  /** Takes `value` over: the caller must not change it afterwards. Returns the version before. */
  put(key: ByteString, value: Uint8Array, lease: LeaseId | 'keep'): KeyValue | undefined {
    const revision = this.#revision + 1
    const previous = this.#current.get(key)
    const kv: KeyValue = {
      key,
      value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
      lease: lease === 'keep' ? (previous?.lease ?? 0) : lease,
    }
    this.#current.set(key, kv)
    if (previous !== undefined) this.#sums.remove(previous)
    this.#sums.add(kv)
    this.#pending.push(previous === undefined ? { type: 'put', kv } : { type: 'put', kv, previous })
    return previous
  }

  /** Returns the version before; `undefined`, and no event, when there was none. */
  delete(key: ByteString): KeyValue | undefined {
    const previous = this.#current.delete(key)
    if (previous === undefined) return undefined
    this.#sums.remove(previous)
    this.#pending.push({ type: 'delete', key, modRevision: this.#revision + 1, previous })
    return previous
  }

  /** Makes what was changed since the last commit the next revision; `undefined` when nothing was. */
  commit(): RevisionRecord | undefined {
    const events = this.#pending
    if (events.length === 0) return undefined
    this.#pending = []
    if (events.length > 1) events.sort((a, b) => (eventKey(a) < eventKey(b) ? -1 : 1))
    this.#revision++
    let heldBytesTotal = this.#records.at(-1)?.heldBytesTotal ?? this.#forgottenBytes
    for (const event of events) heldBytesTotal += eventBytes(event.previous)
    const record: RevisionRecord = { revision: this.#revision, events, heldBytesTotal }
    this.#records.push(record)
    return record
  }

  range(request: RangeRequest, budget: ReplyBudget = { bytes: storeLimits.rangeReplyBytesMax }): RangeReply {
    const found = new RangeCollector(request, budget)
    if (
      request.revision === undefined ||
      (request.revision === this.#revision && this.#pending.length === 0)
    ) {
      this.#collectCurrent(request, found)
    } else {
      this.#collectOlder(request, request.revision, found)
    }
    return { revision: this.#revision, kvs: found.kvs, count: found.count, more: found.more }
  }

  /** The keys of a range as they are now, in order, whatever their number and size. */
  keysIn(range: KeyRange): KeyValue[] {
    const kvs: KeyValue[] = []
    this.#current.scan(range.key, rangeEnd(range), (kv) => {
      kvs.push(kv)
      return true
    })
    return kvs
  }

  /** Throws `compacted` or `future-revision` when no read can be made there. */
  assertReadable(revision: number): void {
    if (revision > this.#revision) throw futureRevision(revision, this.#revision)
    if (revision < this.#compactRevision) throw compacted(revision, this.#compactRevision)
  }

  eventsBetween(range: KeyRange, from: number, to: number): StoreChange[] {
    if (from <= this.#compactRevision) throw compacted(from, this.#compactRevision)
    if (range.end === undefined && this.#isUnchangedSince(range.key, from)) return []
    const end = rangeEnd(range)
    const changes: StoreChange[] = []
    const first = this.#firstRevision
    for (let revision = Math.max(from, first); revision <= Math.min(to, this.#revision); revision++) {
      const record = this.#records[revision - first] as RevisionRecord
      const events = record.events.filter((event) => isInRange(eventKey(event), range.key, end))
      if (events.length > 0) changes.push({ revision, events, leasesGranted: [], leasesEnded: [] })
    }
    return changes
  }

  /** Forgets what is not needed to read at `revision` and later; a revision that was compacted already changes nothing. */
  compact(revision: number): void {
    if (revision > this.#revision) throw futureRevision(revision, this.#revision)
    if (revision <= this.#compactRevision) return
    const forgotten = Math.max(0, revision + 1 - this.#firstRevision)
    this.#forgottenBytes = this.#records[forgotten - 1]?.heldBytesTotal ?? this.#forgottenBytes
    this.#records = this.#records.slice(forgotten)
    this.#compactRevision = revision
  }

  freeze(): FrozenKeySpace {
    assert(this.#pending.length === 0, 'a key space is frozen between transactions only')
    return {
      revision: this.#revision,
      compactRevision: this.#compactRevision,
      current: this.#current.clone(),
      records: this.#records,
      recordCount: this.#records.length,
    }
  }

  /** Known without a walk, for a key that is there. Whoever holds a right watches its key from when it was made: thousands of them, and hardly ever does one change. */
  #isUnchangedSince(key: ByteString, revision: number): boolean {
    const kv = this.#current.get(key)
    return kv !== undefined && kv.modRevision < revision
  }

  get #firstRevision(): number {
    return this.#revision - this.#records.length + 1
  }

  #collectCurrent(request: RangeRequest, found: RangeCollector): void {
    if (request.end === undefined) {
      const kv = this.#current.get(request.key)
      if (kv !== undefined) found.add(kv)
      found.count = kv === undefined ? 0 : 1
      return
    }
    const end = rangeEnd(request)
    found.count = isEmptyRange(request) ? 0 : this.#current.count(request.key, end)
    if (request.countOnly === true) return
    if (request.order === 'descending') this.#current.scanBackwards(request.key, end, (kv) => found.add(kv))
    else this.#current.scan(request.key, end, (kv) => found.add(kv))
  }

  #collectOlder(request: RangeRequest, revision: number, found: RangeCollector): void {
    this.assertReadable(revision)
    const changedSince = this.#undo(request, revision)
    const kvs = this.keysIn(request).filter((kv) => !changedSince.has(kv.key))
    for (const kv of changedSince.values()) if (kv !== undefined) kvs.push(kv)
    kvs.sort((a, b) => (a.key < b.key ? -1 : 1))
    if (request.order === 'descending') kvs.reverse()
    found.count = kvs.length
    if (request.countOnly !== true) kvs.every((kv) => found.add(kv))
  }

  /** The keys of the range that were changed after `revision`, as they were then. */
  #undo(range: KeyRange, revision: number): Map<ByteString, KeyValue | undefined> {
    const end = rangeEnd(range)
    const before = new Map<ByteString, KeyValue | undefined>()
    const undo = (events: readonly WatchEvent[]): void => {
      for (const event of events) {
        const key = eventKey(event)
        if (isInRange(key, range.key, end)) before.set(key, event.previous)
      }
    }
    undo(this.#pending)
    for (let at = this.#records.length - 1; at >= 0; at--) {
      const record = this.#records[at] as RevisionRecord
      if (record.revision <= revision) break
      undo(record.events)
    }
    return before
  }
}

/** What is known of a set of current versions without looking at each. */
export class KeySums {
  bytes = 0
  readonly digest = new StateDigest()

  add(kv: KeyValue): void {
    this.bytes += versionBytes(kv)
    this.digest.addVersion(kv)
  }

  remove(kv: KeyValue): void {
    this.bytes -= versionBytes(kv)
    this.digest.removeVersion(kv)
  }
}

/** Gathers the keys of one reply within the request's limit and the bytes allowed. */
class RangeCollector {
  readonly kvs: KeyValue[] = []
  count = 0
  more = false
  readonly #request: RangeRequest
  readonly #budget: ReplyBudget
  readonly #limit: number

  constructor(request: RangeRequest, budget: ReplyBudget) {
    this.#request = request
    this.#budget = budget
    this.#limit =
      request.limit === undefined || request.limit === 0 ? Number.POSITIVE_INFINITY : request.limit
  }

  /** False when nothing more is to be added. */
  add(kv: KeyValue): boolean {
    if (this.#request.countOnly === true) return false
    const shown = this.#request.keysOnly === true ? { ...kv, value: noBytes() } : kv
    const bytes = keyValueBytes(shown)
    if (this.kvs.length >= this.#limit || bytes > this.#budget.bytes) {
      this.more = true
      return false
    }
    this.#budget.bytes -= bytes
    this.kvs.push(shown)
    return true
  }
}

/** Counted against the bound on a reply's bytes: key, value, and the numbers about as they go over the wire. */
export function keyValueBytes(kv: KeyValue): number {
  return kv.key.length + kv.value.byteLength + 32
}

export function eventKey(event: WatchEvent): ByteString {
  return event.type === 'put' ? event.kv.key : event.key
}

/** The end of a range as a bound: the successor of the key itself when the range is one key. */
export function rangeEnd(range: KeyRange): ByteString | null {
  return range.end === undefined ? `${range.key}\u0000` : range.end
}

export function isInRange(key: ByteString, from: ByteString, end: ByteString | null): boolean {
  return key >= from && (end === null || key < end)
}

function isEmptyRange(range: KeyRange): boolean {
  return typeof range.end === 'string' && range.end <= range.key
}

function noBytes(): Uint8Array {
  return new Uint8Array(0)
}

function compacted(revision: number, compactRevision: number): AlthingError {
  return new AlthingError(
    'compacted',
    `revision ${revision} has been compacted away: the oldest that can be read is ${compactRevision}, the first event kept is of ${compactRevision + 1}`,
    { outcome: 'none', details: { compactRevision } },
  )
}

function futureRevision(revision: number, newest: number): AlthingError {
  return new AlthingError(
    'future-revision',
    `revision ${revision} is not there yet: the newest is ${newest}`,
    {
      outcome: 'none',
      details: { revision: newest },
    },
  )
}
