import { storeLimits } from '../../contracts/store.ts'
import type { Random } from '../../contracts/world.ts'
import type { Place } from './place.ts'
import type { StatementKind } from './statement-queue.ts'

/**
 * Commands (JSON, see `command-json.ts`) of one client, one statement at a time, each with the number by which the server knows a repeat of it. The replies are those of the server, refusals too.
 */
export function commandBatches({ schema }: Place, random: Random): StatementKind<string, object> {
  const client = uuidOf(random.bytes(16))
  const text = `select ${schema}.apply_batch($1, $2, $3, $4) as reply`
  return {
    isMutation: true,
    // In the server they would wait for each other, and the last number is the only one that it remembers.
    sentMax: 1,
    requestsMax: 256,
    bytesMax: 4 * 1024 * 1024,
    statementOf: (commands, number) => ({
      name: `althing_apply_${schema}`,
      text,
      values: [client, number, `[${commands.join(',')}]`, storeLimits.rangeReplyBytesMax],
    }),
    repliesOf: (rows) => rows[0]?.reply as readonly object[],
  }
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
