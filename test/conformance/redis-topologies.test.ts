import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Cluster, Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/contracts/store.ts'
import type { RedisClient } from '../../src/engines/redis/library.ts'
import { openRedisStore } from '../../src/engines/redis/open-redis-store.ts'
import { freePorts } from '../../src/node/free-ports.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { RedisServer, redisUnavailable, syncsAlways } from '../engines/servers/redis-server.ts'
import { eventually, ServerProcess } from '../engines/servers/server-process.ts'

const world = createNodeWorld({ dataFolder: '.', logger: { log: () => undefined } })
const weak = { linearizable: false, durability: 'memory', leaseSurvivesFailover: false, fencing: false }

async function put(store: Store, key: string, text: string): Promise<number> {
  return (await store.txn({ then: [{ op: 'put', key, value: Buffer.from(text) }] })).revision
}

function placeOf(address: string): { readonly host: string; readonly port: number } {
  const [host, port] = address.split(':') as [string, string]
  return { host, port: Number(port) }
}

/** Watches the primary of a server, and promotes its replica when it is down. */
async function startSentinel(
  primary: RedisServer,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'althing-sentinel-'))
  const [port] = (await freePorts(1)) as [number]
  const file = path.join(folder, 'sentinel.conf')
  const { host, port: primaryPort } = placeOf(primary.address)
  writeFileSync(
    file,
    `port ${port}
bind 127.0.0.1
dir ${folder}
sentinel monitor main ${host} ${primaryPort} 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 5000
`,
  )
  const server = new ServerProcess('redis-server', [file, '--sentinel'])
  server.start()
  await eventually('the Sentinel knows the replica', 20_000, async () => {
    const client = new Redis({ port, lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      const replicas = (await client.call('sentinel', 'replicas', 'main')) as unknown[]
      if (replicas.length === 0) throw new Error(server.log)
    } finally {
      client.disconnect()
    }
  })
  return {
    port,
    stop: async () => {
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

describe.skipIf(redisUnavailable() !== undefined)('the engine of Redis finds the primary', () => {
  test('by Sentinels: it follows a failover by itself, calls and watches, and promises nothing that one breaks', async () => {
    const primary = await RedisServer.start()
    const replica = await RedisServer.replicaOf(primary)
    const sentinel = await startSentinel(primary)
    const config = { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'main' }
    const store = await openRedisStore(world, { config, timeoutMs: 20_000 })
    try {
      expect(store.capabilities).toMatchObject(weak)
      const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
      await watch.next()
      const revision = await put(store, 'k', '1')
      await watch.next()
      await eventually('the replica has it', 10_000, async () => {
        expect(await replica.command('hget', '{althing}:meta', 'revision')).toBe(String(revision))
      })
      await primary.kill()
      expect(await put(store, 'k', '2')).toBe(revision + 1)
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: revision + 1 })
      await watch.return?.()
    } finally {
      await store.close()
      await sentinel.stop()
      await replica.stop()
      await primary.stop()
    }
  }, 60_000)

  test('in a cluster, by a client of the application: all keys of a store are in one slot', async () => {
    const server = await RedisServer.start({
      ...syncsAlways,
      'cluster-enabled': 'yes',
      'cluster-announce-ip': '127.0.0.1',
    })
    await server.command('cluster', 'addslotsrange', '0', '16383')
    await eventually('the cluster is up', 10_000, async () => {
      expect(String(await server.command('cluster', 'info'))).toContain('cluster_state:ok')
    })
    const client = new Cluster([placeOf(server.address)])
    client.on('error', () => undefined)
    const store = await openRedisStore(world, { client: client as unknown as RedisClient, timeoutMs: 10_000 })
    try {
      expect(store.capabilities).toMatchObject(weak)
      const watch = store.watch({ key: 'a', end: 'c' })[Symbol.asyncIterator]()
      await watch.next()
      const { lease } = await store.grantLease({ ttlMs: 60_000 })
      const key = 'b'
      const { revision } = await store.txn({ then: [{ op: 'put', key, value: Buffer.from('1'), lease }] })
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision })
      await store.revokeLease(lease)
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: revision + 1 })
      expect((await store.range({ key: '', end: null })).count).toBe(0)
      expect((await store.range({ key, end: null, revision })).count).toBe(1)
      await server.kill()
      await server.restart()
      expect(await put(store, key, '2')).toBe(revision + 2)
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: revision + 2 })
      await watch.return?.()
    } finally {
      await store.close()
      client.disconnect()
      await server.stop()
    }
  }, 60_000)
})
