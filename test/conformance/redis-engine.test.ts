import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation, RangeReply, Store, WatchBatch } from '../../src/contracts/store.ts'
import type { RedisClient } from '../../src/engines/redis/library.ts'
import { openRedisStore, type RedisStoreOptions } from '../../src/engines/redis/open-redis-store.ts'
import { placeOf } from '../../src/engines/redis/place.ts'
import { scripts } from '../../src/engines/redis/script.ts'
import { open } from '../../src/node/althing.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { RedisServer, redisUnavailable, syncsAlways } from '../engines/servers/redis-server.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

const putting = (key: string, text: string): Operation => ({ op: 'put', key, value: Buffer.from(text) })

async function put(store: Store, key: string, text: string): Promise<number> {
  return (await store.txn({ then: [putting(key, text)] })).revision
}

async function get(store: Store, key: string): Promise<string | undefined> {
  const value = (await store.range({ key })).kvs[0]?.value
  return value === undefined ? undefined : Buffer.from(value).toString()
}

async function next(watch: AsyncIterator<WatchBatch>): Promise<WatchBatch> {
  return (await watch.next()).value as WatchBatch
}

/** Which versions these are: two of them are the same, bytes and all. */
function versionsOf({ kvs }: Pick<RangeReply, 'kvs'>): readonly string[] {
  return kvs.map(
    ({ key, modRevision, value }) => `${key} ${modRevision} ${Buffer.from(value).toString('base64')}`,
  )
}

