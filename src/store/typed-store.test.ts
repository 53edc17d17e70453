import { describe, expect, test } from 'vitest'
import { openLocalStore } from '../engines/local/local-store.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { CallOptions, Store } from '../contracts/store.ts'
import { type Codec, jsonCodec, textCodec, TypedStore } from './typed-store.ts'

async function withStore(body: (store: TypedStore) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world) => {
    const raw = await openLocalStore({ world })
    await body(new TypedStore(raw))
    await raw.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

test('values that cannot be encoded, or not be read, are errors that name the key', async () => {
  await withStore(async (store) => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    for (const value of [circle, 1n, undefined])
      await expect(store.put('k', value)).rejects.toMatchObject({ code: 'invalid-argument', outcome: 'none' })
    await store.as(textCodec).put('text', 'not JSON')
    await expect(store.as(jsonCodec).get('text')).rejects.toMatchObject({
      code: 'corrupt',
      details: { key: 'text' },
    })
    await store.raw.txn({ then: [{ op: 'put', key: 'raw\u00ff', value: new Uint8Array(1) }] })
    await expect(store.list('raw')).rejects.toMatchObject({ code: 'corrupt' })
  })
})

test('keys and texts of any Unicode come back as they were; half a surrogate pair is refused', async () => {
  await withStore(async (store) => {
    const texts = store.as(textCodec)
    for (const key of ['\ufeffbom', 'æ', '日本', '🙂', '\u0000', '\uffff']) {
      await texts.put(key, key)
      expect(await texts.get(key)).toMatchObject({ key, value: key })
    }
    for (const key of ['\ud800', 'a\udc00b'])
      await expect(store.put(key, 1)).rejects.toMatchObject({ code: 'invalid-argument', outcome: 'none' })
    await expect(store.list('\ud83d')).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})

test('a prefix holds exactly the keys that start with it, bytewise ordered', async () => {
  await withStore(async (store) => {
    const keys = ['é', 'éa', 'é🙂', 'ê', 'e', 'z\u007f', 'z\u0080', '🙂', '🙂a']
    for (const key of keys) await store.put(key, 1)
    for (const prefix of ['', 'é', 'z', '🙂', 'none']) {
      const { items, count } = await store.list(prefix)
      const expected = keys
        .filter((key) => key.startsWith(prefix))
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(items.map(({ key }) => key)).toEqual(expected)
      expect(count).toBe(expected.length)
    }
    expect(await store.deletePrefix('é')).toBe(3)
    expect((await store.list('')).count).toBe(keys.length - 3)
  })
})

test.each(['ascending', 'descending'] as const)('pages in %s order meet every key once', async (order) => {
  await withStore(async (store) => {
    const keys = Array.from({ length: 10 }, (_, i) => `k${i}`)
    for (const key of [...keys, 'j', 'l']) await store.put(key, 1)
    const seen: string[] = []
    for (let from: string | undefined; ; ) {
      const page = await store.list('k', { order, limit: 3, ...(from === undefined ? {} : { from }) })
      const fresh = page.items.filter(({ key }) => key !== from)
      seen.push(...fresh.map(({ key }) => key))
      if (!page.more) break
      from = page.items.at(-1)?.key
    }
    expect(seen).toEqual(order === 'ascending' ? keys : keys.toReversed())
  })
})

test('conditions: a write that comes too late changes nothing', async () => {
  await withStore(async (store) => {
    const first = await store.put('k', 1, { ifRevision: 0 })
    await expect(store.put('k', 2, { ifRevision: 0 })).rejects.toMatchObject({
      code: 'conflict',
      outcome: 'none',
    })
    await expect(store.delete('k', { ifRevision: first + 5 })).rejects.toMatchObject({ code: 'conflict' })
    await store.put('k', 2, { ifRevision: first })
    expect((await store.get('k'))?.value).toBe(2)
    expect((await store.get('k', { revision: first }))?.value).toBe(1)
    expect(await store.delete('missing')).toBe(false)
    const { succeeded, items } = await store.transaction().ifAbsent('k').thenPut('k', 9).elseGet('k').commit()
    expect([succeeded, items[0]?.value]).toEqual([false, 2])
  })
})

test('concurrent updates lose nothing; one that never wins says so', async () => {
  await withStore(async (store) => {
    const numbers = store as TypedStore<number>
    await Promise.all(Array.from({ length: 20 }, () => numbers.update('n', (n = 0) => n + 1)))
    expect((await numbers.get('n'))?.value).toBe(20)
    await numbers.update('n', () => undefined)
    expect(await numbers.get('n')).toBeUndefined()
    const loser = { ...numbers.raw, capabilities: numbers.raw.capabilities }
    let attempts = 0
    const never = new TypedStore<number>(
      Object.assign(loser, {
        range: (...args: Parameters<typeof numbers.raw.range>) => numbers.raw.range(...args),
        txn: () => {
          attempts++
          return Promise.resolve({ revision: 1, succeeded: false, replies: [] })
        },
      }),
    )
    await expect(never.update('n', () => 1)).rejects.toMatchObject({ code: 'conflict', outcome: 'none' })
    expect(attempts).toBe(100)
  })
})

test('an update that never wins ends within its time, however short each attempt is', async () => {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world) => {
    const raw = await openLocalStore({ world })
    const limits: number[] = []
    // Each write finds that somebody was faster, a tenth of a second later.
    const busy: Store = Object.create(raw, {
      txn: {
        value: async (_: unknown, options: CallOptions) => {
          limits.push(options.timeoutMs ?? Number.NaN)
          await new Promise<void>((resolve) => void world.timers.after(100, resolve))
          return { revision: 1, succeeded: false, replies: [] }
        },
      },
      range: { value: raw.range.bind(raw) },
    })
    const store = new TypedStore<number>(busy, jsonCodec as Codec<number>, world.clock)
    const startMs = world.clock.monotonicMs()
    await expect(store.update('n', () => 1, { timeoutMs: 450 })).rejects.toMatchObject({
      code: 'timeout',
      outcome: 'none',
    })
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(560)
    expect(limits.length).toBe(5)
    expect(limits.toSorted((a, b) => b - a)).toEqual(limits)
    await raw.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
})

describe('values', () => {
  test.each([0, -1.5, '', 'plain', '20', 'true', '{', null, true, [1, 'a'], { a: { b: [null] } }])(
    'JSON value %j comes back as it was',
    async (value) => {
      await withStore(async (store) => {
        await store.put('k', value)
        expect((await store.get('k'))?.value).toEqual(value)
      })
    },
  )

  test('text that another program wrote is read as text', async () => {
    await withStore(async (store) => {
      await store.as(textCodec).put('greeting', 'hello')
      expect((await store.get('greeting'))?.value).toBe('hello')
    })
  })
})

test('a watch by prefix tells puts and deletions in order', async () => {
  await withStore(async (store) => {
    await store.put('p/x', 1)
    const seen: string[] = []
    const watching = (async () => {
      for await (const change of store.watchPrefix('p/', { fromRevision: 2, previous: true })) {
        if (change.type === 'put')
          seen.push(`put ${String(change.item.value)} after ${String(change.previous?.value)}`)
        if (change.type === 'delete') seen.push(`delete ${String(change.previous?.value)}`)
        if (seen.length === 3) return
      }
    })()
    await store.put('p/x', 2)
    await store.delete('p/x')
    await watching
    expect(seen).toEqual(['put 1 after undefined', 'put 2 after 1', 'delete 2'])
  })
})
