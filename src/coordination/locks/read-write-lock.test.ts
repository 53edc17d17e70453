import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { Store } from '../../contracts/store.ts'
import { type App, eventually, keysUnder, settle, withBed } from '../test-bed.test-support.ts'
import { LockService } from './lock.ts'
import type { Lock, LockMode } from './lock-types.ts'

const put = (key: string, value: string) => ({ op: 'put', key, value: bytesFromText(value) }) as const

/** Keys. A lease on which nothing hangs may wait a few seconds for its next use: `lease-keeper.test.ts`. */
async function leftBehind(store: Store): Promise<readonly string[]> {
  return await keysUnder(store, '/althing/locks/')
}

/** Stands in line under the letter, and holds from its turn until it is told to leave. */
class Crowd {
  readonly holding = new Map<string, Lock>()
  readonly tokens = new Map<string, number>()
  readonly turns: string[] = []
  readonly #app: App
  readonly #locks: LockService

  constructor(app: App) {
    this.#app = app
    this.#locks = new LockService(app)
  }

  /** Resolves when it stands in line. */
  async come(letter: string, mode: LockMode): Promise<void> {
    const before = await this.#standing()
    void this.#locks.acquire('page', { mode, note: letter, waitTimeout: '1h' }).then((lock) => {
      this.holding.set(letter, lock)
      this.tokens.set(letter, lock.token)
      this.turns.push(letter)
    })
    await eventually(this.#app.world, async () => expect(await this.#standing()).toBe(before + 1))
  }

  async leave(letter: string): Promise<void> {
    await eventually(this.#app.world, () => expect([...this.holding.keys()]).toContain(letter))
    await this.holding.get(letter)?.release()
    this.holding.delete(letter)
  }

  async expectHolding(...letters: string[]): Promise<void> {
    await eventually(this.#app.world, () => expect([...this.holding.keys()].sort()).toEqual(letters.sort()))
    await settle(this.#app.world)
    expect([...this.holding.keys()].sort()).toEqual(letters.sort())
    const { holders } = await this.#locks.explain('page')
    expect(holders.map(({ note }) => note).sort()).toEqual(letters.sort())
  }

  async #standing(): Promise<number> {
    const { holders, waiters } = await this.#locks.explain('page')
    return holders.length + waiters.length
  }
}

describe('read-write lock', () => {
  test('readers hold together; a writer waits for all of them, and holds up those that come after it', async () => {
    await withBed(async (app) => {
      const crowd = new Crowd(app)
      await crowd.come('a', 'read')
      await crowd.come('b', 'read')
      await crowd.expectHolding('a', 'b')
      await crowd.come('W', 'write')
      await crowd.come('c', 'read')
      await crowd.come('d', 'read')
      await crowd.come('X', 'write')
      await crowd.come('e', 'read')
      await crowd.expectHolding('a', 'b')
      await crowd.leave('b')
      await crowd.expectHolding('a')
      await crowd.leave('a')
      await crowd.expectHolding('W')
      await crowd.leave('W')
      await crowd.expectHolding('c', 'd')
      await crowd.leave('c')
      await crowd.leave('d')
      await crowd.expectHolding('X')
      await crowd.leave('X')
      await crowd.expectHolding('e')
      await crowd.leave('e')
      const tokenOf = (letter: string): number => crowd.tokens.get(letter) as number
      expect(tokenOf('W')).toBeGreaterThan(Math.max(tokenOf('a'), tokenOf('b')))
      expect(tokenOf('X')).toBeGreaterThan(Math.max(tokenOf('W'), tokenOf('c'), tokenOf('d')))
      expect(await leftBehind(app.store)).toEqual([])
    })
  })

  test('a writer that leaves the line lets the readers behind it in', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const first = await locks.acquire('page', { mode: 'read' })
      const controller = new AbortController()
      const writing = locks.acquire('page', { signal: controller.signal }).catch(() => undefined)
      await eventually(world, async () => expect((await locks.explain('page')).waiters).toHaveLength(1))
      const reading = locks.acquire('page', { mode: 'read' })
      await eventually(world, async () => expect((await locks.explain('page')).waiters).toHaveLength(2))
      controller.abort()
      await writing
      const second = await reading
      expect([first.isHeld, second.isHeld]).toEqual([true, true])
      await Promise.all([first.release(), second.release()])
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('a reader that dies lets the writer in within its ttl', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const reader = bed.spawn('reader', async (app) => {
        await new LockService(app).acquire('page', { mode: 'read', ttl: '5s' })
      })
      await eventually(world, async () => expect((await locks.explain('page')).holders).toHaveLength(1))
      reader.crash()
      const startMs = world.clock.monotonicMs()
      const lock = await locks.acquire('page')
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(5_000 + bed.lateMs)
      await lock.release()
    })
  })

  test('tryAcquire takes what is free for its mode, and gives null for the rest', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const reader = await locks.tryAcquire('page', { mode: 'read' })
      expect(reader?.mode).toBe('read')
      const second = await locks.tryAcquire('page', { mode: 'read' })
      expect(second?.isHeld).toBe(true)
      expect(await locks.tryAcquire('page')).toBeNull()
      await Promise.all([reader?.release(), second?.release()])
      const writer = await locks.tryAcquire('page')
      expect(await locks.tryAcquire('page', { mode: 'read' })).toBeNull()
      await writer?.release()
      expect(await leftBehind(store)).toEqual([])
      await expect(locks.acquire('page', { mode: 'shared' as 'read' })).rejects.toMatchObject({
        code: 'invalid-argument',
        details: { field: 'mode' },
      })
    })
  })

  test('an owner may read under its write hold, and is refused when it wants to write under its read hold', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const writer = await locks.acquire('page', { owner: 'a' })
      const inner = await locks.acquire('page', { owner: 'a', mode: 'read' })
      expect({ token: inner.token, mode: inner.mode }).toEqual({ token: writer.token, mode: 'write' })
      await writer.release()
      expect(inner.isHeld).toBe(true)
      await inner.release()
      const reader = await locks.acquire('page', { owner: 'a', mode: 'read' })
      const again = await locks.acquire('page', { owner: 'a', mode: 'read' })
      expect(again.token).toBe(reader.token)
      await expect(locks.acquire('page', { owner: 'a' })).rejects.toMatchObject({ code: 'conflict' })
      await expect(locks.tryAcquire('page', { owner: 'a' })).rejects.toThrow(/Release the read hold first/)
      const other = await locks.acquire('page', { owner: 'b', mode: 'read' })
      await Promise.all([reader.release(), again.release(), other.release()])
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('a wait without an owner for what this very service holds says so when it ends', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const reader = await locks.acquire('page', { mode: 'read' })
      await expect(locks.acquire('page', { waitTimeout: '1s' })).rejects.toThrow(
        /held by this LockService itself/,
      )
      await reader.release()
    })
  })

  test('the store refuses the transaction of a former reader and of a former writer', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      for (const mode of ['read', 'write'] as const) {
        const lock = await locks.acquire('page', { mode })
        await lock.txn({ then: [put(mode, '1')] })
        const guarded = lock.guard([put(mode, '2')])
        await lock.release()
        expect((await store.txn(guarded)).succeeded).toBe(false)
        await expect(lock.txn({ then: [put(mode, '2')] })).rejects.toMatchObject({ code: 'stale-token' })
      }
    })
  })

  test('explain tells modes, and a forced release takes the one reader that is meant', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const one = await locks.acquire('page', { mode: 'read', note: 'one' })
      const two = await locks.acquire('page', { mode: 'read', note: 'two' })
      const force = { by: 'ada', reason: 'stuck' }
      await expect(locks.forceRelease('page', force)).rejects.toThrow(
        new RegExp(`${one.token}, ${two.token}`),
      )
      await locks.forceRelease('page', { ...force, token: two.token })
      await eventually(world, () => expect(two.isHeld).toBe(false))
      expect(one.isHeld).toBe(true)
      expect((await locks.explain('page')).holders).toMatchObject([{ note: 'one', mode: 'read' }])
      expect(await locks.forcedReleases('page')).toMatchObject([
        { token: two.token, by: 'ada', holder: { note: 'two', mode: 'read' } },
      ])
      await one.release()
    })
  })

  test('bounds those that wait to read, and not those that read', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept, waitersMax: 2 })
      const readers = await Promise.all(
        [1, 2, 3, 4, 5].map(() => locks.acquire('page', { mode: 'read', waitTimeout: '5s' })),
      )
      const over = new AbortController()
      const waits: Promise<unknown>[] = []
      for (const mode of ['write', 'read'] as const) {
        waits.push(locks.acquire('page', { mode, signal: over.signal }))
        await eventually(world, async () =>
          expect((await locks.explain('page')).waiters).toHaveLength(waits.length),
        )
      }
      const ended = Promise.allSettled(waits)
      await expect(locks.acquire('page', { mode: 'read' })).rejects.toMatchObject({
        code: 'overloaded',
        outcome: 'none',
      })
      over.abort()
      expect((await ended).map((each) => each.status)).toEqual(['rejected', 'rejected'])
      for (const reader of readers) await reader.release()
    })
  })
})
