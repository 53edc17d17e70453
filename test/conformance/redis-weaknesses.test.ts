import { afterEach, describe, expect, test } from 'vitest'
import type { Store, WatchBatch } from '../../src/contracts/store.ts'
import { LockService } from '../../src/coordination/locks/lock.ts'
import { openRedisStore, type RedisStore } from '../../src/engines/redis/open-redis-store.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { RedisServer, redisUnavailable, urlAt } from '../engines/servers/redis-server.ts'
import { eventually } from '../engines/servers/server-process.ts'
import { TcpProxy } from '../engines/servers/tcp-proxy.ts'

// The servers lose data here, and the clients say so: that is what is tested.
const world = createNodeWorld({ dataFolder: '.', logger: { log: () => undefined } })
const accept = ['linearizable', 'lease-survives-failover', 'fencing'] as const
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

async function put(store: Store, key: string, value: string): Promise<number> {
  return (await store.txn({ then: [{ op: 'put', key, value: Buffer.from(value) }] })).revision
}

async function get(store: Store, key: string): Promise<string | undefined> {
  return text((await store.range({ key })).kvs[0]?.value)
}

async function next(watch: AsyncIterator<WatchBatch>): Promise<WatchBatch> {
  return (await watch.next()).value as WatchBatch
}

/** A primary and its replica behind one address, as a failover of a managed Redis has it. */
class FailoverPair {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly #replication: TcpProxy
  readonly #front: TcpProxy

  private constructor(primary: RedisServer, replica: RedisServer, replication: TcpProxy, front: TcpProxy) {
    this.primary = primary
    this.replica = replica
    this.#replication = replication
    this.#front = front
  }

  static async start(): Promise<FailoverPair> {
    const primary = await RedisServer.start()
    const replication = await TcpProxy.start(primary.address)
    const replica = await RedisServer.replicaOf({ address: replication.address })
    return new FailoverPair(primary, replica, replication, await TcpProxy.start(primary.address))
  }

  get url(): string {
    return urlAt(this.#front.address)
  }

  /** The replica has all that was written so far. */
  async caughtUp(): Promise<void> {
    await eventually('the replica has everything', 10_000, async () => {
      const [, offset] = (await this.primary.command('role')) as [string, number]
      const role = (await this.replica.command('role')) as unknown[]
      if (role[4] !== offset) throw new Error(`it is at ${String(role[4])}, not ${offset}`)
    })
  }

  /** What is written from now on does not reach the replica; nobody has noticed yet. */
  cutReplication(): void {
    this.#replication.leaveHalfOpen()
    this.#replication.refuses = true
  }

  /** The primary dies, its replica takes its place. */
  async failOver(): Promise<void> {
    await this.primary.kill()
    await this.replica.command('replicaof', 'no', 'one')
    this.#front.target = this.replica.address
    this.#front.drop()
  }

  async stop(): Promise<void> {
    await this.#front.close()
    await this.#replication.close()
    await this.primary.stop()
    await this.replica.stop()
  }
}

describe.skipIf(redisUnavailable() !== undefined)('a Redis with a replica', () => {
  const open: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close()
  })

  async function startPair(): Promise<FailoverPair> {
    const pair = await FailoverPair.start()
    open.push(() => pair.stop())
    return pair
  }

  async function client(url: string): Promise<RedisStore> {
    const store = await openRedisStore(world, { url, timeoutMs: 10_000 })
    open.push(() => store.close())
    return store
  }

  function locksOf(store: Store): LockService {
    const locks = new LockService({ store, world, accept })
    open.push(() => locks.close())
    return locks
  }

  test('promises nothing that a failover can break, whatever its own disk has, and a lock refuses to start there', async () => {
    const pair = await startPair()
    const store = await client(pair.url)
    expect(store.capabilities).toMatchObject({
      linearizable: false,
      durability: 'memory',
      leaseSurvivesFailover: false,
      fencing: false,
    })
    expect(() => new LockService({ store, world })).toThrow(
      expect.objectContaining({
        code: 'missing-guarantee',
        outcome: 'none',
        details: { recipe: 'lock', missing: [...accept] },
      }),
    )
  })

  test('with a failover that loses the write of a lock there are two holders, with the same token', async () => {
    const pair = await startPair()
    const [first, second] = [locksOf(await client(pair.url)), locksOf(await client(pair.url))]
    await pair.caughtUp()
    pair.cutReplication()
    const held = await first.acquire('one', { ttl: '30s' })
    expect(await second.tryAcquire('one')).toBeNull()
    await pair.failOver()
    const other = await second.acquire('one', { ttl: '30s', waitTimeout: '10s' })
    // Both have it, and no token tells them apart: this is what was accepted.
    expect(held.isHeld).toBe(true)
    expect(other.isHeld).toBe(true)
    expect(other.token).toBe(held.token)
    // Its lease is not the other's: so the next renewal tells the first.
    await new Promise((resolve) => held.lost.addEventListener('abort', resolve, { once: true }))
    expect(other.isHeld).toBe(true)
  })

