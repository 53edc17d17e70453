import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Store } from '../../src/contracts/store.ts'
import type { PostgresPool } from '../../src/engines/postgres/library.ts'
import {
  migratePostgres,
  openPostgresStore,
  type PostgresStoreOptions,
} from '../../src/engines/postgres/open-postgres-store.ts'
import { open } from '../../src/node/althing.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { PostgresServer, postgresUnavailable } from '../engines/servers/postgres-server.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

async function put(store: Store, key: string, text: string): Promise<number> {
  return (await store.txn({ then: [{ op: 'put', key, value: Buffer.from(text) }] })).revision
}

async function get(store: Store, key: string): Promise<string | undefined> {
  const value = (await store.range({ key })).kvs[0]?.value
  return value === undefined ? undefined : Buffer.from(value).toString()
}

describe.skipIf(postgresUnavailable() !== undefined)('the engine of PostgreSQL', () => {
  let server: PostgresServer
  let schemas = 0

  beforeAll(async () => {
    server = await PostgresServer.start()
  })

  afterAll(async () => {
    await server?.stop()
  })

  function fresh(): { readonly url: string; readonly schema: string } {
    return { url: server.url, schema: `store_${++schemas}` }
  }

  async function using<T>(options: PostgresStoreOptions, use: (store: Store) => Promise<T>): Promise<T> {
    const store = await openPostgresStore(world, options)
    try {
      return await use(store)
    } finally {
      await store.close()
    }
  }

  test('makes its tables once, however many programs start at the same time', async () => {
    const options = fresh()
    const stores = await Promise.all(Array.from({ length: 8 }, () => openPostgresStore(world, options)))
    const revisions = await Promise.all(stores.map((store, i) => put(store, `k${i}`, 'v')))
    expect(revisions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    await Promise.all(stores.map((store) => store.close()))
    expect(await server.query(`select version from ${options.schema}.migrations`)).toEqual([
      { version: 1 },
      { version: 2 },
    ])
  })

  test('where it may not make tables, says what is missing, and works once another has made them', async () => {
    const options = { ...fresh(), migrate: false }
    await expect(openPostgresStore(world, options)).rejects.toMatchObject({
      code: 'incompatible-peer',
      outcome: 'none',
      details: { version: 0 },
    })
    await migratePostgres(world, options)
    await using(options, (store) => put(store, 'a', '1'))
  })

  test('leaves tables of a later program alone', async () => {
    const options = fresh()
    await migratePostgres(world, options)
    await server.query(`insert into ${options.schema}.migrations (version, name) values (99, 'later')`)
    await expect(openPostgresStore(world, options)).rejects.toMatchObject({
      code: 'incompatible-peer',
      details: { version: 99 },
    })
  })

  test('keeps stores of different schemas apart, watches too', async () => {
    await using(fresh(), (one) =>
      using(fresh(), async (other) => {
        const watch = other.watch({ key: 'a' })[Symbol.asyncIterator]()
        expect((await watch.next()).value).toEqual({ kind: 'created', revision: 1 })
        await put(one, 'a', 'of the one')
        expect(await get(other, 'a')).toBeUndefined()
        await put(other, 'a', 'of the other')
        expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: 2 })
        await watch.return?.()
      }),
    )
  })

  test('takes the pool of an application, and leaves it open', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 4 })
    const { schema } = fresh()
    const options = { pool: pool as unknown as PostgresPool, schema }
    await using(options, async (store) => {
      expect(store.renewal).toBeUndefined()
      const watch = store.watch({ key: 'a' })[Symbol.asyncIterator]()
      await watch.next()
      await put(store, 'a', '1')
      expect((await watch.next()).value).toMatchObject({ kind: 'events' })
      await watch.return?.()
    })
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(pool.listenerCount('error')).toBe(0)
    await pool.end()
  })

  test('refuses a pool in which calls would wait for each other', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 2 })
    await expect(openPostgresStore(world, { pool: pool as unknown as PostgresPool })).rejects.toMatchObject({
      code: 'invalid-argument',
      details: { field: 'pool' },
    })
    await pool.end()
  })

  test('refuses sessions in which its lock would not order the writers, and brings its own into the right state', async () => {
    await server.query('create role strict superuser login')
    await server.query(`alter role strict set default_transaction_isolation = 'serializable'`)
    const url = server.url.replace('postgres@', 'strict@')
    await using({ ...fresh(), url }, (store) => put(store, 'a', '1'))
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    await expect(openPostgresStore(world, { pool: pool as unknown as PostgresPool })).rejects.toMatchObject({
      code: 'incompatible-peer',
      outcome: 'none',
    })
    await pool.end()
  })

  test('an acknowledged write survives kill -9 though the role has synchronous_commit off', async () => {
    await server.query('create role hasty superuser login')
    await server.query('alter role hasty set synchronous_commit = off')
    const options = { ...fresh(), url: server.url.replace('postgres@', 'hasty@') }
    const revision = await using(options, async (store) => {
      expect(store.capabilities.durability).toBe('disk')
      const revisions = await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, `k${i}`, 'v')))
      await server.kill()
      return Math.max(...revisions)
    })
    await server.restart()
    await using(options, async (store) => {
      expect(await store.range({ key: 'k', end: 'l', countOnly: true })).toMatchObject({
        revision,
        count: 50,
      })
    })
  })

  test('the server knows a repeat of a batch by its number, and refuses one that comes too late', async () => {
    const options = fresh()
    await using(options, async (store) => {
      await put(store, 'a', '0')
      const send = (sequence: number): Promise<unknown> =>
        server.query(
          `select ${options.schema}.apply_batch('00000000-0000-4000-8000-000000000001', ${sequence},
            '[{"type":"txn","compare":[],"then":[{"op":"put","from":"61","end":"6100","value":"31"}],"else":[]}]', 1000) as reply`,
        )
      const first = await send(1)
      expect(await send(1)).toEqual(first)
      expect((await store.range({ key: 'a' })).kvs[0]).toMatchObject({ version: 2, modRevision: 3 })
      await send(2)
      await expect(send(1)).rejects.toMatchObject({ code: '55000' })
      expect((await store.range({ key: 'a' })).kvs[0]).toMatchObject({ version: 3, modRevision: 4 })
    })
  })

  test('it knows a repeat of a batch of puts too, keeps no revision of it, and takes no puts where the order of writers would not hold', async () => {
    const options = fresh()
    await using(options, async (store) => {
      await put(store, 'a', '0')
      const call = (sequence: number): string =>
        `select ${options.schema}.apply_puts('00000000-0000-4000-8000-000000000001', ${sequence}, array['a', 'b', 'a']::bytea[], array['1', '2', '3']::bytea[]) as first`
      expect(await server.query(call(1))).toEqual([{ first: '3' }])
      expect(await server.query(call(1))).toEqual([{ first: '3' }])
      expect((await store.range({ key: 'a' })).kvs[0]).toMatchObject({ version: 3, modRevision: 5 })
      expect(await server.query(call(2))).toEqual([{ first: '6' }])
      await expect(server.query(call(1))).rejects.toMatchObject({ code: '55000' })
      await expect(
        server.query(`begin isolation level serializable; ${call(3)}; commit`),
      ).rejects.toMatchObject({ code: '25000' })
      expect(await store.range({ key: 'b' })).toMatchObject({
        revision: 8,
        kvs: [{ version: 2, createRevision: 4, modRevision: 7 }],
      })
    })
  })

  test('connections that are kept between statements go back to a pool of the application when nothing follows, or when somebody waits', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 3 })
    await using({ schema: fresh().schema, pool: pool as unknown as PostgresPool }, async (store) => {
      await Promise.all([put(store, 'a', '1'), store.range({ key: 'a' }), store.range({ key: 'b' })])
      await Promise.all([0, 1, 2, 3, 4, 5].map(() => pool.query('select pg_sleep(0.01)')))
      await put(store, 'a', '2')
      await vi.waitFor(() => expect(pool.idleCount).toBe(pool.totalCount), { timeout: 10_000 })
    })
    expect(pool.idleCount).toBe(pool.totalCount)
    await pool.end()
  })

  test('clears what was compacted, and only that', async () => {
    const options = fresh()
    await using(options, async (store) => {
      for (let i = 1; i <= 20; i++) await put(store, 'often', String(i))
      await put(store, 'seldom', 'as ever')
      await put(store, 'gone', 'soon')
      const { revision } = await store.txn({ then: [{ op: 'delete', key: 'gone' }] })
      const rows = async (): Promise<number> =>
        Number((await server.query(`select count(*) from ${options.schema}.history`))[0]?.['count'])
      expect(await rows()).toBe(23)
      await store.compact(revision)
      for (let step = 0; step < 3; step++)
        await server.query(`select ${options.schema}.purge_history(100, 0)`)
      expect(await rows()).toBe(2)
      await put(store, 'often', '21')
      expect((await store.range({ key: 'a', end: null, revision })).kvs).toMatchObject([
        { key: 'often', version: 20 },
        { key: 'seldom' },
      ])
    })
  })

  test('compacts by number and by age by itself', async () => {
    const options = fresh()
    await using(options, async (store) => {
      for (let i = 1; i <= 30; i++) await put(store, 'k', String(i))
      const compacted = async (keepRevisions: number, keepMs: number): Promise<number> => {
        await server.query(`select ${options.schema}.mark_and_compact(${keepRevisions}, ${keepMs})`)
        return Number(
          (await server.query(`select compact_revision from ${options.schema}.meta`))[0]?.[
            'compact_revision'
          ],
        )
      }
      expect(await compacted(21, 0)).toBe(0)
      expect(await compacted(20, 0)).toBe(31 - 20)
      expect(await compacted(0, 60_000)).toBe(11)
      await server.query(`update ${options.schema}.marks set at = at - interval '1 minute'`)
      await put(store, 'k', '31')
      expect(await compacted(0, 60_000)).toBe(31)
    })
  })

  test('says what is wrong with an address, a database, a role', async () => {
    const database = server.url.replace(/\/postgres$/, '/nowhere')
    await expect(openPostgresStore(world, { url: database })).rejects.toMatchObject({ code: 'not-found' })
    const role = server.url.replace('postgres@', 'nobody@')
    await expect(openPostgresStore(world, { url: role })).rejects.toMatchObject({ code: 'unauthenticated' })
    const port = 'postgres://postgres@127.0.0.1:1/postgres'
    await expect(openPostgresStore(world, { url: port, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'unavailable',
    })
    await server.query('create role reader login')
    const reader = server.url.replace('postgres@', 'reader@')
    await expect(openPostgresStore(world, { ...fresh(), url: reader })).rejects.toMatchObject({
      code: 'permission-denied',
    })
  })

  test('carries locks: one holder at a time, each with a larger token', async () => {
    const url = `${server.url}?schema=locks`
    const programs = await Promise.all([open(url, { world }), open(url, { world }), open(url, { world })])
    let holders = 0
    const tokens: number[] = []
    await Promise.all(
      programs.map(async ({ locks }) => {
        for (let round = 0; round < 5; round++) {
          const lock = await locks.acquire('one', { ttl: '5s' })
          expect(++holders).toBe(1)
          tokens.push(lock.token)
          await new Promise((resolve) => world.timers.after(2, () => resolve(undefined)))
          holders--
          await lock.release()
        }
      }),
    )
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
    expect(new Set(tokens).size).toBe(15)
    await Promise.all(programs.map((program) => program.close()))
  })
})

describe.skipIf(postgresUnavailable() !== undefined)('a PostgreSQL that does not sync its disk', () => {
  test('is declared to keep things in memory only, and to give no tokens that grow', async () => {
    const server = await PostgresServer.start({ fsync: 'off' })
    const store = await openPostgresStore(world, { url: server.url })
    expect(store.capabilities).toMatchObject({ durability: 'memory', fencing: false })
    await store.close()
    await server.stop()
  })
})