async function using<T>(options: RedisStoreOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openRedisStore(world, options)
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

describe.skipIf(redisUnavailable() !== undefined)('the engine of Redis', () => {
  let server: RedisServer
  let names = 0

  beforeAll(async () => {
    server = await RedisServer.start({ ...syncsAlways, appendfsync: 'everysec' })
  })

  afterAll(async () => {
    await server?.stop()
  })

  function fresh(): { readonly url: string; readonly prefix: string } {
    return { url: server.url, prefix: `store-${++names}` }
  }

  /** Runs a script of the engine as it would itself. */
  async function run(prefix: string, name: keyof typeof scripts, ...args: string[]): Promise<unknown> {
    const { keys } = placeOf(prefix)
    const identity = String(await server.command('hget', keys[0] as string, 'id'))
    return await server.command('eval', scripts[name].text, String(keys.length), ...keys, identity, ...args)
  }

  test('makes its store once, however many programs start at the same time', async () => {
    const options = fresh()
    const stores = await Promise.all(Array.from({ length: 8 }, () => openRedisStore(world, options)))
    const revisions = await Promise.all(stores.map((store, i) => put(store, `k${i}`, 'v')))
    expect(revisions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    await Promise.all(stores.map((store) => store.close()))
  })

  test('keeps stores of different names apart, watches too, and leaves other keys of the database alone', async () => {
    await server.command('set', 'of another program', 'untouched')
    await using(fresh(), (one) =>
      using(fresh(), async (other) => {
        const watch = other.watch({ key: 'a' })[Symbol.asyncIterator]()
        expect(await next(watch)).toEqual({ kind: 'created', revision: 1 })
        await put(one, 'a', 'of the one')
        expect(await get(other, 'a')).toBeUndefined()
        await put(other, 'a', 'of the other')
        expect(await next(watch)).toMatchObject({ kind: 'events', revision: 2 })
        await watch.return?.()
      }),
    )
    expect(await server.command('get', 'of another program')).toBe('untouched')
  })

  test('makes connections like those of a client of the application, which it leaves open and alone', async () => {
    const [host, port] = server.address.split(':') as [string, string]
    const client = new Redis({ host, port: Number(port), keyPrefix: 'app:', db: 3, stringNumbers: true })
    const { prefix } = fresh()
    await using({ client: client as unknown as RedisClient, prefix }, async (store) => {
      expect(store.renewal).toBeUndefined()
      const watch = store.watch({ key: 'a' })[Symbol.asyncIterator]()
      await next(watch)
      expect(await put(store, 'a', '1')).toBe(2)
      expect(await next(watch)).toMatchObject({ kind: 'events', revision: 2 })
      await watch.return?.()
    })
    expect(await client.call('info', 'keyspace')).toMatch(/^db3:keys=/m)
    expect(await client.call('exists', `{${prefix}}:meta`)).toBe('0')
    expect(client.status).toBe('ready')
    client.disconnect()
  })

  test('sends a script again where the server has forgotten it', async () => {
    await using(fresh(), async (store) => {
      await put(store, 'a', '1')
      await server.command('script', 'flush')
      expect(await put(store, 'a', '2')).toBe(3)
      await server.command('script', 'flush')
      expect(await get(store, 'a')).toBe('2')
    })
  })

  test('leaves keys that are none of its own alone, and a store of a later program', async () => {
    const taken = fresh()
    await server.command('set', `{${taken.prefix}}:index`, 'text')
    await expect(openRedisStore(world, taken)).rejects.toMatchObject({
      code: 'incompatible-peer',
      outcome: 'none',
    })
    const later = fresh()
    await using(later, (store) => put(store, 'a', '1'))
    await server.command('hset', `{${later.prefix}}:meta`, 'layout', '99')
    await expect(openRedisStore(world, later)).rejects.toMatchObject({
      code: 'incompatible-peer',
      details: { layout: 99 },
    })
  })

  test('the server knows a repeat of a batch by its number, and refuses one that comes too late', async () => {
    const options = fresh()
    await using(options, async (store) => {
      await put(store, 'a', '0')
      const { keys, channel } = placeOf(options.prefix)
      const session = `{${options.prefix}}:session:test`
      const identity = String(await server.command('hget', keys[0] as string, 'id'))
      const send = (number: number, value: string): Promise<unknown> =>
        server.command(
          ...(['eval', scripts.apply.text, '11', ...keys, session, identity, channel] as const),
          ...[String(number), '0', '1', '1000', '1', 'T', '0', '1', 'p', 'a', value, '0', '1', '0'],
        )
      const first = await send(1, 'x')
      expect(first).toMatchObject([[3, 1, [[['a', expect.anything(), expect.anything()]]]]])
      expect(await send(1, 'x')).toEqual(first)
      expect((await store.range({ key: 'a' })).kvs[0]).toMatchObject({ version: 2, modRevision: 3 })
      await send(2, 'y')
      await expect(send(1, 'x')).rejects.toThrow(/^ALTHINGLATE/)
      expect((await store.range({ key: 'a' })).kvs[0]).toMatchObject({ version: 3, modRevision: 4 })
      expect(await get(store, 'a')).toBe('y')
    })
  })

  test('clears what was compacted, and only that, once it has been compacted for a while', async () => {
    const options = fresh()
    const { keys } = placeOf(options.prefix)
    await using(options, async (store) => {
      for (let i = 1; i <= 20; i++) await put(store, 'often', String(i))
      await put(store, 'seldom', 'as ever')
      await put(store, 'gone', 'soon')
      const { revision } = await store.txn({ then: [{ op: 'delete', key: 'gone' }] })
      const held = async (): Promise<unknown> => [
        await server.command('hlen', keys[3] as string),
        await server.command('hlen', keys[4] as string),
      ]
      expect(await held()).toEqual([22, 23])
      await store.compact(revision)
      expect(await run(options.prefix, 'purge', '1000', '60000')).toBe(1)
      expect(await run(options.prefix, 'purge', '1000', '60000')).toBe(1)
      expect(await held()).toEqual([22, 23])
      for (let step = 0; step < 10; step++) await run(options.prefix, 'purge', '4', '0')
      expect(await held()).toEqual([2, 0])
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
      const marked = (keep: string, keepMs: string): Promise<unknown> =>
        run(options.prefix, 'mark', keep, keepMs)
      expect(await marked('21', '0')).toBe(0)
      expect(await marked('20', '0')).toBe(31 - 20)
      expect(await marked('0', '60000')).toBe(11)
      await put(store, 'k', '31')
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await marked('0', '10')).toBe(31)
    })
  })

  test('orders and compares bytes as bytes', async () => {
    await using(fresh(), async (store) => {
      const keys = ['\u0000', 'B', 'a', 'b', '\u00e4', '\u00ff', '\u00ff\u0000']
      for (const key of keys.toReversed()) await put(store, key, key === 'a' ? 'B' : 'x')
      const { kvs } = await store.range({ key: '', end: null })
      expect(kvs.map(({ key }) => key)).toEqual(keys)
      const reply = await store.txn({
        compare: [{ target: 'value', key: 'a', op: '<', value: Buffer.from('a') }],
        then: [{ op: 'range', key: '', end: null, revision: 8, order: 'descending' }],
      })
      expect(reply).toMatchObject({
        succeeded: true,
        replies: [{ kvs: keys.toReversed().map((key) => ({ key })) }],
      })
    })
  })

  test('reads a range that does not fit into one script at one revision, while it changes', async () => {
    await using(fresh(), (store) =>
      using({ url: server.url, prefix: `store-${names}` }, async (other) => {
        const value = Buffer.alloc(1_000)
        const key = (n: number): string => `k${String(n).padStart(5, '0')}`
        for (let n = 0; n < 5_120; n += 128)
          await store.txn({
            then: Array.from({ length: 128 }, (_, i) => ({ op: 'put', key: key(n + i), value })),
          })
        let isOver = false
        const changing = async (): Promise<void> => {
          for (let round = 1; !isOver; round++) {
            const text = String(round)
            await other.txn({
              then: [putting(key(10), text), putting(key(2_500), text), putting(key(5_000), text)],
            })
            await other.txn({ then: [putting('k00010+', text), { op: 'delete', key: 'k05000+' }] })
            await other.txn({ then: [{ op: 'delete', key: 'k00010+' }, putting('k05000+', text)] })
          }
        }
        const changes = changing()
        for (let round = 0; round < 10; round++) {
          const order = round % 2 === 0 ? 'ascending' : 'descending'
          const { kvs, count, more, revision } = await store.range({ key: 'k', end: 'l', order })
          const at = new Map(kvs.map((kv) => [kv.key, Buffer.from(kv.value).toString()]))
          expect(new Set([at.get(key(10)), at.get(key(2_500)), at.get(key(5_000))]).size).toBe(1)
          expect(at.has('k00010+') && at.has('k05000+')).toBe(false)
          expect([kvs.length, more]).toEqual([count, false])
          expect(kvs.map((kv) => kv.key)).toEqual(
            [...at.keys()].sort((a, b) => (order === 'ascending' ? 1 : -1) * (a < b ? -1 : 1)),
          )
          expect(kvs.every((kv) => kv.modRevision <= revision)).toBe(true)
          expect(versionsOf(await store.range({ key: 'k', end: 'l', order, revision }))).toEqual(
            versionsOf({ kvs }),
          )
        }
        isOver = true
        await changes
      }),
    )
  }, 60_000)

  test('a batch that would keep the server busy for long goes in pieces, of which each call is told', async () => {
    await using(fresh(), async (store) => {
      const values = Array.from({ length: 128 }, (_, i) => putting(`k${i}`, 'v'))
      const replies = await Promise.all(Array.from({ length: 100 }, () => store.txn({ then: values })))
      expect(replies.map(({ revision }) => revision)).toEqual(replies.map((_, i) => i + 2))
      expect((await store.range({ key: 'k0' })).kvs[0]).toMatchObject({ version: 100 })
    })
  })

  test('bounds what one transaction deletes, and tells a watch of all of a revision at once', async () => {
    await using(fresh(), async (store) => {
      const fill = async (from: number, to: number): Promise<void> => {
        for (let n = from; n < to; n += 128)
          await store.txn({
            then: Array.from({ length: Math.min(128, to - n) }, (_, i) => putting(`d${n + i}`, '')),
          })
      }
      await fill(0, 10_001)
      const range = { key: 'd', end: 'e' }
      await expect(store.txn({ then: [{ op: 'delete', ...range }] })).rejects.toMatchObject({
        code: 'too-large',
        outcome: 'none',
        details: { limit: 10_000 },
      })
      await store.txn({ then: [{ op: 'delete', key: 'd0' }] })
      const watch = store.watch({ ...range, previous: true })[Symbol.asyncIterator]()
      await next(watch)
      const { revision } = await store.txn({ then: [{ op: 'delete', ...range }] })
      const told = (await next(watch)) as Extract<WatchBatch, { kind: 'events' }>
      expect([told.kind, told.revision, told.events.length]).toEqual(['events', revision, 10_000])
      expect(told.events.every((event) => event.previous !== undefined)).toBe(true)
      await watch.return?.()
    })
  }, 60_000)

  test('opens by URL, and carries locks where they are accepted: one holder at a time, each with a larger token', async () => {
    const url = `${server.url.replace('redis:', 'valkey:')}/2?prefix=locks`
    await expect(
      open(url, { world }).then(async (program) => {
        try {
          return program.locks
        } finally {
          await program.close()
        }
      }),
    ).rejects.toMatchObject({ code: 'missing-guarantee' })
    const accept = ['linearizable', 'lease-survives-failover', 'fencing'] as const
    const programs = await Promise.all(Array.from({ length: 3 }, () => open(url, { world, accept })))
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

  test('says what is wrong with an address, a database, a password, a right', async () => {
    const bad = (options: RedisStoreOptions): Promise<unknown> =>
      openRedisStore(world, { timeoutMs: 1_000, ...options })
    for (const url of ['redis://', 'redis://h/x', 'redis://h?db=1', 'http://h', 'redis://h?prefix={a}'])
      await expect(bad({ url })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(bad({ url: 'redis://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'unavailable',
      outcome: 'none',
    })
    await expect(bad({ url: `${server.url}/999` })).rejects.toMatchObject({ code: 'not-found' })
    await expect(bad({ url: server.url.replace('//', '//nobody:secret@') })).rejects.toMatchObject({
      code: 'unauthenticated',
    })
    const as = (name: string): string => server.url.replace('//', `//${name}:pw@`)
    await server.command('acl', 'setuser', 'narrow', 'on', '>pw', '~{mine}:*', '&{mine}:*', '+@all', '-zadd')
    await expect(bad({ url: as('narrow'), prefix: 'mine' })).rejects.toMatchObject({
      code: 'permission-denied',
    })
    // Found before anything was written: a script that is stopped in its middle is not undone.
    expect(await server.command('keys', '{mine}:*')).toEqual([])
    await server.command('acl', 'setuser', 'narrow', '+zadd', '-config')
    await expect(bad({ url: as('narrow'), prefix: 'yours' })).rejects.toMatchObject({
      code: 'permission-denied',
    })
    await using({ url: as('narrow'), prefix: 'mine' }, (store) => put(store, 'a', '1'))
  })
})

describe.skipIf(redisUnavailable() !== undefined)(
  'what the engine of Redis promises follows from the server',
  () => {
    const strong = {
      linearizable: true,
      durability: 'disk',
      leaseSurvivesFailover: true,
      fencing: true,
    }
    const weak = { linearizable: false, durability: 'memory', leaseSurvivesFailover: false, fencing: false }

    async function promised(server: RedisServer, options: RedisStoreOptions = {}): Promise<unknown> {
      const given = options.config === undefined ? { url: server.url } : {}
      return await using({ ...given, ...options }, (store) => Promise.resolve(store.capabilities))
    }

    test('by what it writes to its disk, and when', async () => {
      const server = await RedisServer.start()
      const set = (name: string, value: string): Promise<unknown> =>
        server.command('config', 'set', name, value)
      expect(await promised(server)).toMatchObject(strong)
      expect(await promised(server, { mayFailOver: true })).toMatchObject(weak)
      await set('appendfsync', 'everysec')
      expect(await promised(server)).toMatchObject(weak)
      await set('appendfsync', 'always')
      await set('no-appendfsync-on-rewrite', 'yes')
      expect(await promised(server)).toMatchObject(weak)
      await set('no-appendfsync-on-rewrite', 'no')
      expect(await promised(server)).toMatchObject(strong)
      await set('appendonly', 'no')
      expect(await promised(server)).toMatchObject(weak)
      await server.stop()
    })

    test('where the settings cannot be read, the weaker; or what the user states, unless the server shows otherwise', async () => {
      const server = await RedisServer.start()
      await server.command('acl', 'setuser', 'app', 'on', '>pw', '~*', '&*', '+@all', '-config')
      const url = server.url.replace('//', '//app:pw@')
      const stated = { url, iStateThatItSyncsEveryWriteAndNeverFailsOver: true }
      expect(await promised(server, { url })).toMatchObject(weak)
      expect(await promised(server, stated)).toMatchObject(strong)
      expect(await promised(server, { ...stated, mayFailOver: true })).toMatchObject(weak)
      await server.command('config', 'set', 'appendonly', 'no')
      expect(await promised(server, stated)).toMatchObject(weak)
      await server.stop()
    })

    test('a server that throws keys away when its memory is full is refused', async () => {
      const server = await RedisServer.start()
      await server.command('config', 'set', 'maxmemory-policy', 'allkeys-lru')
      await expect(openRedisStore(world, { url: server.url })).rejects.toMatchObject({
        code: 'incompatible-peer',
        outcome: 'none',
      })
      await server.stop()
    })
  },
)
