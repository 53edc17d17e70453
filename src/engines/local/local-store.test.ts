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
