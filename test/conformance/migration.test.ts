// A store that is written to all the time goes from engine to engine, real servers all, and comes home.
import { expect, test } from 'vitest'
import { bytesFromText } from '../../src/base/bytes.ts'
import type { Store } from '../../src/contracts/store.ts'
import type { World } from '../../src/contracts/world.ts'
import { Migration, type MigrationOptions } from '../../src/migration/migration.ts'
import { etcdUnavailable } from '../engines/servers/etcd-servers.ts'
import { natsUnavailable } from '../engines/servers/nats-servers.ts'
import { postgresUnavailable } from '../engines/servers/postgres-server.ts'
import { redisUnavailable } from '../engines/servers/redis-server.ts'
import { openClusterBed } from './beds/cluster-bed.ts'
import { openEtcdBed } from './beds/etcd-bed.ts'
import { openNatsBed } from './beds/nats-bed.ts'
import { openPostgresBed } from './beds/postgres-bed.ts'
import { openRedisBed } from './beds/redis-bed.ts'
import type { TestBed } from './register.ts'

type MigrationWorld = MigrationOptions['world']
type Stop = readonly [name: string, unavailable: string | undefined, open: () => Promise<TestBed>]

const stops: readonly Stop[] = [
  ['etcd', etcdUnavailable(), () => openEtcdBed(1)],
  ['PostgreSQL', postgresUnavailable(), openPostgresBed],
  ['Redis', redisUnavailable(), openRedisBed],
  ['NATS', natsUnavailable(), () => openNatsBed(1)],
]

const pause = ({ timers }: Pick<World, 'timers'>, ms: number): Promise<void> =>
  new Promise((resolve) => void timers.after(ms, resolve))

/** Puts, overwrites and deletes, some at once, until told to stop; tells how many it did. */
function writing(store: Store): { stop(): Promise<number> } {
  let isStopped = false
  const work = (async () => {
    let writes = 0
    for (; !isStopped; writes++) {
      const value = bytesFromText(`value ${writes}`)
      const puts = [`k${writes % 200}`, `other${writes % 7}`].map((key) => ({
        op: 'put' as const,
        key,
        value,
      }))
      const gone = { op: 'delete' as const, key: `k${(writes * 13) % 200}` }
      await store.txn({ then: gone.key === puts[0]?.key ? puts : [...puts, gone] })
    }
    return writes
  })()
  work.catch(() => undefined)
  return {
    stop: () => {
      isStopped = true
      return work
    },
  }
}

async function content(store: Store): Promise<Readonly<Record<string, string>>> {
  const { kvs } = await store.range({ key: '\u0002', end: null })
  return Object.fromEntries(kvs.map(({ key, value }) => [key, Buffer.from(value).toString('utf8')]))
}

/** The whole way of the guide: copy and follow while programs write, stop them, hand over. */
async function move(from: Store, to: Store, world: MigrationWorld): Promise<void> {
  const writes = writing(from)
  const abort = new AbortController()
  const migration = await Migration.begin({ from, to, world, replace: true })
  const following = migration.follow(abort.signal)
  await pause(world, 1_500)
  const written = await writes.stop()
  abort.abort()
  await following
  const { revision } = await from.range({ key: 'k0' })
  const report = await (await Migration.begin({ from, to, world })).cutOver()
  const moved = await content(to)
  expect(moved).toEqual(await content(from))
  expect(report).toMatchObject({ keys: Object.keys(moved).length, leased: 0 })
  expect(report.newRevision).toBeGreaterThan(revision)
  expect(written).toBeGreaterThan(20)
}

test('a cluster moves to each engine outside and comes home, while programs write', async ({ annotate }) => {
  const untested = stops.filter(([, unavailable]) => unavailable !== undefined)
  for (const [name, unavailable] of untested) await annotate(`not tested: ${name}: ${unavailable}`)
  const home = await openClusterBed()
  const beds: TestBed[] = [home]
  const first = await home.open()
  const stores: Store[] = [first]
  try {
    for (let n = 0; n < 500; n++) {
      await first.txn({ then: [{ op: 'put', key: `before${n}`, value: bytesFromText('x'.repeat(n)) }] })
    }
    let now = first
    for (const [, , open] of stops.filter(([, unavailable]) => unavailable === undefined)) {
      const bed = await open()
      beds.push(bed)
      const next = await bed.open()
      stores.push(next)
      await move(now, next, home.world)
      now = next
    }
    await move(now, first, home.world)
    expect(Object.keys(await content(first)).length).toBeGreaterThan(500)
  } finally {
    await Promise.all(stores.map((store) => store.close()))
    await Promise.all(beds.map((bed) => bed[Symbol.asyncDispose]()))
  }
}, 240_000)