  test('a watch is told by a resync that what it was told is gone, and a watch from a read that is gone is too', async () => {
    const pair = await startPair()
    const store = await client(pair.url)
    await put(store, 'k', 'kept')
    await pair.caughtUp()
    const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
    const { revision: kept } = await next(watch)
    pair.cutReplication()
    const lost = await put(store, 'k', 'lost')
    expect(await next(watch)).toMatchObject({ kind: 'events', revision: lost })
    await put(store, 'k', 'lost too')
    expect(await next(watch)).toMatchObject({ kind: 'events', revision: lost + 1 })
    await pair.failOver()
    // The new primary gives the same revisions to other changes, before the client looks.
    const other = await client(pair.replica.url)
    for (const value of ['a', 'b', 'c']) await put(other, 'k', value)
    expect(await next(watch)).toMatchObject({
      kind: 'resync',
      fromRevision: kept + 1,
      kvs: [{ key: 'k', version: 4, value: Buffer.from('c') }],
    })
    const again = await put(other, 'k', 'd')
    expect(await next(watch)).toMatchObject({ kind: 'events', revision: again })
    // Who follows on a read of what is gone would otherwise miss what took its place.
    const fromRead = store.watch({ key: 'k', fromRevision: lost + 1 })[Symbol.asyncIterator]()
    expect(await next(fromRead)).toMatchObject({ kind: 'created', revision: lost })
    expect(await next(fromRead)).toMatchObject({ kind: 'resync', fromRevision: kept + 1, revision: again })
    await watch.return?.()
    await fromRead.return?.()
  })

  test('a failover that loses nothing is told to no watch, and leases have their time anew', async () => {
    const pair = await startPair()
    const store = await client(pair.url)
    const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
    await next(watch)
    const grant = await store.grantLease({ ttlMs: 2_000 })
    const revision = await put(store, 'k', '1')
    expect(await next(watch)).toMatchObject({ kind: 'events', revision })
    await pair.caughtUp()
    await pair.failOver()
    expect(await store.keepLeaseAlive(grant.lease)).toEqual(grant)
    expect(await put(store, 'k', '2')).toBe(revision + 1)
    expect(await next(watch)).toMatchObject({ kind: 'events', revision: revision + 1 })
    await watch.return?.()
  })

  test('a primary that has become a replica serves nothing more, reads neither', async () => {
    const pair = await startPair()
    const store = await client(urlAt(pair.primary.address))
    await put(store, 'k', '1')
    await pair.caughtUp()
    await pair.replica.command('replicaof', 'no', 'one')
    const [host, port] = pair.replica.address.split(':') as [string, string]
    await pair.primary.command('replicaof', host, port)
    const brief = { timeoutMs: 700 }
    await expect(store.range({ key: 'k' }, brief)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(store.range({ key: 'k', end: 'l' }, brief)).rejects.toMatchObject({ code: 'unavailable' })
    const written = store.txn({ then: [{ op: 'put', key: 'k', value: Buffer.from('2') }] }, brief)
    await expect(written).rejects.toMatchObject({ code: 'unavailable', outcome: 'none' })
    await expect(openRedisStore(world, { url: pair.primary.url, ...brief })).rejects.toMatchObject({
      code: 'unavailable',
    })
    await pair.primary.command('replicaof', 'no', 'one')
    await eventually('it serves again', 10_000, async () => expect(await get(store, 'k')).toBe('1'))
  })
})

describe.skipIf(redisUnavailable() !== undefined)('a Redis that keeps nothing', () => {
  test('gives the same revision and token again after a restart, but no lease of before; clients go on by themselves, and watches are told', async () => {
    const server = await RedisServer.start({})
    const store = await openRedisStore(world, { url: server.url, timeoutMs: 10_000 })
    expect(store.capabilities).toMatchObject({ linearizable: false, durability: 'memory', fencing: false })
    const locks = new LockService({ store, world, accept })
    const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
    expect(await next(watch)).toMatchObject({ kind: 'created', revision: 1 })
    const first = await locks.acquire('one', { ttl: '30s' })
    const revision = await put(store, 'k', 'lost')
    expect(await next(watch)).toMatchObject({ kind: 'events', revision })
    await server.kill()
    await server.restart()
    const second = await locks.acquire('one', { ttl: '30s', waitTimeout: '10s' })
    expect(first.isHeld).toBe(true)
    expect(second.token).toBe(first.token)
    if (first.isHeld)
      await new Promise((resolve) => first.lost.addEventListener('abort', resolve, { once: true }))
    expect(first.isHeld).toBe(false)
    expect(second.isHeld).toBe(true)
    expect(await put(store, 'k', 'other')).toBe(revision)
    expect(await next(watch)).toMatchObject({ kind: 'resync', fromRevision: 1 })
    await watch.return?.()
    await locks.close()
    await store.close()
    await server.stop()
  })
})

describe.skipIf(redisUnavailable() !== undefined)(
  'a Redis that was to keep everything, and has lost the store',
  () => {
    test('is not written to any more by those who had it open: what they hold would be worth nothing', async () => {
      const server = await RedisServer.start()
      const store = await openRedisStore(world, { url: server.url })
      expect(store.capabilities).toMatchObject({ linearizable: true, durability: 'disk', fencing: true })
      const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
      await next(watch)
      await put(store, 'k', '1')
      await next(watch)
      await server.command('flushall')
      const gone = { code: 'corrupt', outcome: 'none' }
      await expect(put(store, 'k', '2')).rejects.toMatchObject(gone)
      await expect(store.range({ key: 'k' })).rejects.toMatchObject(gone)
      await expect(watch.next()).rejects.toMatchObject({ code: 'corrupt' })
      // Nor when another has begun anew: it is another store.
      const other = await openRedisStore(world, { url: server.url })
      expect(await put(other, 'k', '1')).toBe(2)
      await expect(put(store, 'k', '2')).rejects.toMatchObject(gone)
      await other.close()
      await store.close()
      await server.stop()
    })
  },
)
