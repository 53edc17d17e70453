import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Operation, TxnReply, WatchBatch } from '../../src/contracts/store.ts'
import { type EtcdStore, openEtcdStore } from '../../src/engines/etcd/etcd-store.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { EtcdServers, etcdUnavailable, quickElections } from '../engines/servers/etcd-servers.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value = 'v'): Operation => ({ op: 'put', key, value: bytes(value) })

describe.skipIf(etcdUnavailable() !== undefined)('the store on a real etcd', () => {
  let servers: EtcdServers
  let store: EtcdStore
  let prefix = ''
  let tests = 0

  beforeAll(async () => {
    servers = await EtcdServers.start({
      members: 1,
      flags: { ...quickElections, 'experimental-watch-progress-notify-interval': '200ms' },
    })
    store = await openEtcdStore(world, { endpoints: servers.addresses })
    await store.connect()
  })

  afterAll(async () => {
    await store?.close()
    await servers?.stop()
  })

  beforeEach(() => {
    prefix = `test-${++tests}/`
  })

  const apply = (...then: Operation[]): Promise<TxnReply> => store.txn({ then })

  /** The first batches of a watch, without what only says how far it is. */
  async function take(watch: AsyncIterable<WatchBatch>, count: number): Promise<WatchBatch[]> {
    const batches: WatchBatch[] = []
    for await (const batch of watch) {
      if (batch.kind !== 'progress') batches.push(batch)
      if (batches.length === count) break
    }
    return batches
  }

  test('a watch from the first revision of a new store is told whether that was compacted', async () => {
    const range = { key: prefix, end: `${prefix}~` }
    const whole = store.watch({ ...range, fromRevision: 1 })[Symbol.asyncIterator]()
    expect((await whole.next()).value).toEqual({ kind: 'created', revision: 0 })
    expect(await store.compact(1)).toEqual({ compactRevision: 1 })
    const late = store.watch({ ...range, fromRevision: 1 })[Symbol.asyncIterator]()
    expect((await late.next()).value).toEqual({ kind: 'created', revision: 0 })
    expect((await late.next()).value).toEqual({
      kind: 'resync',
      reason: 'compacted',
      fromRevision: 1,
      revision: 1,
      kvs: [],
    })
    const { revision } = await apply(put(`${prefix}k`))
    expect(revision).toBe(2)
    for (const watch of [whole, late]) {
      expect((await watch.next()).value).toMatchObject({ kind: 'events', revision: 2 })
      await watch.return?.()
    }
  })

  test('a single key is read alone, whatever comes after it', async () => {
    const { revision } = await apply(put(`${prefix}k`), put(`${prefix}l`))
    for (const consistency of ['linearizable', 'serializable'] as const) {
      const reply = await store.range({ key: `${prefix}k` }, { consistency })
      expect([reply.count, reply.kvs.length, reply.revision]).toEqual([1, 1, revision])
    }
  })

  test('a key keeps its numbers', async () => {
    const key = `${prefix}a\u00ff\u0000`
    const first = await apply(put(key, 'one'))
    const second = await apply({ ...put(key, 'two'), previous: true } as Operation)
    expect(second.revision).toBe(first.revision + 1)
    const before = {
      key,
      value: bytes('one'),
      createRevision: first.revision,
      modRevision: first.revision,
      version: 1,
      lease: 0,
    }
    expect(second.replies).toEqual([{ op: 'put', previous: before }])
    expect(await store.range({ key })).toEqual({
      revision: second.revision,
      count: 1,
      more: false,
      kvs: [{ ...before, value: bytes('two'), modRevision: second.revision, version: 2 }],
    })
    expect((await store.range({ key, revision: first.revision })).kvs).toEqual([before])
  })

  test('a put that keeps the lease of a key that does not exist gives it none', async () => {
    const { lease } = await store.grantLease({ ttlMs: 60_000 })
    const [held, fresh] = [`${prefix}held`, `${prefix}fresh`]
    await apply({ ...put(held), lease } as Operation)
    const keep = (key: string): Operation => ({
      op: 'put',
      key,
      value: bytes('w'),
      lease: 'keep',
      previous: true,
    })
    const { replies } = await apply(keep(held), keep(fresh))
    expect(replies.map((reply) => reply.op === 'put' && reply.previous?.lease)).toEqual([lease, undefined])
    const { kvs } = await store.range({ key: prefix, end: `${prefix}~` })
    expect(kvs.map((kv) => [kv.key, kv.lease])).toEqual([
      [fresh, 0],
      [held, lease],
    ])
    await store.revokeLease(lease)
    expect((await store.range({ key: prefix, end: `${prefix}~` })).kvs.map(({ key }) => key)).toEqual([fresh])
  })

  test('what etcd has no words for: empty keys, empty ranges, an end of one zero byte', async () => {
    await apply(put(`${prefix}x`))
    const all = await store.range({ key: '', end: null, countOnly: true })
    expect(all.count).toBeGreaterThan(0)
    const none = { kvs: [], count: 0, more: false }
    expect(await store.range({ key: '' })).toMatchObject(none)
    expect(await store.range({ key: '', end: '' })).toMatchObject(none)
    expect(await store.range({ key: '', end: '\u0000' })).toMatchObject(none)
    expect(await store.range({ key: `${prefix}x`, end: prefix })).toMatchObject(none)
    const { succeeded, replies, revision } = await store.txn({
      compare: [
        { target: 'version', key: '', op: '=', value: 0 },
        { target: 'value', key: `${prefix}none`, op: '!=', value: bytes('a') },
      ],
      else: [
        { op: 'delete', key: 'z', end: 'a', previous: true },
        { op: 'range', key: 'q', end: '' },
      ],
    })
    expect([succeeded, revision]).toEqual([false, all.revision])
    expect(replies).toEqual([
      { op: 'delete', deleted: 0, previous: [] },
      { op: 'range', ...none },
    ])
    expect(await store.txn({ compare: [{ target: 'version', key: '', op: '=', value: 0 }] })).toEqual({
      succeeded: true,
      revision: all.revision,
      replies: [],
    })
  })

  test('a refusal says that nothing was done', async () => {
    const key = `${prefix}k`
    const { revision } = await apply(put(key))
    const later: Operation = { op: 'range', key, revision: revision + 10 }
    await expect(apply(put(key), later)).rejects.toMatchObject({ code: 'future-revision', outcome: 'none' })
    await expect(apply({ ...put(key), lease: 4711 } as Operation)).rejects.toMatchObject({
      code: 'lease-not-found',
      outcome: 'none',
    })
    await expect(apply(put(key), put(key))).rejects.toMatchObject({
      code: 'invalid-argument',
      outcome: 'none',
    })
    const large = new Uint8Array(1024 * 1024)
    await expect(
      apply({ op: 'put', key, value: large }, { op: 'put', key: `${key}2`, value: large }),
    ).rejects.toMatchObject({ code: 'too-large', outcome: 'none' })
    await expect(store.compact(revision + 10)).rejects.toMatchObject({
      code: 'future-revision',
      outcome: 'none',
    })
    await expect(store.keepLeaseAlive(4711)).rejects.toMatchObject({ code: 'lease-not-found' })
    await expect(store.revokeLease(4711)).rejects.toMatchObject({ code: 'lease-not-found', outcome: 'none' })
    expect((await store.range({ key })).revision).toBe(revision)
  })

  test('a range of more than a reply holds is cut there, and a small part of much is found', async () => {
    const value = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 12; i++)
      await apply({ op: 'put', key: `${prefix}${String(i).padStart(2, '0')}`, value })
    const range = { key: prefix, end: `${prefix}~` }
    const reply = await store.range(range)
    expect([reply.kvs.length, reply.count, reply.more]).toEqual([7, 12, true])
    const backwards = await store.range({ ...range, order: 'descending', limit: 2 })
    expect([backwards.kvs.map(({ key }) => key.slice(-2)), backwards.more]).toEqual([['11', '10'], true])
    expect((await store.range({ ...range, keysOnly: true })).kvs.map((kv) => kv.value.byteLength)).toEqual(
      Array.from({ length: 12 }, () => 0),
    )
  })

  test('a lease is renewed, listed with its keys, and ends with them in one revision', async () => {
    const { lease, ttlMs } = await store.grantLease({ ttlMs: 1_500 })
    expect(ttlMs).toBe(2_000)
    await apply({ ...put(`${prefix}b`), lease } as Operation, { ...put(`${prefix}a`), lease } as Operation)
    expect(await store.keepLeaseAlive(lease)).toEqual({ lease, ttlMs })
    const results = (await store.keepLeasesAlive?.([lease, 4711, lease])) ?? []
    expect(results.map((each) => ('code' in each ? each.code : each.ttlMs))).toEqual([
      2_000,
      'lease-not-found',
      2_000,
    ])
    const status = (await store.leases()).find((each) => each.lease === lease)
    expect(status).toMatchObject({ lease, ttlMs, keys: [`${prefix}a`, `${prefix}b`] })
    const watched = take(store.watch({ key: prefix, end: `${prefix}~` }), 2)
    const batches = await watched
    expect(batches[1]).toMatchObject({
      kind: 'events',
      events: [
        { type: 'delete', key: `${prefix}a` },
        { type: 'delete', key: `${prefix}b` },
      ],
    })
    await expect(store.keepLeaseAlive(lease)).rejects.toMatchObject({ code: 'lease-not-found' })
  })

  test('a watch tells whole revisions from where it is asked to, each event once', async () => {
    const range = { key: prefix, end: `${prefix}~` }
    const first = await apply(put(`${prefix}b`, '1'), put(`${prefix}a`, '1'))
    await apply(put('elsewhere'))
    const second = await apply(put(`${prefix}b`, '2'))
    const third = await apply({ op: 'delete', ...range })
    const batches = await take(store.watch({ ...range, fromRevision: first.revision, previous: true }), 2)
    const events = batches.flatMap((batch) => (batch.kind === 'events' ? batch.events : []))
    expect(batches[0]).toEqual({ kind: 'created', revision: first.revision - 1 })
    expect(
      events.map((event) =>
        event.type === 'put'
          ? ['put', event.kv.key.slice(-1), event.kv.modRevision, event.previous?.modRevision]
          : ['delete', event.key.slice(-1), event.modRevision, event.previous?.modRevision],
      ),
    ).toEqual([
      ['put', 'a', first.revision, undefined],
      ['put', 'b', first.revision, undefined],
      ['put', 'b', second.revision, first.revision],
      ['delete', 'a', third.revision, first.revision],
      ['delete', 'b', third.revision, second.revision],
    ])
    const single = await take(store.watch({ key: `${prefix}a`, fromRevision: second.revision }), 2)
    expect(single[1]).toMatchObject({ revision: third.revision, events: [{ type: 'delete' }] })
  })

  test('a watch without a first revision begins behind the newest, and hears how far the store is', async () => {
    const { revision } = await apply(put(`${prefix}a`))
    const kinds: string[] = []
    let progressed = 0
    for await (const batch of store.watch({ key: `${prefix}a`, progressMs: 100 })) {
      if (batch.kind === 'created') {
        expect(batch.revision).toBe(revision)
        await apply(put('elsewhere'))
      }
      if (batch.kind === 'progress') progressed = batch.revision
      kinds.push(batch.kind)
      if (progressed > revision) break
    }
    expect(new Set(kinds)).toEqual(new Set(['created', 'progress']))
  })

  test('what is compacted is told: to reads with the oldest that there is, to watches with the whole range', async () => {
    const key = `${prefix}k`
    const { revision } = await apply(put(key, '1'))
    for (let i = 2; i < 40; i++) await apply(put(key, String(i)))
    const deleted = await apply({ op: 'delete', key })
    const last = await apply(put(`${prefix}other`))
    expect(await store.compact(deleted.revision)).toEqual({ compactRevision: deleted.revision })
    expect(await store.compact(revision)).toEqual({ compactRevision: deleted.revision })
    const refusal = {
      code: 'compacted',
      details: { compactRevision: deleted.revision },
    }
    await expect(store.range({ key, revision })).rejects.toMatchObject(refusal)
    await expect(apply(put(key), { op: 'range', key, revision })).rejects.toMatchObject({
      ...refusal,
      outcome: 'none',
    })
    const range = { key: prefix, end: `${prefix}~` }
    // The deletion at the compact revision itself is gone with it.
    for (const fromRevision of [revision, deleted.revision]) {
      const [, resync] = await take(store.watch({ ...range, fromRevision }), 2)
      expect(resync).toMatchObject({
        kind: 'resync',
        reason: 'compacted',
        fromRevision,
        revision: last.revision,
        kvs: [{ key: `${prefix}other` }],
      })
    }
    const [, next] = await take(store.watch({ ...range, fromRevision: deleted.revision + 1 }), 2)
    expect(next).toMatchObject({ kind: 'events', revision: last.revision })
  })

  test('a consumer that does not read is set aside, and misses nothing', async () => {
    const watch = store.watch({ key: `${prefix}k`, end: `${prefix}l` })
    const batches = watch[Symbol.asyncIterator]()
    const created = await batches.next()
    expect(created.value).toMatchObject({ kind: 'created' })
    const value = new Uint8Array(1024 * 1024)
    let last = 0
    for (let i = 0; i < 24; i++)
      ({ revision: last } = await apply({ op: 'put', key: `${prefix}k${i}`, value }))
    const revisions: number[] = []
    while (revisions.at(-1) !== last) {
      const { value: batch } = await batches.next()
      for (const event of (batch as Extract<WatchBatch, { kind: 'events' }>).events)
        if (event.type === 'put') revisions.push(event.kv.modRevision)
    }
    expect(revisions).toEqual(Array.from({ length: 24 }, (_, i) => last - 23 + i))
    await batches.return?.()
  })

  test('serializable reads are served, and serializable writes refused', async () => {
    const key = `${prefix}k`
    await apply(put(key))
    expect((await store.range({ key }, { consistency: 'serializable' })).count).toBe(1)
    const read = await store.txn({ then: [{ op: 'range', key }] }, { consistency: 'serializable' })
    expect(read.replies).toMatchObject([{ op: 'range', count: 1 }])
    await expect(store.txn({ then: [put(key)] }, { consistency: 'serializable' })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })

  test('after close every call and watch ends with closed', async () => {
    const own = await openEtcdStore(world, { endpoints: servers.addresses })
    const batches = own.watch({ key: prefix })[Symbol.asyncIterator]()
    await batches.next()
    const waiting = batches.next()
    await own.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await expect(own.range({ key: prefix })).rejects.toMatchObject({ code: 'closed' })
    await expect(own.txn({ then: [put(prefix)] })).rejects.toMatchObject({ code: 'closed', outcome: 'none' })
    await own.close()
  })
})
