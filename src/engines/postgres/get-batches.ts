import type { ByteString } from '../../base/bytes.ts'
import type { KeyValue, RangeReply } from '../../contracts/store.ts'
import type { StatementBatch } from './connections.ts'
import { bufferOf } from './key-bounds.ts'
import type { Row } from './library.ts'
import type { Place } from './place.ts'

/**
 * Reads of one key each, as the store is now: those that wait together are one statement, which sees one moment later than the call of each. The numbers of a row come as one text: every column costs
 * both ends, more than a key does.
 *
 *     numbers   the newest revision, or -1 from a standby; then, where there is the key, its create and mod revision, version and lease
 *     value     null where there is no such key
 */
export function getBatches({ schema }: Place): StatementBatch<ByteString, RangeReply> {
  const columns = `concat_ws(' ', case when pg_is_in_recovery() then -1 else m.revision end,
  k.create_revision, k.mod_revision, k.version, k.lease) as numbers, k.value`
  // A plan for one key is made once; one for an array of them is made anew, for its length.
  const one = `select ${columns} from ${schema}.meta m left join ${schema}.keys k on k.key = $1`
  const many = `select ${columns}
from ${schema}.meta m cross join unnest($1::bytea[]) with ordinality wanted(wanted_key, place)
left join ${schema}.keys k on k.key = wanted.wanted_key order by wanted.place`
  return {
    isMutation: false,
    sentMax: 2,
    requestsMax: 256,
    bytesMax: Number.MAX_SAFE_INTEGER,
    callOf: (keys) => {
      const values = keys.map(bufferOf)
      return values.length === 1
        ? { name: `althing_get_${schema}`, text: one, values, isOfStandby }
        : { name: `althing_gets_${schema}`, text: many, values: [values], isOfStandby }
    },
    repliesOf: (rows, keys) => rows.map((row, i) => replyOf(row, keys[i] as ByteString)),
  }
}

function isOfStandby({ numbers }: Row): boolean {
  return (numbers as string).startsWith('-')
}

function replyOf({ numbers, value }: Row, key: ByteString): RangeReply {
  const [revision, createRevision, modRevision, version, lease] = (numbers as string)
    .split(' ')
    .map(Number) as [number, number, number, number, number]
  if (value === null) return { revision, kvs: [], count: 0, more: false }
  const found: KeyValue = { key, value: value as Buffer, createRevision, modRevision, version, lease }
  return { revision, kvs: [found], count: 1, more: false }
}
