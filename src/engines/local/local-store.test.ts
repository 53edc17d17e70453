import { describe, expect, test } from 'vitest'
import { byteStringFromText, bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Store, WatchBatch } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { openLocalStore } from './local-store.ts'

const put = (key: string, value: string, lease = 0) =>
  ({ op: 'put', key: byteStringFromText(key), value: bytesFromText(value), lease }) as const

async function valueOf(store: Store, key: string): Promise<string | undefined> {
  const { kvs } = await store.range({ key })
  return kvs[0] === undefined ? undefined : textFromBytes(kvs[0].value)
}

/** Runs `body` as the only process of a simulation, and returns what it returns. */
async function simulate<T>(body: (world: World) => Promise<T>, seed = 1): Promise<T> {
  const simulation = new Simulation({ seed })
  let result: { value: T } | undefined
  simulation.process('app', async (world) => {
    result = { value: await body(world) }
  })
  await simulation.runUntil(() => result !== undefined, { limitMs: 600_000 })
  return (result as { value: T }).value
}

describe('local engine', () => {
  test('puts, reads, deletes and compares', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const first = await store.txn({ then: [put('a', '1'), put('b', '2')] })
      expect(first.revision).toBe(2)
      expect(await valueOf(store, 'a')).toBe('1')
      const refused = await store.txn({
        compare: [{ target: 'createRevision', key: 'a', op: '=', value: 0 }],
        then: [put('a', '9')],
        else: [{ op: 'range', key: 'a' }],
      })
      expect(refused.succeeded).toBe(false)
      expect(refused.revision).toBe(2)
      await store.txn({ then: [{ op: 'delete', key: 'a' }] })
      expect(await valueOf(store, 'a')).toBeUndefined()
      await store.close()
    })
  })

  test('what was acknowledged is there after a crash at any later moment', async () => {
    const simulation = new Simulation({ seed: 7 })
    const acknowledged: number[] = []
    let found: number | undefined
    const process = simulation.process('app', async (world) => {
      const store = await openLocalStore({
        world,
        directory: 'data',
        snapshotEntries: 20,
        files: { segmentBytes: 64 * 1024 },
      })
      const text = await valueOf(store, 'n')
      found = text === undefined ? 0 : Number(text)
      for (let n = found + 1; ; n++) {
        await store.txn({ then: [put('n', String(n)), put(`k${n % 10}`, 'x'.repeat(100))] })
        acknowledged.push(n)
      }
    })
    for (let round = 0; round < 10; round++) {
      const before = acknowledged.at(-1) ?? 0
      await simulation.runUntil(() => (acknowledged.at(-1) ?? 0) > before + 17, { limitMs: 60_000 })
      const last = acknowledged.at(-1) ?? 0
      process.crash()
      found = undefined
      process.restart()
      await simulation.runUntil(() => found !== undefined, { limitMs: 60_000 })
      expect(found).toBeGreaterThanOrEqual(last)
      expect(found).toBeLessThanOrEqual(last + 1)
    }
  })

  test('a lease ends after its time, not before, and takes its keys along', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const { lease } = await store.grantLease({ ttlMs: 1_000 })
      await store.txn({ then: [put('mine', 'x', lease)] })
      const sleep = (ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))
      await sleep(900)
      expect(await valueOf(store, 'mine')).toBe('x')
      await store.keepLeaseAlive(lease)
      await sleep(900)
      expect(await valueOf(store, 'mine')).toBe('x')
      await sleep(200)
      expect(await valueOf(store, 'mine')).toBeUndefined()
      await expect(store.keepLeaseAlive(lease)).rejects.toMatchObject({ code: 'lease-not-found' })
      await store.close()
    })
  })

  test('a watch reports everything from a past revision on, in order, and a resync after a compaction', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      for (let n = 1; n <= 5; n++) await store.txn({ then: [put('k', String(n))] })
      const seen: WatchBatch[] = []
      for await (const batch of store.watch({ key: 'k', fromRevision: 3 })) {
        seen.push(batch)
        if (batch.kind === 'events' && batch.revision >= 6) break
      }
      const values = seen.flatMap((batch) => (batch.kind === 'events' ? batch.events : []))
      expect(values.map((event) => (event.type === 'put' ? textFromBytes(event.kv.value) : ''))).toEqual([
        '2',
        '3',
        '4',
        '5',
      ])
      await store.compact(5)
      for await (const batch of store.watch({ key: 'k', fromRevision: 3 })) {
        if (batch.kind === 'created') continue
        expect(batch).toMatchObject({ kind: 'resync', fromRevision: 3, revision: 6 })
        break
      }
      await store.close()
    })
  })

  test('a consumer that does not read holds up nobody and loses nothing', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const watch = store.watch({ key: '', end: null, fromRevision: 1 })
      for (let n = 1; n <= 300; n++) {
        await store.txn({ then: Array.from({ length: 100 }, (_, i) => put(`k${i}`, String(n))) })
      }
      let events = 0
      let last = 1
      for await (const batch of watch) {
        if (batch.kind !== 'events') continue
        expect(batch.revision).toBeGreaterThan(last)
        last = batch.revision
        events += batch.events.length
        if (last === 301) break
      }
      expect(events).toBe(30_000)
      await store.close()
    })
  })

  test('calls after close, and watches at close, end with `closed`', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
      await watch.next()
      const next = watch.next()
      await store.close()
      await expect(next).rejects.toMatchObject({ code: 'closed' })
      await expect(store.range({ key: 'k' })).rejects.toMatchObject({ code: 'closed' })
      await expect(store.txn({ then: [put('k', '1')] })).rejects.toMatchObject({
        code: 'closed',
        outcome: 'none',
      })
    })
  })

  test('bad arguments are refused by name before anything happens', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      await expect(store.grantLease({ ttlMs: 1 })).rejects.toMatchObject({
        code: 'invalid-argument',
        outcome: 'none',
      })
      await expect(store.range({ key: 'a', limit: -1 })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(store.txn({ then: [put('', '1')] })).rejects.toMatchObject({ code: 'invalid-argument' })
      await store.close()
    })
  })
})

