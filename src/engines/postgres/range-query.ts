import { byteStringFromBytes } from '../../base/bytes.ts'
import { type KeyValue, type RangeReply, type RangeRequest, storeLimits } from '../../contracts/store.ts'
import type { Statement } from './connections.ts'
import { boundsOf, bufferOf } from './key-bounds.ts'
import type { Row } from './library.ts'
import type { Place } from './place.ts'
import { compactedError, futureRevisionError } from './refusals.ts'

/** Every row carries the revision of the moment: one statement, one snapshot. */
const head = 'm.revision as newest, m.compact_revision as compacted, pg_is_in_recovery() as standby'
const columns = 'key, value, create_revision, mod_revision, version, lease'

/** One statement for the keys of a range, their number and the revision they were read at. `bytesMax` bounds the keys and values of the reply. */
export function rangeStatement(
  { schema }: Place,
  request: RangeRequest,
  bytesMax: number = storeLimits.rangeReplyBytesMax,
): Statement {
  const { from, end } = boundsOf(request)
  const bounds = [bufferOf(from), bufferOf(end)]
  const at = request.revision
  const source = at === undefined ? currentKeys(schema) : olderKeys(schema)
  const values = at === undefined ? bounds : [...bounds, at]
  const text =
    request.countOnly === true
      ? `select ${head}, c.count from ${schema}.meta m cross join lateral (select count(*) from (${source}) s) c`
      : shownKeys(schema, source, request, values.length)
  return request.countOnly === true
    ? { text, values }
    : { text, values: [...values, request.limit === 0 ? null : (request.limit ?? null), bytesMax] }
}

/** One key, whole, as it is now. */
export function isGet({ end, revision, keysOnly, countOnly }: RangeRequest): boolean {
  return end === undefined && revision === undefined && keysOnly !== true && countOnly !== true
}

function currentKeys(schema: string): string {
  return `select ${columns} from ${schema}.keys where key >= $1 and key < $2`
}

function olderKeys(schema: string): string {
  return `select key, value, create_revision, revision as mod_revision, version, lease from (
    select distinct on (key) * from ${schema}.history where key >= $1 and key < $2 and revision <= $3
    order by key, revision desc
  ) newest_then where version > 0`
}

function shownKeys(schema: string, source: string, request: RangeRequest, bound: number): string {
  const order = request.order === 'descending' ? 'key desc' : 'key'
  const value = request.keysOnly === true ? `''::bytea` : 'value'
  return `select ${head}, c.count, k.* from ${schema}.meta m
cross join lateral (select count(*) from (${source}) s) c
left join lateral (
  select * from (
    select key, value, create_revision, mod_revision, version, lease,
      sum(octet_length(key) + octet_length(value) + 32) over (order by ${order} rows unbounded preceding) as bytes
    from (
      select key, ${value} as value, create_revision, mod_revision, version, lease from (${source}) s order by ${order} limit $${bound + 1}
    ) limited
  ) measured where bytes <= $${bound + 2}
) k on true
order by k.${order}`
}

/** Throws `compacted` or `future-revision`. */
export function rangeReplyOf(rows: readonly Row[], request: RangeRequest): RangeReply {
  const first = rows[0] as Row
  const revision = Number(first.newest)
  const at = request.revision
  if (at !== undefined) {
    if (at > revision) throw futureRevisionError(at, revision)
    if (at < Number(first.compacted)) throw compactedError(at, Number(first.compacted))
  }
  const kvs = rows.flatMap((row) => (Buffer.isBuffer(row.key) ? [keyValueOf(row)] : []))
  const count = first.count === undefined ? kvs.length : Number(first.count)
  return { revision, kvs, count, more: request.countOnly !== true && kvs.length < count }
}

export function keyValueOf(row: Row): KeyValue {
  return {
    key: byteStringFromBytes(row.key as Buffer),
    value: row.value as Buffer,
    createRevision: Number(row.create_revision),
    modRevision: Number(row.mod_revision),
    version: Number(row.version),
    lease: Number(row.lease),
  }
}
