import { storeLimits } from '../../contracts/store.ts'
import type { Random } from '../../contracts/world.ts'
import { type Command, jsonOf, type TxnReplyJson } from './command-json.ts'
import type { Statement, StatementBatch } from './connections.ts'
import type { Place } from './place.ts'

/**
 * Commands of one client, one statement at a time, each with the number by which the server knows a repeat of it. The replies are those of the server, refusals too. A batch of nothing but lone puts
 * goes to a function that is made for them (`sql/putting.ts`), any other one to `apply_batch` (`sql/applying.ts`).
 */
export function commandBatches({ schema }: Place, random: Random): StatementBatch<Command, object> {
  const client = uuidOf(random.bytes(16))
  const apply = `select ${schema}.apply_batch($1, $2, $3, $4) as reply`
  const putOne = `select ${schema}.apply_puts($1, $2, array[$3::bytea], array[$4::bytea]) as first`
  const putMany = `select ${schema}.apply_puts($1, $2, $3, $4) as first`
  const putStatement = (puts: readonly Put[], number: number): Statement => {
    const [first] = puts as readonly [Put]
    if (puts.length === 1)
      return { name: `althing_put_${schema}`, text: putOne, values: [client, number, first.key, first.value] }
    const keys = puts.map(({ key }) => key)
    const values = puts.map(({ value }) => value)
    return { name: `althing_puts_${schema}`, text: putMany, values: [client, number, keys, values] }
  }
  return {
    isMutation: true,
    // In the server they would wait for each other, and the last number is the only one that it remembers.
    sentMax: 1,
    requestsMax: 256,
    bytesMax: 4 * 1024 * 1024,
    callOf: (commands, number) => {
      const puts = commands.filter((command) => typeof command !== 'string')
      if (puts.length === commands.length) return putStatement(puts, number)
      const json = `[${commands.map(jsonOf).join(',')}]`
      const values = [client, number, json, storeLimits.rangeReplyBytesMax]
      return { name: `althing_apply_${schema}`, text: apply, values }
    },
    repliesOf: ([row], commands) =>
      typeof row?.first === 'number'
        ? repliesOfPuts(row.first, commands.length)
        : (row?.reply as readonly object[]),
  }
}

type Put = Exclude<Command, string>

function repliesOfPuts(first: number, count: number): readonly TxnReplyJson[] {
  const replies: TxnReplyJson[] = []
  for (let i = 0; i < count; i++) replies.push({ revision: first + i, succeeded: true, replies: [{}] })
  return replies
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
