import { jetstreamManager } from '@nats-io/jetstream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type NatsStore, openNatsStore } from '../../src/engines/nats/open-nats-store.ts'
import { concurrentRun } from '../../src/testing/conformance/concurrent-run.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { expectTruth, Follower, putNumber, slackMs, Writer } from '../engines/fault-traffic.ts'
import { NatsServers, natsUnavailable } from '../engines/servers/nats-servers.ts'
import { TcpProxy } from '../engines/servers/tcp-proxy.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

describe.skipIf(natsUnavailable() !== undefined)('a real NATS server, in trouble', () => {
  let servers: NatsServers
  let proxy: TcpProxy
  let store: NatsStore
  let writer: Writer
  let follower: Follower
  let tests = 0
  let prefix = ''

  const opened = (options: { timeoutMs: number } = { timeoutMs: 3_000 }): Promise<NatsStore> =>
    openNatsStore(world, {
      url: `nats://${proxy.address}`,
      connect: { ignoreClusterUpdates: true },
      ...options,
    })

  beforeAll(async () => {
    servers = await NatsServers.start({ members: 1 })
  })

  afterAll(async () => {
    await servers?.stop()
  })

  beforeEach(async () => {
    prefix = `fault-${++tests}/`
    proxy = await TcpProxy.start(servers.addresses[0] as string)
    store = await opened()
    follower = await Follower.start(store, prefix)
    writer = new Writer(store, prefix)
    await writer.progress(20)
  })

  afterEach(async () => {
    servers.resume()
    await writer.stop()
    await store.close()
    await proxy.close()
  })

  test('killed and started again: nothing acknowledged is lost, nothing refused is there, and the watch goes on', async () => {
    for (let round = 0; round < 3; round++) {
      await servers.kill()
      await servers.restart()
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
    // Each repeat of a command was known by its number.
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
    await servers.pause()
    const startedMs = performance.now()
    const granting = store.grantLease({ ttlMs: 10_000 }, { timeoutMs: 500 })
    await expect(granting).rejects.toMatchObject({ retryable: true })
    const reading = store.range({ key: prefix }, { timeoutMs: 2_000 })
    await expect(reading).rejects.toMatchObject({ retryable: true })
    expect(performance.now() - startedMs).toBeLessThan(2_500 + slackMs)
    // The own copy answers all the while.
    const { kvs } = await store.range({ key: prefix, end: `${prefix}~` }, { consistency: 'serializable' })
    expect(kvs.length).toBeGreaterThanOrEqual(20)
    servers.resume()
    await writer.progress(10)
    await expectTruth(store, prefix, writer, follower)
  })

  test('is closed at once though the server stands still, calls and all', async () => {
    const other = await opened({ timeoutMs: 20_000 })
    await servers.pause()
    const putting = putNumber(other, `${prefix}closed/`, 1, {})
    const reading = other.range({ key: prefix })
    const refused = Promise.all([
      expect(putting).rejects.toMatchObject({ code: 'closed' }),
      expect(reading).rejects.toMatchObject({ code: 'closed' }),
    ])
    await sleep(200)
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
    const { lease, ttlMs } = await store.grantLease({ ttlMs: 4_000 })
    await servers.kill()
    await sleep(ttlMs + 500)
    await servers.restart()
    expect(await store.keepLeaseAlive(lease, { timeoutMs: 10_000 })).toEqual({ lease, ttlMs })
    await writer.stop()
    await sleep(ttlMs + store.capabilities.leaseExpiryResolutionMs + slackMs)
    await expect(store.keepLeaseAlive(lease)).rejects.toMatchObject({
      code: 'lease-not-found',
      outcome: 'none',
    })
  })
})

describe.skipIf(natsUnavailable() !== undefined)('a NATS server without room', () => {
  test('a full log is made room in; without room for a snapshot nothing happens, and it serves again by itself', async () => {
    const servers = await NatsServers.start({ members: 1 })
    const connection = await servers.client()
    const manager = await jetstreamManager(connection)
    const url = `nats://${servers.addresses[0]}/full`
    const store = await openNatsStore(world, { url, snapshotMessages: 1_000_000 })
    try {
      await manager.streams.update('ALTHING_full', { max_bytes: 100_000 })
      const put = (i: number): Promise<unknown> =>
        store.txn({ then: [{ op: 'put', key: `k${i % 10}`, value: Buffer.alloc(1_000, i) }] })
      for (let i = 0; i < 500; i++) await put(i)
      expect((await manager.streams.info('ALTHING_full')).state.last_seq).toBeGreaterThan(500)

      await manager.streams.update('ALTHING_full_SNAPSHOTS', { max_bytes: 1 })
      let refused = 0
      const told: number[] = []
      for (let i = 500; i < 800 && refused === 0; i++) {
        await put(i).then(
          () => told.push(i),
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'no-space', outcome: 'none' })
            refused++
          },
        )
      }
      expect(refused).toBe(1)
      const last = told.at(-1) ?? 499
      const { kvs } = await store.range({ key: `k${last % 10}` }, { consistency: 'serializable' })
      expect(kvs[0]?.value[0]).toBe(last % 256)

      await manager.streams.update('ALTHING_full_SNAPSHOTS', { max_bytes: -1 })
      await put(900)
      const other = await openNatsStore(world, { url })
      expect((await other.range({ key: 'k0' })).kvs[0]?.value[0]).toBe(900 % 256)
      expect(other.host.model.stateHash().hash).toBe(store.host.model.stateHash().hash)
      await other.close()
    } finally {
      await store.close()
      await connection.close()
      await servers.stop()
    }
  })

  test('a server that has lost what it acknowledged is found out, and nothing is served from the old copy', async () => {
    const servers = await NatsServers.start({ members: 1 })
    const url = `nats://${servers.addresses[0]}/lost`
    const put = (on: NatsStore, key: string): Promise<{ readonly revision: number }> =>
      on.txn({ then: [{ op: 'put', key, value: Buffer.from('v') }] })
    const store = await openNatsStore(world, { url, timeoutMs: 10_000 })
    try {
      for (let i = 0; i < 10; i++) await put(store, 'early')
      await servers.kill()
      const putBack = servers.keepData()
      await servers.restart()
      let before = 0
      for (let i = 0; i < 10; i++) before = (await put(store, 'late')).revision
      await servers.kill()
      putBack()
      await servers.restart()
      // Why it claims no fencing: the revision is given a second time.
      const other = await openNatsStore(world, { url })
      expect(other.capabilities).toMatchObject({ durability: 'memory', fencing: false })
      expect((await put(other, 'again')).revision).toBeLessThan(before)
      await expect(put(store, 'x')).rejects.toMatchObject({ code: 'corrupt' })
      await expect(store.range({ key: 'late' })).rejects.toMatchObject({ code: 'corrupt' })
      expect((await other.range({ key: 'late' })).count).toBe(0)
      await other.close()
    } finally {
      await store.close()
      await servers.stop()
    }
  })
})

