import type { ByteString } from '../../base/bytes.ts'
import type { RangeReply } from '../../contracts/store.ts'
import { bufferOf } from './key-bounds.ts'
import type { Place } from './place.ts'
import { keyValueOf } from './range-query.ts'
import type { StatementKind } from './statement-queue.ts'

/** Reads of one key each, as the store is now: those that wait together are one statement, which sees one moment later than the call of each. */
export function getBatches({ schema }: Place): StatementKind<ByteString, RangeReply> {
  const columns = `k.*, (select revision from ${schema}.meta) as newest, pg_is_in_recovery() as standby`
  // A plan for one key is made once; one for an array of them is made anew, for its length.
  const one = `select ${columns} from (values (1)) wanted left join ${schema}.keys k on k.key = $1`
  const many = `select ${columns}
from unnest($1::bytea[]) with ordinality wanted(wanted_key, place)
left join ${schema}.keys k on k.key = wanted.wanted_key order by wanted.place`
  return {
    isMutation: false,
    sentMax: 2,
    requestsMax: 256,
    bytesMax: Number.MAX_SAFE_INTEGER,
    statementOf: (keys) => {
      const values = keys.map(bufferOf)
      return values.length === 1
        ? { name: `althing_get_${schema}`, text: one, values }
        : { name: `althing_gets_${schema}`, text: many, values: [values] }
    },
    repliesOf: (rows) =>
      rows.map((row) => {
        const kvs = row.key === null ? [] : [keyValueOf(row)]
        return { revision: Number(row.newest), kvs, count: kvs.length, more: false }
      }),
  }
}