describe('automatic compaction', () => {
  test('keeps the stated number of revisions, and what is current whatever its age', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world, keepRevisions: 100 })
      await store.txn({ then: [put('old', 'still here')] })
      for (let n = 1; n <= 400; n++) await store.txn({ then: [put('k', String(n))] })
      const { revision } = await store.range({ key: 'k' })
      await expect(store.range({ key: 'k', revision: 10 })).rejects.toMatchObject({ code: 'compacted' })
      const { kvs } = await store.range({ key: 'k', revision: revision - 90 })
      expect(textFromBytes(kvs[0]?.value ?? new Uint8Array())).toBe('310')
      expect(await valueOf(store, 'old')).toBe('still here')
      await store.close()
    })
  })
})

describe('the store and its caller share no bytes', () => {
  test('a buffer changed after the call, and a reply changed by its reader, change nothing', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const seen = store.watch({ key: 'k', previous: true })[Symbol.asyncIterator]()
      await seen.next()
      const value = bytesFromText('good')
      const writing = store.txn({ then: [{ op: 'put', key: 'k', value }] })
      value.fill(0)
      await writing
      const spoil = (kv: { readonly value: Uint8Array } | undefined) => kv?.value.fill(0)
      const batch = (await seen.next()).value as WatchBatch
      if (batch.kind === 'events') for (const event of batch.events) if (event.type === 'put') spoil(event.kv)
      spoil((await store.range({ key: 'k' })).kvs[0])
      const { replies } = await store.txn({ then: [{ op: 'range', key: 'k' }] })
      if (replies[0]?.op === 'range') spoil(replies[0].kvs[0])
      expect(await valueOf(store, 'k')).toBe('good')
      const { replies: deleted } = await store.txn({ then: [{ op: 'delete', key: 'k', previous: true }] })
      if (deleted[0]?.op === 'delete') spoil(deleted[0].previous?.[0])
      const { kvs } = await store.range({ key: 'k', revision: 2 })
      expect(textFromBytes(kvs[0]?.value ?? new Uint8Array())).toBe('good')
      await store.close()
    })
  })
})

describe('a local store whose disk fails', () => {
  test('ends its calls and watches with the reason, and closes in good order', async () => {
    const simulation = new Simulation({ seed: 3 })
    let isDone = false
    const process = simulation.process('app', async (world) => {
      const store = await openLocalStore({ world, directory: 'data' })
      await store.txn({ then: [put('k', '1')] })
      const watch = store.watch({ key: 'k' })[Symbol.asyncIterator]()
      await watch.next()
      const next = watch.next()
      process.disk.conditions.syncErrorRate = 1
      process.disk.conditions.writeErrorRate = 1
      await expect(store.txn({ then: [put('k', '2')] })).rejects.toMatchObject({
        code: 'node-failed',
        outcome: 'unknown',
      })
      await expect(next).rejects.toMatchObject({ code: 'node-failed' })
      await expect(store.txn({ then: [put('k', '3')] })).rejects.toMatchObject({
        code: 'node-failed',
        outcome: 'none',
      })
      await expect(store.range({ key: 'k' })).rejects.toMatchObject({ code: 'node-failed' })
      await expect(store.keepLeaseAlive(1)).rejects.toMatchObject({ code: 'node-failed' })
      await expect(store.watch({ key: 'k' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'node-failed',
      })
      await store.close()
      isDone = true
    })
    await simulation.runUntil(() => isDone, { limitMs: 60_000 })
  })
})

describe('waiting', () => {
  test('a signal and a time limit bound every call; a bad limit is refused', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const aborted = { signal: AbortSignal.abort() }
      await expect(store.txn({ then: [put('k', '1')] }, aborted)).rejects.toMatchObject({
        code: 'aborted',
        outcome: 'none',
      })
      expect(await valueOf(store, 'k')).toBeUndefined()
      const controller = new AbortController()
      const writing = store.txn({ then: [put('k', '1')] }, { signal: controller.signal })
      controller.abort()
      await expect(writing).rejects.toMatchObject({ code: 'aborted', outcome: 'unknown' })
      await expect(store.range({ key: 'k' }, { timeoutMs: Number.NaN })).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await store.close()
    })
  })
})