describe.skipIf(natsUnavailable() !== undefined)('three NATS servers', () => {
  let servers: NatsServers
  const stores: NatsStore[] = []

  beforeAll(async () => {
    servers = await NatsServers.start({ members: 3 })
    for (let n = 0; n < 2; n++)
      stores.push(
        await openNatsStore(world, {
          url: `nats://${servers.addresses.join(',')}?replicas=3`,
          timeoutMs: 20_000,
        }),
      )
  })

  afterAll(async () => {
    for (const store of stores) await store.close()
    await servers?.stop()
  })

  test('a leader that is killed costs time, and nothing else', { timeout: 240_000 }, async () => {
    const [store] = stores as [NatsStore]
    const follower = await Follower.start(store, 'leader/')
    // On a busy machine the choice of the next leader alone may take NATS more than ten seconds.
    const writer = new Writer(store, 'leader/', 60_000)
    await writer.progress(20)
    for (let round = 0; round < 2; round++) {
      const leader = await servers.leader('ALTHING_althing')
      await servers.kill(leader)
      await writer.progress(10)
      await servers.restart(leader)
      await writer.progress(10)
    }
    await expectTruth(store, 'leader/', writer, follower)
    expect(writer.unknown).toEqual([])
  })

  test('calls are linearizable while a leader is killed and another is paused, and the copies end the same', async () => {
    const { verdict } = await concurrentRun({
      stores,
      world,
      seed: 1,
      clients: 6,
      callsPerClient: 40,
      timeoutMs: 5_000,
      during: async () => {
        const leader = await servers.leader('ALTHING_althing')
        await servers.kill(leader)
        await sleep(1_000)
        await servers.restart(leader)
        const next = await servers.leader('ALTHING_althing')
        await servers.pause(next)
        await sleep(3_000)
        servers.resume(next)
      },
    })
    expect(verdict).toBe('ok')
    const hashes: string[] = []
    for (const store of stores) {
      await store.range({ key: 'a' })
      hashes.push(store.host.model.stateHash().hash)
    }
    expect(new Set(hashes).size).toBe(1)
  })
})
