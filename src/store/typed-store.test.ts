import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../base/bytes.ts'
import type { World } from '../contracts/world.ts'
import { openLocalStore } from '../engines/local/local-store.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { jsonCodec, textCodec, TypedStore } from './typed-store.ts'

async function withStore(body: (store: TypedStore, world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world) => {
    const raw = await openLocalStore({ world })
    await body(new TypedStore(raw), world)
    await raw.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone)
}

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

  test('what the codec cannot read is corrupt and names the key', async () => {
    await withStore(async (store) => {
      await store.raw.txn({ then: [{ op: 'put', key: 'bad', value: Uint8Array.of(0xff, 0xfe) }] })
      await expect(store.get('bad')).rejects.toMatchObject({ code: 'corrupt', details: { key: 'bad' } })
      await store.raw.txn({ then: [{ op: 'put', key: 'text', value: bytesFromText('no json') }] })
      await expect(store.as(jsonCodec).get('text')).rejects.toMatchObject({ code: 'corrupt' })
    })
  })

  test('what is no JSON value is refused before anything is written', async () => {
    await withStore(async (store) => {
      await expect(store.put('k', undefined)).rejects.toMatchObject({ code: 'invalid-argument' })
      expect(await store.get('k')).toBeUndefined()
    })
  })
})

describe('conditions', () => {
  test('ifRevision 0 creates and never overwrites; another revision than the present one is a conflict', async () => {
    await withStore(async (store) => {
      const revision = await store.put('k', 1, { ifRevision: 0 })
      await expect(store.put('k', 2, { ifRevision: 0 })).rejects.toMatchObject({
        code: 'conflict',
        outcome: 'none',
      })
      await store.put('k', 2, { ifRevision: revision })
      await expect(store.delete('k', { ifRevision: revision })).rejects.toMatchObject({ code: 'conflict' })
      expect((await store.get('k'))?.value).toBe(2)
    })
  })

  test('update repeats until nobody was faster: no increment is lost', async () => {
    await withStore(async (store) => {
      const increment = (): Promise<unknown> => store.update('n', (n) => Number(n ?? 0) + 1)
      await Promise.all(Array.from({ length: 10 }, increment))
      expect((await store.get('n'))?.value).toBe(10)
      await store.update('n', () => undefined)
      expect(await store.get('n')).toBeUndefined()
    })
  })

  test('a transaction takes one branch and returns what that read', async () => {
    await withStore(async (store) => {
      const create = () => store.transaction().ifAbsent('k').thenPut('k', 'new').elseGet('k').commit()
      expect(await create()).toMatchObject({ succeeded: true, items: [] })
      expect(await create()).toMatchObject({ succeeded: false, items: [{ key: 'k', value: 'new' }] })
    })
  })
})

describe('prefixes', () => {
  test('list, page, delete and watch by prefix, with keys beyond ASCII', async () => {
    await withStore(async (store) => {
      for (const key of ['a', 'b/1', 'b/é', 'b/\u{1f600}', 'b/\uffff', 'c']) await store.put(key, key)
      const all = await store.list('b/')
      expect(all.items.map(({ key }) => key)).toEqual(['b/1', 'b/é', 'b/\uffff', 'b/\u{1f600}'])
      const page = await store.list('b/', { limit: 2 })
      expect(page).toMatchObject({ count: 4, more: true })
      const rest = await store.list('b/', { from: `${page.items.at(-1)?.key}\0` })
      expect(rest.items.map(({ key }) => key)).toEqual(['b/\uffff', 'b/\u{1f600}'])
      expect(await store.deletePrefix('b/')).toBe(4)
      expect((await store.list('')).items.map(({ key }) => key)).toEqual(['a', 'c'])
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
})