const noWait = (world: World, ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))

describe('bounds of the local engine', () => {
  test('a full store refuses what grows it, serves reads and deletes, and takes writes again when there is room', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world, bounds: { quotaBytes: 16 * 1024 * 1024 } })
      const { lease } = await store.grantLease({ ttlMs: 60_000 })
      const value = new Uint8Array(1024 * 1024 - 400)
      let written = 0
      const fill = async (): Promise<unknown> => {
        for (; ; written++)
          await store.txn({
            then: [{ op: 'put', key: `k${written}`, value, lease: written % 2 === 0 ? lease : 0 }],
          })
      }
      await expect(fill()).rejects.toMatchObject({ code: 'no-space', outcome: 'none' })
      expect(written).toBe(15)
      expect(store.host.space.state).toBe('nearly-full')
      await expect(store.txn({ then: [put('other', 'x'.repeat(1_048_000))] })).rejects.toMatchObject({
        code: 'no-space',
      })
      expect((await store.range({ key: 'k', end: 'l', countOnly: true })).count).toBe(15)
      await store.txn({
        then: [
          { op: 'delete', key: 'k1' },
          { op: 'delete', key: 'k3' },
        ],
      })
      await store.txn({ then: [put('again', 'x')] })
      await store.revokeLease(lease)
      await noWait(world, 100)
      // What was deleted is still in the history, which gives way when the store is nearly full.
      expect(store.host.space.bytes).toBeLessThan(8 * 1024 * 1024)
      await store.txn({ then: [put('k1', 'x'.repeat(900_000))] })
      await store.close()
    })
  })

  test('a quota set while it runs holds after a restart, and growth can be refused for the disk', async () => {
    await simulate(async (world) => {
      const open = () => openLocalStore({ world, directory: 'data', snapshotEntries: 3 })
      let store = await open()
      const setQuota = (bytes: number) =>
        new Promise((resolve, reject) =>
          store.host.setQuota(bytes, (error, value) =>
            error === undefined ? resolve(value) : reject(error),
          ),
        )
      await expect(setQuota(5)).rejects.toMatchObject({ code: 'invalid-argument' })
      expect(await setQuota(64 * 1024 * 1024)).toEqual({ quotaBytes: 64 * 1024 * 1024 })
      for (let i = 0; i < 10; i++) await store.txn({ then: [put('a', String(i))] })
      await store.close()
      store = await open()
      expect(store.host.space.quotaBytes).toBe(64 * 1024 * 1024)
      store.host.refuseGrowth('the disk is all but full')
      await expect(store.txn({ then: [put('a', 'b')] })).rejects.toThrow('the disk is all but full')
      expect(await valueOf(store, 'a')).toBe('9')
      await store.close()
    })
  })

  test('history older than asked for is compacted away, also when nothing is written any more', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world, keepMs: 60_000 })
      for (let i = 0; i < 10; i++) await store.txn({ then: [put('a', String(i))] })
      await noWait(world, 30_000)
      await store.txn({ then: [put('a', 'late')] })
      expect((await store.range({ key: 'a', revision: 3 })).kvs.length).toBe(1)
      await noWait(world, 35_000)
      await expect(store.range({ key: 'a', revision: 3 })).rejects.toMatchObject({ code: 'compacted' })
      expect(store.host.model.stats.revisionsKept).toBe(1)
      await noWait(world, 60_000)
      expect(store.host.model.stats.revisionsKept).toBe(0)
      const { appliedIndex } = store.host.group
      await noWait(world, 3_600_000 / 10)
      expect(store.host.group.appliedIndex).toBe(appliedIndex)
      await store.close()
    })
  })

  test('a transaction that only reads makes no entry, and sees all that was acknowledged', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      await store.txn({ then: [put('a', '1')] })
      const { appliedIndex } = store.host.group
      const request = {
        compare: [{ target: 'version', key: 'a', op: '=', value: 1 }],
        then: [{ op: 'range', key: 'a' }],
        else: [{ op: 'range', key: 'b' }],
      } as const
      for (const consistency of ['linearizable', 'serializable'] as const) {
        const reply = await store.txn(request, { consistency })
        expect(reply).toMatchObject({ revision: 2, succeeded: true, replies: [{ op: 'range', count: 1 }] })
      }
      await expect(store.txn({ then: [{ op: 'range', key: 'a', revision: 99 }] })).rejects.toMatchObject({
        code: 'future-revision',
        outcome: 'none',
      })
      expect(store.host.group.appliedIndex).toBe(appliedIndex)
      await expect(
        store.txn({ then: [put('a', '2')] }, { consistency: 'serializable' }),
      ).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await store.close()
    })
  })

  test('thousands of leases are listed whole, renewed together, and expire in steps between which the store serves', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world })
      const count = 12_000
      const grants: Promise<unknown>[] = []
      for (let i = 0; i < count; i++) grants.push(store.grantLease({ ttlMs: 2_000 }))
      await Promise.all(grants)
      expect((await store.leases()).map(({ lease }) => lease)).toEqual(
        Array.from({ length: count }, (_, i) => i + 1),
      )
      await noWait(world, 1_500)
      const renewed = await store.keepLeasesAlive([1, 5, count + 1, 7])
      expect(renewed.map((result) => ('code' in result ? result.code : result.lease))).toEqual([
        1,
        5,
        'lease-not-found',
        7,
      ])
      await expect(store.keepLeasesAlive(Array(1_001).fill(1))).rejects.toMatchObject({ code: 'too-large' })
      const { appliedIndex } = store.host.group
      await noWait(world, 1_400)
      expect(await store.leases()).toEqual([
        expect.objectContaining({ lease: 1 }),
        expect.objectContaining({ lease: 5 }),
        expect.objectContaining({ lease: 7 }),
      ])
      expect(store.host.group.appliedIndex - appliedIndex).toBe(Math.ceil((count - 3) / 500))
      await noWait(world, 1_000)
      expect(await store.leases()).toEqual([])
      await store.close()
    })
  })

  test('leases with very many keys come in pages, and expire few at a time', async () => {
    await simulate(async (world) => {
      const store = await openLocalStore({ world, bounds: { keysPerLeaseMax: 1_000_000 } })
      const long = 'x'.repeat(3_000)
      for (let n = 1; n <= 4; n++) {
        await store.grantLease({ ttlMs: 5_000 })
        for (let i = 0; i < 1_000; i += 100) {
          const then = Array.from({ length: 100 }, (_, j) => put(`${n}/${i + j}/${long}`, '', n))
          await store.txn({ then })
        }
      }
      const all = await store.leases()
      expect(all.map(({ lease, keys, moreKeys }) => [lease, keys.length < 1_000, moreKeys])).toEqual(
        [1, 2, 3, 4].map((lease) => [lease, true, true]),
      )
      const { appliedIndex } = store.host.group
      await noWait(world, 6_000)
      expect(store.host.model.stats).toMatchObject({ keys: 0, leases: 0 })
      expect(store.host.group.appliedIndex - appliedIndex).toBe(2)
      await store.close()
    })
  })

  test('the hash kept up to date is that of the keys, after a restart from a snapshot too', async () => {
    await simulate(async (world) => {
      const open = () => openLocalStore({ world, directory: 'data', snapshotEntries: 40 })
      let store = await open()
      for (let i = 0; i < 100; i++)
        await store.txn({ then: [put(`k${i % 7}`, String(i)), put(`n${i}`, 'x')] })
      await store.grantLease({ ttlMs: 600_000 })
      const before = store.host.stateHash()
      const verified = store.host.verifyStateHash()
      await store.txn({ then: [put('k1', 'changed meanwhile')] })
      expect(await verified).toBe(true)
      await store.txn({ then: [put('k1', 'again')] })
      expect(store.host.stateHash().hash).not.toBe(before.hash)
      const last = store.host.stateHash()
      await store.close()
      store = await open()
      const { hash, revision } = store.host.stateHash()
      expect([hash, revision]).toEqual([last.hash, last.revision])
      const kv = (await store.range({ key: 'k1' })).kvs[0]
      expect(kv).toBeDefined()
      // A flipped bit in memory, which no checksum of the disk would show.
      const inMemory = store.host.model.range({ key: 'k1' }).kvs[0]?.value as Uint8Array
      inMemory[0] = (inMemory[0] as number) ^ 1
      expect(await store.host.verifyStateHash()).toBe(false)
      await store.close()
    })
  })
})
