import type { BareClient, BareKind, BareTarget } from './bare-client.ts'
import { openBareEtcd } from './bare-etcd.ts'
import { openBareNats } from './bare-nats.ts'
import { openBarePostgres, openPostgresJournal } from './bare-postgres.ts'
import { openBareRedis, openRedisJournal } from './bare-redis.ts'

const openers: Readonly<Record<BareKind, (address: string) => Promise<BareClient>>> = {
  etcd: openBareEtcd,
  postgres: openBarePostgres,
  'postgres-journal': openPostgresJournal,
  redis: openBareRedis,
  'redis-journal': openRedisJournal,
  nats: openBareNats,
}

/** Makes what it needs in the server (a table, a stream) where it is not there. */
export function openBare({ kind, address }: BareTarget): Promise<BareClient> {
  return openers[kind](address)
}
