import { type ByteString, byteStringFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyRange, WatchEvent } from '../../contracts/store.ts'
import type { Attempt, Connections } from './connections.ts'
import { versionOf } from './key-values.ts'
import { compactedError } from './refusals.ts'
import { scripts } from './script.ts'
import { spanArgs } from './spans.ts'

/** Events, and bytes of them, of one script. */
const eventsMax = 1_000
const bytesMax = 1024 * 1024

/** An event with the version before, where that was asked for. */
export interface HistoryEvent {
  readonly revision: number
  readonly event: WatchEvent
}

export interface HistoryPage {
  /** The name under which the history goes on now, and of the server's process. */
  readonly epoch: string
  readonly run: string
  /** The last revision that is to be believed of what was told under the epoch that the caller named; `undefined` where all of it is. */
  readonly lostAfter: number | undefined
  /** All events of the spans up to here are in the page, or were before it. */
  readonly upTo: number
  readonly newest: number
  readonly compactRevision: number
  /** Events up to here are missing: those between it and the compact revision are still whole. */
  readonly purgedRevision: number
  readonly events: readonly HistoryEvent[]
}

export interface HistoryQuery {
  readonly epoch: string
  readonly after: number
  readonly ranges: readonly KeyRange[]
  readonly previous: boolean
}

interface RawPage {
  readonly page: HistoryPage
  readonly cut: number
  readonly changes: readonly RawChange[]
}

type RawChange = readonly [
  revision: number,
  isPut: number,
  key: Buffer,
  before: number,
  record: Buffer,
  previous: Buffer,
]

/** Reads the log of the store. */
export class ChangesReader {
  readonly #connections: Connections

  constructor(connections: Connections) {
    this.#connections = connections
  }

  /** The events after a revision, in the order of revision and key: whole revisions, at least one where there is one. */
  async page(attempt: Attempt, query: HistoryQuery): Promise<HistoryPage> {
    const first = await this.#script(attempt, query, { after: query.after, position: 1, withValues: true })
    const changes = [...first.changes]
    let { page, cut } = first
    // A single revision that is larger than a page: on from where it was cut, until it is whole.
    while (cut > 0) {
      const rest = await this.#script(attempt, query, { after: page.upTo, position: cut, withValues: true })
      assertSameRun(page.run, rest.page.run)
      for (const change of rest.changes) changes.push(change)
      page = { ...rest.page, lostAfter: page.lostAfter ?? rest.page.lostAfter }
      cut = rest.cut
    }
    return { ...page, events: eventsOf(changes, query.previous) }
  }

  /** The versions that the changes after `at` (up to `to`) have replaced: mod revisions by key, 0 where there was none. */
  async before(
    attempt: Attempt,
    range: KeyRange,
    at: number,
    to: number,
    run: string,
  ): Promise<Map<ByteString, number>> {
    const before = new Map<ByteString, number>()
    const query = { epoch: '', after: at, ranges: [range], previous: false }
    let [after, position] = [at, 1]
    while (after < to) {
      const { page, cut, changes } = await this.#script(attempt, query, {
        after,
        position,
        withValues: false,
      })
      assertSameRun(run, page.run)
      if (page.purgedRevision > at) throw compactedError(at, page.purgedRevision)
      for (const [, , key, mod] of changes) {
        const name = byteStringFromBytes(key)
        if (!before.has(name)) before.set(name, mod)
      }
      after = page.upTo
      position = cut === 0 ? 1 : cut
    }
    return before
  }

  async #script(
    attempt: Attempt,
    { epoch, ranges, previous }: HistoryQuery,
    from: { readonly after: number; readonly position: number; readonly withValues: boolean },
  ): Promise<RawPage> {
    const tried = await this.#connections.try(
      {
        script: scripts.changes,
        args: [
          epoch,
          String(from.after),
          String(from.position),
          String(eventsMax),
          String(bytesMax),
          from.withValues ? '1' : '0',
          previous ? '1' : '0',
          ...spanArgs(ranges),
        ],
      },
      attempt,
    )
    if ('failure' in tried) throw tried.failure.error
    const [name, run, lost, newest, compactRevision, purgedRevision, upTo, cut, changes] = tried.answer as [
      Buffer,
      Buffer,
      number,
      number,
      number,
      number,
      number,
      number,
      RawChange[],
    ]
    return {
      cut,
      changes,
      page: {
        epoch: name.toString(),
        run: run.toString(),
        lostAfter: lost === -1 ? undefined : lost,
        upTo,
        newest,
        compactRevision,
        purgedRevision,
        events: [],
      },
    }
  }
}

function eventsOf(changes: readonly RawChange[], withPrevious: boolean): HistoryEvent[] {
  const events = changes.map((change) => eventOf(change, withPrevious))
  return events.sort((a, b) => a.revision - b.revision || (keyOf(a.event) < keyOf(b.event) ? -1 : 1))
}

function eventOf(
  [revision, isPut, rawKey, before, record, old]: RawChange,
  withPrevious: boolean,
): HistoryEvent {
  const key = byteStringFromBytes(rawKey)
  const previous = withPrevious && old.byteLength > 0 ? { previous: versionOf(key, before, old) } : {}
  return isPut === 1
    ? { revision, event: { type: 'put', kv: versionOf(key, revision, record), ...previous } }
    : { revision, event: { type: 'delete', key, modRevision: revision, ...previous } }
}

function keyOf(event: WatchEvent): ByteString {
  return event.type === 'put' ? event.kv.key : event.key
}

/** The pieces of a read must come from one server: another may have lost what this one had. */
export function assertSameRun(before: string, now: string): void {
  if (before === now) return
  throw new AlthingError(
    'unavailable',
    'another server, or the same one started anew, answers than a moment ago',
  )
}
