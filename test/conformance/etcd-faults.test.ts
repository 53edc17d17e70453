import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EtcdStore, openEtcdStore } from '../../src/engines/etcd/etcd-store.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { expectTruth, Follower, putNumber, slackMs, Writer } from '../engines/fault-traffic.ts'
import { expectFullWritesToBeRefused, expectUnreadWatchToBeBounded } from '../engines/full-stream.ts'
import { EtcdServers, etcdUnavailable, quickElections } from '../engines/servers/etcd-servers.ts'
import { TcpProxy } from '../engines/servers/tcp-proxy.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })
const isAbsent = etcdUnavailable() !== undefined

describe.skipIf(isAbsent)('a real etcd of one member, in trouble', () => {
  let servers: EtcdServers
  let proxy: TcpProxy
  let store: EtcdStore
  let writer: Writer
  let follower: Follower
  let tests = 0
  let prefix = ''

  beforeAll(async () => {
    servers = await EtcdServers.start({ members: 1, flags: quickElections })
  })

  afterAll(async () => {
    await servers?.stop()
  })

  beforeEach(async () => {
    prefix = `fault-${++tests}/`
    proxy = await TcpProxy.start(servers.addresses[0] as string)
    store = await openEtcdStore(world, { endpoints: [proxy.address] })
    follower = await Follower.start(store, prefix)
    writer = new Writer(store, prefix)
    await writer.progress(20)
  })

  afterEach(async () => {
    servers.resume(0)
    await writer.stop()
    await store.close()
    await proxy.close()
  })

  test('killed and started again: nothing acknowledged is lost, nothing refused is there, and the watch goes on', async () => {
    for (let round = 0; round < 2; round++) {
      await servers.kill(0)
      await servers.restart(0)
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
  })

  test('a connection that is half-open is noticed, by calls and by a watch in which nothing happens', async () => {
    const idle = store.watch({ key: `${prefix}idle` })[Symbol.asyncIterator]()
    expect((await idle.next()).value).toMatchObject({ kind: 'created' })
    const quiet = idle.next()
    proxy.leaveHalfOpen()
    await writer.progress(10)
    proxy.leaveHalfOpen()
    await writer.progress(10)
    await expectTruth(store, prefix, writer, follower)
    await store.txn({ then: [{ op: 'put', key: `${prefix}idle`, value: new Uint8Array(1) }] })
    expect((await quiet).value).toMatchObject({ kind: 'events', events: [{ type: 'put' }] })
    await idle.return?.()
  })

  test('a server that stands still keeps no call past its time, and goes on where it was', async () => {
    await servers.pause(0)
    const startedMs = performance.now()
    const granting = store.grantLease({ ttlMs: 10_000 }, { timeoutMs: 500 })
    await expect(granting).rejects.toMatchObject({ code: 'timeout', outcome: 'unknown' })
    const reading = store.range({ key: prefix }, { timeoutMs: 3_000 })
    await expect(reading).rejects.toMatchObject({ retryable: true })
    expect(performance.now() - startedMs).toBeLessThan(3_500 + slackMs)
    servers.resume(0)
    await writer.progress(10)
    await expectTruth(store, prefix, writer, follower)
  })

  test('a slow server is only slow', async () => {
    proxy.delayMs = 100
    await writer.progress(5)
    proxy.delayMs = 0
    proxy.bytesPerSecond = 20_000
    await writer.progress(5)
    await expectTruth(store, prefix, writer, follower)
    expect(writer.refused).toEqual([])
  })

  test('a watcher that does not read is given no more than it may hold, and misses nothing', async () => {
    const other = await openEtcdStore(world, { endpoints: servers.addresses })
    // Another watcher of what it writes would take it over too.
    await writer.stop()
    await follower.stop()
    await expectUnreadWatchToBeBounded(store, proxy, other, `${prefix}unread/`)
    await other.close()
  })

  test('writes past what may wait are refused at once, and no outcome is wrong', async () => {
    await writer.stop()
    const server = { pause: () => servers.pause(0), resume: () => servers.resume(0) }
    await expectFullWritesToBeRefused(store, server, `${prefix}many/`)
  }, 120_000)

  test('while nothing can be reached, calls fail in time with nothing done, and serve again by themselves', async () => {
    proxy.refuses = true
    proxy.drop()
    // What was on its way when the connections broke may have been applied.
    await putNumber(store, `${prefix}lost/`, 1, { timeoutMs: 200 }).catch(() => undefined)
    const startedMs = performance.now()
    await expect(putNumber(store, `${prefix}no/`, 1, { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'unavailable',
      outcome: 'none',
    })
    expect(performance.now() - startedMs).toBeLessThan(1_000 + slackMs)
    proxy.refuses = false
    await writer.progress(10)
    expect((await store.range({ key: `${prefix}no/`, end: `${prefix}no0` })).count).toBe(0)
    await expectTruth(store, prefix, writer, follower)
  })

  test('a lease is granted once and kept alive over broken connections', async () => {
    const before = (await store.leases()).length
    const granting = Array.from({ length: 20 }, () => store.grantLease({ ttlMs: 60_000 }))
    proxy.drop()
    const grants = await Promise.all(granting)
    proxy.drop()
    const renewed = (await store.keepLeasesAlive?.(grants.map(({ lease }) => lease))) ?? []
    expect(renewed).toEqual(grants)
    expect((await store.leases()).length).toBe(before + 20)
    for (const { lease } of grants) await store.revokeLease(lease)
  })
})

describe.skipIf(isAbsent)('a real etcd of three members', () => {
  let servers: EtcdServers
  let store: EtcdStore

  beforeAll(async () => {
    servers = await EtcdServers.start({ members: 3, flags: quickElections })
    store = await openEtcdStore(world, { endpoints: servers.addresses })
  })

  afterAll(async () => {
    await store?.close()
    await servers?.stop()
  })

  test('loses its leader, by death and by standing still, and the store serves on', async () => {
    const follower = await Follower.start(store, 'leader/')
    const writer = new Writer(store, 'leader/')
    const { lease } = await store.grantLease({ ttlMs: 60_000 })
    await writer.progress(20)
    const killed = await servers.leader()
    await servers.kill(killed)
    await writer.progress(20)
    await servers.restart(killed)
    const paused = await servers.leader()
    await servers.pause(paused)
    await writer.progress(20)
    servers.resume(paused)
    await writer.progress(20)
    expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs: 60_000 })
    await expectTruth(store, 'leader/', writer, follower)
  })

  test('without a quorum refuses writes and linearizable reads in time, and serves serializable reads', async () => {
    await putNumber(store, 'quorum/', 1, {})
    const leader = await servers.leader()
    const others = [0, 1, 2].filter((member) => member !== leader)
    for (const member of others) await servers.kill(member)
    const startedMs = performance.now()
    await expect(store.range({ key: 'quorum/', end: null }, { timeoutMs: 3_000 })).rejects.toMatchObject({
      retryable: true,
    })
    await expect(putNumber(store, 'quorum/', 2, { timeoutMs: 1_500 })).rejects.toMatchObject({
      retryable: true,
    })
    expect(performance.now() - startedMs).toBeLessThan(4_500 + slackMs)
    const own = await store.range({ key: 'quorum/', end: 'quorum0' }, { consistency: 'serializable' })
    expect(own.count).toBe(1)
    await Promise.all(others.map((member) => servers.restart(member)))
    await putNumber(store, 'quorum/', 3, { timeoutMs: 20_000 })
  })
})
