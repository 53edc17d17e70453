import { type ByteString, byteStringFromBytes } from '../../base/bytes.ts'
import type { KeyValue, WatchEvent } from '../../contracts/store.ts'
import type { Statement } from './connections.ts'
import { bufferOf } from './key-bounds.ts'
import type { Row } from './library.ts'
import type { Place } from './place.ts'

/** `from <= key < end` */
export interface Span {
  readonly from: ByteString
  readonly end: ByteString
}

/** Events, and bytes of them, read with one statement. A revision is never cut: a single one may be larger. */
const eventsMax = 1_000
const bytesMax = 4 * 1024 * 1024

/** An event with the version before, where that was asked for. */
export interface HistoryEvent {
  readonly revision: number
  readonly event: WatchEvent
}

export interface HistoryPage {
  /** All events of the spans up to here are in the page, or were before it. */
  readonly upTo: number
  readonly newest: number
  readonly compactRevision: number
  /** Events up to here may be missing: those between it and the compact revision are still whole. */
  readonly purgedRevision: number
  readonly events: readonly HistoryEvent[]
}

/** The events after `after` in any of the spans, in the order of revision and key. With `only`, all those of that one revision. */
export function historyStatement(
  { schema }: Place,
  spans: readonly Span[],
  options: { readonly after: number; readonly only?: number; readonly previous: boolean },
): Statement {
  const { after, only, previous } = options
  const concerned = `exists (select 1 from unnest($2::bytea[], $3::bytea[]) s(low, high) where h.key >= s.low and h.key < s.high)`
  const which = only === undefined ? 'h.revision > $1' : 'h.revision = $1'
  const bounds = only === undefined ? [eventsMax + 1, bytesMax] : [null, Number.MAX_SAFE_INTEGER]
  const before = previous
    ? `left join lateral (
  select o.value as old_value, o.create_revision as old_create, o.revision as old_mod, o.version as old_version, o.lease as old_lease
  from ${schema}.history o where o.key = e.key and o.revision < e.revision order by o.revision desc limit 1
) p on true`
    : ''
  return {
    text: `select m.revision as newest, m.compact_revision as compacted,
  (select p.revision from ${schema}.purge p) as purged, pg_is_in_recovery() as standby, e.*${previous ? ', p.*' : ''}
from ${schema}.meta m
left join lateral (
  select * from (
    select f.*, count(*) over () as available,
      coalesce(sum(octet_length(f.key) + coalesce(octet_length(f.value), 0)) over (order by f.revision, f.key rows between unbounded preceding and 1 preceding), 0) as before
    from (
      select h.* from ${schema}.history h where ${which} and ${concerned} order by h.revision, h.key limit $4
    ) f
  ) measured where before < $5
) e on true
${before}
order by e.revision, e.key`,
    values: [
      only ?? after,
      spans.map(({ from }) => bufferOf(from)),
      spans.map(({ end }) => bufferOf(end)),
      ...bounds,
    ],
  }
}

/** What a statement without `only` found. `cutRevision` is set when not even the first revision is whole: it must be read by itself. */
export function historyPageOf(
  rows: readonly Row[],
): { readonly page: HistoryPage } | { readonly cutRevision: number } {
  const first = rows[0] as Row
  const moment = momentOf(first)
  const found = rows.filter((row) => Buffer.isBuffer(row.key))
  const isCut = found.length > eventsMax || found.length < Number(first.available ?? 0)
  if (!isCut) return { page: { ...moment, upTo: moment.newest, events: found.map(eventOf) } }
  const cutRevision = Number(found.at(-1)?.revision)
  const whole = found.filter((row) => Number(row.revision) < cutRevision)
  if (whole.length === 0) return { cutRevision }
  return { page: { ...moment, upTo: cutRevision - 1, events: whole.map(eventOf) } }
}

/** What a statement with `only` found. */
export function wholeRevisionOf(rows: readonly Row[], revision: number): HistoryPage {
  const first = rows[0] as Row
  const events = rows.filter((row) => Buffer.isBuffer(row.key)).map(eventOf)
  return { ...momentOf(first), upTo: revision, events }
}

function momentOf(row: Row): Pick<HistoryPage, 'newest' | 'compactRevision' | 'purgedRevision'> {
  return {
    newest: Number(row.newest),
    compactRevision: Number(row.compacted),
    purgedRevision: Number(row.purged),
  }
}

function eventOf(row: Row): HistoryEvent {
  const revision = Number(row.revision)
  const key = byteStringFromBytes(row.key as Buffer)
  const previous = previousOf(key, row)
  const carried = previous === undefined ? {} : { previous }
  if (Number(row.version) === 0)
    return { revision, event: { type: 'delete', key, modRevision: revision, ...carried } }
  const kv: KeyValue = {
    key,
    value: row.value as Buffer,
    createRevision: Number(row.create_revision),
    modRevision: revision,
    version: Number(row.version),
    lease: Number(row.lease),
  }
  return { revision, event: { type: 'put', kv, ...carried } }
}

function previousOf(key: ByteString, row: Row): KeyValue | undefined {
  const version = Number(row.old_version ?? 0)
  if (version === 0) return undefined
  return {
    key,
    value: row.old_value as Buffer,
    createRevision: Number(row.old_create),
    modRevision: Number(row.old_mod),
    version,
    lease: Number(row.old_lease),
  }
}
