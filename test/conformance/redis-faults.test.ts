import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openRedisStore, type RedisStore } from '../../src/engines/redis/open-redis-store.ts'
import { concurrentRun } from '../../src/testing/conformance/concurrent-run.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { expectTruth, Follower, putNumber, slackMs, Writer } from '../engines/fault-traffic.ts'
import { expectFullWritesToBeRefused, expectUnreadWatchToBeBounded } from '../engines/full-stream.ts'
import { RedisServer, redisUnavailable, urlAt } from '../engines/servers/redis-server.ts'
import { TcpProxy } from '../engines/servers/tcp-proxy.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.skipIf(redisUnavailable() !== undefined)('a real Redis that syncs every write, in trouble', () => {
  let server: RedisServer
  let proxy: TcpProxy
  let store: RedisStore
  let writer: Writer
  let follower: Follower
  let tests = 0
  let prefix = ''

  beforeAll(async () => {
    server = await RedisServer.start()
  })

  afterAll(async () => {
    await server?.stop()
  })

  beforeEach(async () => {
    prefix = `fault-${++tests}/`
    proxy = await TcpProxy.start(server.address)
    store = await openRedisStore(world, { url: urlAt(proxy.address), timeoutMs: 3_000 })
    follower = await Follower.start(store, prefix)
    writer = new Writer(store, prefix)
    await writer.progress(20)
  })

  afterEach(async () => {
    server.resume()
    await writer.stop()
    await store.close()
    await proxy.close()
  })

  test('killed and started again: nothing acknowledged is lost, nothing refused is there, and the watch goes on', async () => {
    for (let round = 0; round < 4; round++) {
      await server.kill()
      await server.restart()
      await writer.progress(10)
    }
    await expectTruth(store, prefix, writer, follower)
  })

  test('calls of several clients are linearizable through kill -9', async () => {
    const stores = [store, await openRedisStore(world, { url: server.url, timeoutMs: 10_000 })]
    const { verdict } = await concurrentRun({
      stores,
      world,
      seed: 5,
      clients: 8,
      during: async () => {
        for (let round = 0; round < 3; round++) {
          await wait(100)
          await server.kill()
          await server.restart()
        }
      },
    })
    expect(verdict).toBe('ok')
    await stores[1]?.close()
  })

  test('connections that break off, again and again, cost nothing but time', async () => {
    // A put that follows on the last acknowledged one is with the server then, and its answer on its way back.
    proxy.delayMs = 10
    for (let round = 0; round < 10; round++) {
      await wait(13)
      proxy.drop()
      await writer.progress(5)
    }
    await expectTruth(store, prefix, writer, follower)
    // Each repeat of a batch was known by its number.
    expect(writer.unknown).toEqual([])
  })

  test('connections that the server ends cost nothing but time', async () => {
    for (let round = 0; round < 5; round++) {
      await server.command('client', 'kill', 'type', 'normal')
      await server.command('client', 'kill', 'type', 'pubsub')
      await writer.progress(5)
    }
    await expectTruth(store, prefix, writer, follower)
    expect(writer.unknown).toEqual([])
  })

  test('connections that are half-open are noticed, by calls and by a watch in which nothing happens', async () => {
    const idle = store.watch({ key: `${prefix}idle` })[Symbol.asyncIterator]()
    expect((await idle.next()).value).toMatchObject({ kind: 'created' })
    const quiet = idle.next()
    for (let round = 0; round < 2; round++) {
      proxy.leaveHalfOpen()
      await writer.progress(10)
    }
    await expectTruth(store, prefix, writer, follower)
    await store.txn({ then: [{ op: 'put', key: `${prefix}idle`, value: new Uint8Array(1) }] })
    expect((await quiet).value).toMatchObject({ kind: 'events', events: [{ type: 'put' }] })
    await idle.return?.()
  })

  test('a server that stands still keeps no call past its time, and goes on where it was', async () => {
    await server.pause()
    const startedMs = performance.now()
    const granting = store.grantLease({ ttlMs: 10_000 }, { timeoutMs: 500 })
    await expect(granting).rejects.toMatchObject({ retryable: true })
    const reading = store.range({ key: prefix }, { timeoutMs: 2_000 })
    await expect(reading).rejects.toMatchObject({ retryable: true })
    expect(performance.now() - startedMs).toBeLessThan(2_500 + slackMs)
    server.resume()
    await writer.progress(10)
    await expectTruth(store, prefix, writer, follower)
  })

  test('is closed at once though the server stands still, calls and all', async () => {
    const other = await openRedisStore(world, { url: urlAt(proxy.address), timeoutMs: 20_000 })
    await server.pause()
    const refused = Promise.all([
      expect(putNumber(other, `${prefix}closed/`, 1, {})).rejects.toMatchObject({ code: 'closed' }),
      expect(other.range({ key: prefix })).rejects.toMatchObject({ code: 'closed' }),
      expect(other.leases()).rejects.toMatchObject({ code: 'closed' }),
    ])
    await wait(200)
    const startedMs = performance.now()
    await other.close()
    await refused
    expect(performance.now() - startedMs).toBeLessThan(slackMs)
  })

  test('a watcher that does not read is given no more than it may hold, and misses nothing', async () => {
    const other = await openRedisStore(world, { url: server.url })
    await writer.stop()
    await follower.stop()
    await expectUnreadWatchToBeBounded(store, proxy, other, `${prefix}unread/`)
    await other.close()
  })

  test('writes past what may wait are refused at once, and no outcome is wrong', async () => {
    await writer.stop()
    await expectFullWritesToBeRefused(store, server, `${prefix}many/`)
  }, 120_000)

  test('a slow server is only slow', async () => {
    proxy.delayMs = 50
    await writer.progress(5)
    proxy.delayMs = 0
    proxy.bytesPerSecond = 20_000
    await writer.progress(5)
    await expectTruth(store, prefix, writer, follower)
    expect(writer.refused).toEqual([])
  })

  test('while nothing can be reached, calls fail in time with nothing done, and serve again by themselves', async () => {
    proxy.refuses = true
    proxy.drop()
    await writer.stop()
    // What was on its way when the connections broke may have been applied.
    await putNumber(store, `${prefix}lost/`, 1, { timeoutMs: 200 }).catch(() => undefined)
    const startedMs = performance.now()
    await expect(putNumber(store, `${prefix}no/`, 1, { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'unavailable',
      outcome: 'none',
    })
    expect(performance.now() - startedMs).toBeLessThan(1_000 + slackMs)
    proxy.refuses = false
    writer = new Writer(store, `${prefix}again/`)
    await writer.progress(10)
    expect((await store.range({ key: `${prefix}no/`, end: `${prefix}no0` })).count).toBe(0)
  })

  test('a lease is granted once over broken connections', async () => {
    const before = (await store.leases()).length
    const granting = Array.from({ length: 20 }, () => store.grantLease({ ttlMs: 60_000 }))
    proxy.drop()
    const grants = await Promise.all(granting)
    proxy.drop()
    const renewed = await store.keepLeasesAlive(grants.map(({ lease }) => lease))
    expect(renewed).toEqual(grants)
    expect((await store.leases()).length).toBe(before + 20)
    for (const { lease } of grants) await store.revokeLease(lease)
  })

  test('a lease does not end early because the server was away, or stood still, for longer than its time', async () => {
    const { lease, ttlMs } = await store.grantLease({ ttlMs: 1_500 })
    await server.kill()
    await wait(ttlMs)
    await server.restart()
    expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
    await server.pause()
    // Longer than a client of it is ever silent: the server knows that time was lost.
    await wait(6_500)
    server.resume()
    expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
    await wait(ttlMs + store.capabilities.leaseExpiryResolutionMs + slackMs)
    await expect(store.keepLeaseAlive(lease)).rejects.toMatchObject({
      code: 'lease-not-found',
      outcome: 'none',
    })
    expect((await store.leases()).map((status) => status.lease)).not.toContain(lease)
  })

  test('while its memory is full it refuses what grows and lets in what does not, and takes all again when there is room', async () => {
    const { lease, ttlMs } = await store.grantLease({ ttlMs: 60_000 })
    const key = `${prefix}room`
    await store.txn({ then: [{ op: 'put', key, value: new Uint8Array(10) }] })
    await writer.stop()
    await server.command('config', 'set', 'maxmemory', '1mb')
    try {
      const put = store.txn({ then: [{ op: 'put', key, value: new Uint8Array(10) }] })
      await expect(put).rejects.toMatchObject({ code: 'no-space', outcome: 'none' })
      await expect(store.grantLease({ ttlMs: 1_000 })).rejects.toMatchObject({
        code: 'no-space',
        outcome: 'none',
      })
      expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
      expect((await store.range({ key })).count).toBe(1)
      const deleted = await store.txn({ then: [{ op: 'delete', key }] })
      expect(deleted.replies).toEqual([{ op: 'delete', deleted: 1 }])
      // Nothing to delete: nothing to keep of it either.
      expect((await store.txn({ then: [{ op: 'delete', key }] })).replies).toEqual([
        { op: 'delete', deleted: 0 },
      ])
      await store.compact(deleted.revision)
      await store.revokeLease(lease)
      await follower.reaches(1)
    } finally {
      await server.command('config', 'set', 'maxmemory', '0')
    }
    writer = new Writer(store, `${prefix}after/`)
    await writer.progress(5)
  })
})
