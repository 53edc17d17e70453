import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NatsConnection as OurNatsConnection } from '../../src/engines/nats/nats-library.ts'
import {
  type NatsStore,
  type NatsStoreOptions,
  openNatsStore,
} from '../../src/engines/nats/open-nats-store.ts'
import { open } from '../../src/node/althing.ts'
import { hasOpenssl, TestAuthority } from '../../src/world/certificates.test-support.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { LoopThreads } from '../engines/loop-threads.ts'
import { NatsServers, natsUnavailable } from '../engines/servers/nats-servers.ts'

const nodeWorld = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })
// A thread loads what is built; the sources run in this loop.
const world = { ...nodeWorld, threads: new LoopThreads(nodeWorld) }

async function put(store: NatsStore, key: string, text: string): Promise<number> {
  return (await store.txn({ then: [{ op: 'put', key, value: Buffer.from(text) }] })).revision
}

async function get(store: NatsStore, key: string): Promise<string | undefined> {
  const value = (await store.range({ key })).kvs[0]?.value
  return value === undefined ? undefined : Buffer.from(value).toString()
}

describe.skipIf(natsUnavailable() !== undefined)('the engine of NATS', () => {
  let servers: NatsServers
  let connection: NatsConnection
  let manager: Awaited<ReturnType<typeof jetstreamManager>>
  let stores = 0

  beforeAll(async () => {
    servers = await NatsServers.start({ members: 1 })
    connection = await servers.client()
    manager = await jetstreamManager(connection)
  })

  afterAll(async () => {
    await connection?.close()
    await servers?.stop()
  })

  function fresh(): { readonly url: string; readonly store: string } {
    return { url: `nats://${servers.addresses[0]}`, store: `s${++stores}` }
  }

  async function using<T>(options: NatsStoreOptions, use: (store: NatsStore) => Promise<T>): Promise<T> {
    const store = await openNatsStore(world, options)
    try {
      return await use(store)
    } finally {
      await store.close()
    }
  }

  test('makes its streams once, however many programs start at the same time', async () => {
    const options = fresh()
    const opened = await Promise.all(Array.from({ length: 6 }, () => openNatsStore(world, options)))
    const revisions = await Promise.all(opened.map((store, i) => put(store, `k${i}`, 'v')))
    expect(revisions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7])
    await Promise.all(opened.map((store) => store.close()))
    const { config } = await manager.streams.info(`ALTHING_${options.store}`)
    expect(config).toMatchObject({ storage: 'file', discard: 'new', num_replicas: 1 })
  })

  test('keeps stores of different names apart, and finds each again', async () => {
    const [one, other] = [fresh(), fresh()]
    await using(one, (store) => put(store, 'a', 'of the one'))
    await using(other, async (store) => {
      expect(await get(store, 'a')).toBeUndefined()
      expect(await put(store, 'a', 'of the other')).toBe(2)
    })
    await using({ url: `${one.url}/${one.store}` }, async (store) =>
      expect(await get(store, 'a')).toBe('of the one'),
    )
    await using({ url: `${one.url}?store=${other.store}` }, async (store) =>
      expect(await get(store, 'a')).toBe('of the other'),
    )
  })

  test('where it may not make streams, says which is missing', async () => {
    await expect(openNatsStore(world, { ...fresh(), create: false })).rejects.toMatchObject({
      code: 'not-found',
      outcome: 'none',
    })
  })

  test('refuses streams that would lose what is written', async () => {
    for (const config of [{ max_age: 60e9 }, { discard: 'old' }, { max_msgs_per_subject: 1 }]) {
      const { url, store } = fresh()
      const name = `ALTHING_${store}`
      await manager.streams.add({
        name,
        subjects: [`althing.${store}.log`],
        discard: 'new',
        ...config,
      } as Parameters<typeof manager.streams.add>[0])
      await expect(openNatsStore(world, { url, store })).rejects.toMatchObject({
        code: 'incompatible-peer',
        outcome: 'none',
        details: { stream: name, wrong: Object.keys(config) },
      })
    }
  })

  test('takes the connection of an application, and leaves it open', async () => {
    const options = { connection: connection as unknown as OurNatsConnection, store: fresh().store }
    await using(options, async (store) => {
      expect(store.renewal).toBeUndefined()
      const watch = store.watch({ key: 'a' })[Symbol.asyncIterator]()
      await watch.next()
      await put(store, 'a', '1')
      expect((await watch.next()).value).toMatchObject({ kind: 'events' })
      await watch.return?.()
    })
    expect(connection.isClosed()).toBe(false)
    await connection.flush()
  })

  test('keeps its log short by snapshots, which a client that comes later begins with', async () => {
    const options = fresh()
    await using({ ...options, snapshotMessages: 2_000 }, async (store) => {
      const { lease } = await store.grantLease({ ttlMs: 60_000 })
      for (let i = 0; i < 4_500; i++) await put(store, `k${i % 50}`, String(i))
      expect(await store.host.makeRoom()).toBe(true)
      const { state } = await manager.streams.info(`ALTHING_${options.store}`)
      expect(state.first_seq).toBeGreaterThan(4_000)
      await using(options, async (late) => {
        expect(await get(late, 'k42')).toBe('4492')
        expect(late.host.model.stateHash().hash).toBe(store.host.model.stateHash().hash)
        expect((await late.keepLeaseAlive(lease)).lease).toBe(lease)
        await late.revokeLease(lease)
      })
      // Two snapshots are kept, and no more.
      const snapshots = await manager.streams.info(`ALTHING_${options.store}_SNAPSHOTS`, {
        subjects_filter: `althing.${options.store}.snapshots.>`,
      })
      expect(Object.keys(snapshots.state.subjects ?? {}).length).toBe(3)
    })
  }, 60_000)

  test('of clients that make a snapshot at the same time one wins, and nothing is lost', async () => {
    const options = fresh()
    const opened = await Promise.all(Array.from({ length: 3 }, () => openNatsStore(world, options)))
    for (let round = 0; round < 5; round++) {
      for (const [i, store] of opened.entries()) await put(store, `k${i}`, String(round))
      await Promise.all(opened.map((store) => store.host.makeRoom()))
      await using(options, async (late) => expect(await get(late, 'k2')).toBe(String(round)))
    }
    await Promise.all(opened.map((store) => store.close()))
  })

  test('notices that its stream was removed and made anew', async () => {
    const options = fresh()
    const store = await openNatsStore(world, { ...options, timeoutMs: 10_000 })
    for (let i = 0; i < 5; i++) await put(store, 'k', String(i))
    await manager.streams.delete(`ALTHING_${options.store}`)
    const other = await openNatsStore(world, options)
    await put(other, 'k', 'anew')
    await expect(get(store, 'k')).rejects.toMatchObject({ code: 'corrupt' })
    await expect(put(store, 'k', 'x')).rejects.toMatchObject({ code: 'corrupt' })
    expect(await get(other, 'k')).toBe('anew')
    await Promise.all([store.close(), other.close()])
  })

  test('says what is wrong with an address, a password, a right', async () => {
    await expect(openNatsStore(world, { url: 'nats://127.0.0.1:1', timeoutMs: 500 })).rejects.toMatchObject({
      code: 'unavailable',
      outcome: 'none',
    })
    const guarded = await NatsServers.start({
      members: 1,
      configuration: `authorization { users: [
        { user: test }
        { user: app, password: secret }
        { user: reader, password: secret, permissions: { publish: ["$JS.API.STREAM.INFO.>"], subscribe: ["_INBOX.>"] } }
      ] }
      no_auth_user: test`,
    })
    const at = (user: string): string => `nats://${user}@${guarded.addresses[0]}`
    try {
      await using({ url: at('app:secret') }, (store) => put(store, 'a', '1'))
      await expect(openNatsStore(world, { url: at('app:wrong') })).rejects.toMatchObject({
        code: 'unauthenticated',
        outcome: 'none',
      })
      await expect(
        openNatsStore(world, { url: at('reader:secret'), timeoutMs: 3_000 }),
      ).rejects.toMatchObject({
        outcome: 'none',
      })
    } finally {
      await guarded.stop()
    }
  })

  test('refuses a server whose messages are too small', async () => {
    const small = await NatsServers.start({ members: 1, configuration: 'max_payload: 64KB' })
    await expect(openNatsStore(world, { url: `nats://${small.addresses[0]}` })).rejects.toMatchObject({
      code: 'incompatible-peer',
      outcome: 'none',
      details: { payloadBytes: 65_536 },
    })
    await small.stop()
  })

  test('refuses locks on servers that do not sync, unless that is accepted by name', async () => {
    const { url, store } = fresh()
    const place = `${url}/${store}`
    const refusing = await open(place, { world })
    const refusal = expect.objectContaining({
      code: 'missing-guarantee',
      details: expect.objectContaining({ missing: ['fencing'] }) as unknown,
    })
    expect(() => refusing.locks).toThrow(refusal)
    expect(() => refusing.elections).toThrow(refusal)
    await refusing.store.put('a', 1)
    await refusing.close()
    const accepting = await open(place, { world, accept: ['fencing'] })
    const lock = await accepting.locks.acquire('one', { ttl: '5s' })
    await lock.release()
    await accepting.close()
  })

  test('carries locks and elections: one holder at a time, each with a larger token', async () => {
    const { url, store } = fresh()
    const place = `${url}/${store}?sync=always`
    const programs = await Promise.all([
      open(place, { world }),
      open(place, { world }),
      open(place, { world }),
    ])
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
    const [first, second] = programs
    const led = await first.elections.campaign('head', { ttl: '5s' })
    const next = second.elections.campaign('head', { ttl: '5s' })
    await led.resign()
    const after = await next
    expect(after.term).toBeGreaterThan(led.term)
    await after.resign()
    await Promise.all(programs.map((program) => program.close()))
  })
})

describe.skipIf(natsUnavailable() !== undefined || !hasOpenssl)('NATS over TLS', () => {
  test('serves a client with a certificate, and no other', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'althing-nats-tls-'))
    const authority = new TestAuthority(folder)
    const servers = await NatsServers.start({
      members: 1,
      tls: { caFile: authority.caFile, ...authority.issue('server') },
    })
    const url = `nats://${servers.addresses[0]}`
    try {
      const own = { caFile: authority.caFile, ...authority.issue('client') }
      const program = await open(url, { world, tls: own })
      await program.store.put('a', 'x')
      expect((await program.store.get('a'))?.value).toBe('x')
      await program.close()
      const strange = new TestAuthority(folder, 'stranger')
      for (const tls of [{ caFile: authority.caFile }, { ...own, caFile: strange.caFile }])
        await expect(open(url, { world, tls, timeout: '1s' })).rejects.toMatchObject({ outcome: 'none' })
      await expect(
        open(url, { world, tls: { caFile: path.join(folder, 'none.pem') } }),
      ).rejects.toMatchObject({
        code: 'invalid-argument',
        details: { field: 'tls.caFile' },
      })
    } finally {
      await servers.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
