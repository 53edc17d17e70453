import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openPostgresStore, type PostgresStore } from '../../src/engines/postgres/open-postgres-store.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { expectTruth, Follower, putNumber, slackMs, Writer } from '../engines/fault-traffic.ts'
import { expectFullWritesToBeRefused, expectUnreadWatchToBeBounded } from '../engines/full-stream.ts'
import { PostgresServer, postgresUnavailable, urlAt } from '../engines/servers/postgres-server.ts'
import { TcpProxy } from '../engines/servers/tcp-proxy.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

describe.skipIf(postgresUnavailable() !== undefined)('a real PostgreSQL, in trouble', () => {
  let server: PostgresServer
  let proxy: TcpProxy
  let store: PostgresStore
  let writer: Writer
  let follower: Follower
  let tests = 0
  let prefix = ''

  beforeAll(async () => {
    server = await PostgresServer.start()
  })

  afterAll(async () => {
    await server?.stop()
  })

  beforeEach(async () => {
    prefix = `fault-${++tests}/`
    proxy = await TcpProxy.start(server.address)
    store = await openPostgresStore(world, { url: urlAt(proxy.address), timeoutMs: 3_000 })
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
    for (let round = 0; round < 2; round++) {
      await server.kill()
      await server.restart()
      await writer.progress(10)
    }
    await expectTruth(store, prefix, writer, follower)
  })

  test('a server that recovers by itself, after one of its processes was killed, has lost nothing', async () => {
    for (let round = 0; round < 2; round++) {
      await server.killBackend()
      await writer.progress(10)
    }
    await expectTruth(store, prefix, writer, follower)
  })

  test('connections that break off, again and again, cost nothing but time', async () => {
    for (let round = 0; round < 10; round++) {
      proxy.drop()
      await writer.progress(5)
    }
    await expectTruth(store, prefix, writer, follower)
    // Each repeat of a batch was known by its number.
    expect(writer.unknown).toEqual([])
  })

  test('sessions that the server ends cost nothing but time', async () => {
    for (let round = 0; round < 5; round++) {
      await server.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()',
      )
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
    const other = await openPostgresStore(world, { url: urlAt(proxy.address), timeoutMs: 20_000 })
    await server.pause()
    const putting = putNumber(other, `${prefix}closed/`, 1, {})
    const reading = other.range({ key: prefix })
    const refused = Promise.all([
      expect(putting).rejects.toMatchObject({ code: 'closed' }),
      expect(reading).rejects.toMatchObject({ code: 'closed' }),
    ])
    await new Promise((resolve) => setTimeout(resolve, 200))
    const startedMs = performance.now()
    await other.close()
    await refused
    expect(performance.now() - startedMs).toBeLessThan(slackMs)
  })

  test('a slow server is only slow', async () => {
    proxy.delayMs = 50
    await writer.progress(5)
    proxy.delayMs = 0
    proxy.bytesPerSecond = 20_000
    await writer.progress(5)
    await expectTruth(store, prefix, writer, follower)
    expect(writer.refused).toEqual([])
  })

  test('a watcher that does not read is given no more than it may hold, and misses nothing', async () => {
    const other = await openPostgresStore(world, { url: urlAt(server.address) })
    await writer.stop()
    await follower.stop()
    // In hexadecimal digits.
    await expectUnreadWatchToBeBounded(store, proxy, other, `${prefix}unread/`, 2)
    await other.close()
  })

  test('writes past what may wait are refused at once, and no outcome is wrong', async () => {
    await writer.stop()
    await expectFullWritesToBeRefused(store, server, `${prefix}many/`)
  }, 120_000)

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

  test('a lease does not end early because the server was away for longer than its time', async () => {
    const { lease, ttlMs } = await store.grantLease({ ttlMs: 1_500 })
    await server.kill()
    await new Promise((resolve) => setTimeout(resolve, ttlMs))
    await server.restart()
    expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
    await server.killBackend()
    expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
    await new Promise((resolve) =>
      setTimeout(resolve, ttlMs + store.capabilities.leaseExpiryResolutionMs + slackMs),
    )
    await expect(store.keepLeaseAlive(lease)).rejects.toMatchObject({
      code: 'lease-not-found',
      outcome: 'none',
    })
    expect((await store.leases()).map((status) => status.lease)).not.toContain(lease)
  })
})
