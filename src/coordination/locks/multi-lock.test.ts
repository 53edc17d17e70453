import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import { aborted, attempts, eventually, keysUnder, settle, sleep, withBed } from '../test-bed.test-support.ts'
import { LockService } from './lock.ts'

const put = (key: string, value: string) => ({ op: 'put', key, value: bytesFromText(value) }) as const

/** Keys. A lease on which nothing hangs may wait a few seconds for its next use: `lease-keeper.test.ts`. */
async function leftBehind(store: Store): Promise<readonly string[]> {
  return await keysUnder(store, '/althing/locks/')
}

describe('several locks at once', () => {
  test('are held together under one token, and released together', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const both = await locks.acquireAll(['b', 'a', 'b'])
      expect(both.names).toEqual(['a', 'b'])
      expect(both.fences.map(({ name, token }) => ({ name, token }))).toEqual([
        { name: 'a', token: both.token },
        { name: 'b', token: both.token },
      ])
      expect(await locks.tryAcquire('a')).toBeNull()
      expect(await locks.tryAcquire('b', { mode: 'read' })).toBeNull()
      expect(await locks.tryAcquireAll(['b', 'c'])).toBeNull()
      expect((await locks.list()).map(({ name }) => name)).toEqual(['a', 'b'])
      await both.txn({ then: [put('x', '1')] })
      await both.release()
      expect(both.isHeld).toBe(false)
      expect(await leftBehind(store)).toEqual([])
      await expect(both.txn({ then: [put('x', '2')] })).rejects.toMatchObject({ code: 'stale-token' })
      expect((await store.txn(both.guard([put('x', '2')]))).succeeded).toBe(false)
    })
  })

  test('hold none while they wait longer than they may, and leave every line', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const one = await locks.acquire('b')
      await expect(locks.acquireAll(['a', 'b', 'c'], { waitTimeout: '2s' })).rejects.toMatchObject({
        code: 'timeout',
        details: { names: ['a', 'b', 'c'] },
      })
      expect(await keysUnder(store, '/althing/locks/')).toHaveLength(1)
      await one.release()
      const all = await locks.tryAcquireAll(['a', 'b', 'c'])
      expect(all?.isHeld).toBe(true)
      await all?.release()
    })
  })

  test('that are taken in any order of their names by many do not wait for each other for ever', async () => {
    await withBed(async ({ store, world, accept }) => {
      const names = ['a', 'b', 'c', 'd']
      const held = new Map<string, number>()
      const rounds = attempts({ simulated: 3, real: 1 })
      const work = async (n: number): Promise<void> => {
        const locks = new LockService({ store, world, accept })
        for (let round = 0; round < rounds; round++) {
          const own = names.filter((_, i) => (n + round + i) % 3 !== 0).sort(() => (n % 2 === 0 ? 1 : -1))
          const all = await locks.acquireAll(own, { waitTimeout: '2m' })
          for (const name of own) expect([name, held.get(name) ?? 0]).toEqual([name, 0])
          for (const name of own) held.set(name, 1)
          await sleep(world, 20)
          expect(all.isHeld).toBe(true)
          for (const name of own) held.set(name, 0)
          await all.release()
        }
        await locks.close()
      }
      await Promise.all([0, 1, 2, 3, 4, 5].map(work))
      await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
    })
  })

  test('are all lost, and free for others, when one of them is taken by force', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const both = await locks.acquireAll(['a', 'b'])
      await sleep(world, 1_500)
      await locks.forceRelease('b', { by: 'ada', reason: 'stuck' })
      expect(await aborted(both.lost)).toMatchObject({ code: 'lost', details: { cause: 'removed' } })
      expect(both.isHeld).toBe(false)
      await eventually(world, async () => expect((await locks.tryAcquire('a'))?.isHeld).toBe(true))
      await expect(both.txn({ then: [put('x', '1')] })).rejects.toMatchObject({ code: 'lost' })
      expect((await store.txn(both.guard([put('x', '1')]))).succeeded).toBe(false)
      await both.release()
    })
  })

  test('are the next ones within the ttl of a holder that died', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const holder = bed.spawn('holder', async (app) => {
        await new LockService(app).acquireAll(['a', 'b'], { ttl: '5s' })
      })
      await eventually(world, async () => expect((await locks.explain('b')).holder).toBeDefined())
      holder.crash()
      const startMs = world.clock.monotonicMs()
      const next = await locks.acquireAll(['b', 'a'])
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(5_000 + bed.lateMs)
      await next.release()
    })
  })

  test('stand in every line at the moment they come: who came later gets none of them before', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const one = await locks.acquire('a')
      const both = locks.acquireAll(['a', 'b'])
      await eventually(world, async () => expect((await locks.explain('b')).holders).toHaveLength(1))
      const later = locks.acquire('b')
      await settle(world)
      await one.release()
      const first = await both
      const outcome = await Promise.race([later.then(() => 'held'), settle(world).then(() => 'waits')])
      expect(outcome).toBe('waits')
      await first.release()
      await (await later).release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('an abort at any moment leaves nothing behind', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const other = await locks.acquire('b')
      for (let afterMs = 0; afterMs < 60; afterMs += 6) {
        const controller = new AbortController()
        world.timers.after(afterMs, () => controller.abort())
        const failure: unknown = await locks
          .acquireAll(['a', 'b'], { signal: controller.signal })
          .catch((error: unknown) => error)
        expect(isAlthingError(failure, 'aborted')).toBe(true)
        await eventually(world, async () => expect(await keysUnder(store, '/althing/locks/')).toHaveLength(1))
      }
      await other.release()
      await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
    })
  })

  test('refuse no names, and too many', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const many = Array.from({ length: 33 }, (_, i) => `n${i}`)
      for (const names of [[], many, ['a', '']]) {
        await expect(locks.acquireAll(names)).rejects.toMatchObject({
          code: 'invalid-argument',
          details: { field: 'names' },
        })
      }
      const most = await locks.acquireAll(many.slice(0, 32))
      expect(most.isHeld).toBe(true)
      await most.release()
    })
  })
})
