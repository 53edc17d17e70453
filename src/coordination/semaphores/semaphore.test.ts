import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import {
  aborted,
  attempts,
  type App,
  eventually,
  keysUnder,
  overriding,
  settle,
  sleep,
  withBed,
} from '../test-bed.test-support.ts'
import { SemaphoreService } from './semaphore.ts'
import type { Permit } from './semaphore-types.ts'

const put = (key: string, value: string) => ({ op: 'put', key, value: bytesFromText(value) }) as const
const by = { by: 'ada', reason: 'test' } as const

/** Keys. A lease on which nothing hangs may wait a few seconds for its next use: `lease-keeper.test.ts`. */
async function leftBehind(store: Store): Promise<readonly string[]> {
  return await keysUnder(store, '/althing/semaphores/')
}

/** Stands in line under the letter, one after the other. */
class Crowd {
  readonly holding = new Map<string, Permit>()
  readonly #app: App
  readonly #semaphores: SemaphoreService

  constructor(app: App) {
    this.#app = app
    this.#semaphores = new SemaphoreService(app)
  }

  async come(letter: string, permits: number, limit?: number): Promise<void> {
    const before = await this.#standing()
    const options = { permits, note: letter, waitTimeout: '1h', ...(limit === undefined ? {} : { limit }) }
    void this.#semaphores.acquire('pool', options).then((permit) => this.holding.set(letter, permit))
    await eventually(this.#app.world, async () => expect(await this.#standing()).toBe(before + 1))
  }

  async leave(letter: string): Promise<void> {
    await this.holding.get(letter)?.release()
    this.holding.delete(letter)
  }

  async expectHolding(...letters: string[]): Promise<void> {
    await eventually(this.#app.world, () => expect([...this.holding.keys()].sort()).toEqual(letters.sort()))
    await settle(this.#app.world)
    expect([...this.holding.keys()].sort()).toEqual(letters.sort())
    const { holders, taken } = await this.#semaphores.explain('pool')
    expect(holders.map(({ note }) => note).sort()).toEqual(letters.sort())
    expect(taken).toBe([...this.holding.values()].reduce((sum, { permits }) => sum + permits, 0))
  }

  async #standing(): Promise<number> {
    const { holders, waiters } = await this.#semaphores.explain('pool')
    return holders.length + waiters.length
  }
}

describe('semaphore', () => {
  test('gives as many permits as there are, then in the order of arrival, and leaves nothing', async () => {
    await withBed(async (app) => {
      const crowd = new Crowd(app)
      for (const letter of ['a', 'b', 'c', 'd', 'e']) await crowd.come(letter, 1, 2)
      await crowd.expectHolding('a', 'b')
      await crowd.leave('b')
      await crowd.expectHolding('a', 'c')
      await crowd.leave('a')
      await crowd.expectHolding('c', 'd')
      await crowd.leave('c')
      await crowd.leave('d')
      await crowd.expectHolding('e')
      await crowd.leave('e')
      expect(await leftBehind(app.store)).toEqual([])
    })
  })

  test('a request for many is not overtaken by later ones for few', async () => {
    await withBed(async (app) => {
      const crowd = new Crowd(app)
      await crowd.come('a', 2, 4)
      await crowd.come('b', 1, 4)
      await crowd.come('All', 4, 4)
      await crowd.come('c', 1, 4)
      await crowd.come('d', 1, 4)
      await crowd.expectHolding('a', 'b')
      await crowd.leave('a')
      await crowd.expectHolding('b')
      await crowd.leave('b')
      await crowd.expectHolding('All')
      await crowd.leave('All')
      await crowd.expectHolding('c', 'd')
    })
  })

  test('a waiter that leaves from the middle of the line makes room for those behind it', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const first = await semaphores.acquire('pool', { limit: 3 })
      const controller = new AbortController()
      const many = semaphores
        .acquire('pool', { limit: 3, permits: 3, signal: controller.signal })
        .catch((error: unknown) => error)
      await eventually(world, async () => expect((await semaphores.explain('pool')).waiters).toHaveLength(1))
      const few = semaphores.acquire('pool', { limit: 3, permits: 2 })
      await eventually(world, async () => expect((await semaphores.explain('pool')).waiters).toHaveLength(2))
      controller.abort()
      expect(isAlthingError(await many, 'aborted')).toBe(true)
      const second = await few
      expect([first.isHeld, second.isHeld]).toEqual([true, true])
      await Promise.all([first.release(), second.release()])
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('the permits of a holder that died are free within its ttl', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const holder = bed.spawn('holder', async (app) => {
        await new SemaphoreService(app).acquire('pool', { limit: 3, permits: 2, ttl: '5s' })
      })
      await eventually(world, async () => expect((await semaphores.explain('pool')).taken).toBe(2))
      holder.crash()
      const startMs = world.clock.monotonicMs()
      const permit = await semaphores.acquire('pool', { limit: 3, permits: 3 })
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(5_000 + bed.lateMs)
      await permit.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('tryAcquire takes what is free, and gives null without a trace for what is not', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const permit = await semaphores.tryAcquire('pool', { limit: 2 })
      expect(permit).toMatchObject({ isHeld: true, permits: 1, limit: 2 })
      const { revision } = await store.range({ key: 'x' })
      expect(await semaphores.tryAcquire('pool', { limit: 2, permits: 2 })).toBeNull()
      expect((await store.range({ key: 'x' })).revision).toBeLessThanOrEqual(revision + 1)
      await permit?.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('refuses what makes no sense, and limits that differ', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      for (const options of [
        { limit: 0 },
        { limit: 2, permits: 3 },
        { limit: 2, permits: 0 },
        { limit: 1.5 },
      ]) {
        await expect(semaphores.acquire('pool', options)).rejects.toMatchObject({ code: 'invalid-argument' })
      }
      await expect(semaphores.acquire('pool')).rejects.toMatchObject({ code: 'not-found', outcome: 'none' })
      const permit = await semaphores.acquire('pool', { limit: 2 })
      await expect(semaphores.acquire('pool', { limit: 3 })).rejects.toMatchObject({
        code: 'conflict',
        outcome: 'none',
        details: { limit: 2, stated: 3 },
      })
      await expect(semaphores.tryAcquire('pool', { limit: 3 })).rejects.toMatchObject({ code: 'conflict' })
      await permit.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('a limit that an operator sets counts for all, at once, and can be taken back', async () => {
    await withBed(async (app) => {
      const semaphores = new SemaphoreService(app)
      const crowd = new Crowd(app)
      for (const letter of ['a', 'b', 'c', 'd']) await crowd.come(letter, 1, 1)
      await crowd.expectHolding('a')
      await semaphores.setLimit('pool', 3, by)
      await crowd.expectHolding('a', 'b', 'c')
      await crowd.come('e', 1)
      await crowd.come('f', 1, 7)
      expect(await semaphores.explain('pool')).toMatchObject({ limit: 3, limitSetBy: 'ada' })
      await semaphores.setLimit('pool', 1, by)
      await crowd.expectHolding('a', 'b', 'c')
      await crowd.leave('a')
      await crowd.leave('b')
      await crowd.expectHolding('c')
      await crowd.leave('c')
      await crowd.expectHolding('d')
      await semaphores.setLimit('pool', 2, by)
      await crowd.expectHolding('d', 'e')
      for (const letter of ['d', 'e']) await crowd.leave(letter)
      await crowd.expectHolding('f')
      await crowd.leave('f')
      expect(await keysUnder(app.store, '/althing/semaphores/')).toEqual(['/althing/semaphores/pool/limit'])
      await semaphores.setLimit('pool', null, by)
      expect(await keysUnder(app.store, '/althing/semaphores/')).toEqual([])
      expect((await semaphores.limitChanges('pool')).map(({ limit }) => limit)).toEqual([3, 1, 2, undefined])
    })
  })

  test('those that hold when the limit is lowered are told as holders, though they never had to wait', async () => {
    await withBed(async (app) => {
      const semaphores = new SemaphoreService(app)
      const crowd = new Crowd(app)
      for (const letter of ['a', 'b', 'c']) await crowd.come(letter, 2, 6)
      await semaphores.setLimit('pool', 1, by)
      await crowd.expectHolding('a', 'b', 'c')
      expect(await semaphores.tryAcquire('pool')).toBeNull()
    })
  })

  test('who waits for more than there are now is refused', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const one = await semaphores.acquire('pool', { limit: 4 })
      const many = semaphores.acquire('pool', { limit: 4, permits: 4 }).catch((error: unknown) => error)
      await eventually(world, async () => expect((await semaphores.explain('pool')).waiters).toHaveLength(1))
      await semaphores.setLimit('pool', 2, by)
      expect(await many).toMatchObject({ code: 'invalid-argument', details: { field: 'permits' } })
      await one.release()
    })
  })

  test('a grant that crosses with a lower limit is looked at again', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const first = await semaphores.acquire('pool', { limit: 2, permits: 2 })
      let hasLowered = false
      const txn: Store['txn'] = async (request, options) => {
        const isConfirmation = request.compare?.some(({ target }) => target === 'modRevision')
        if (isConfirmation === true && !hasLowered) {
          hasLowered = true
          await semaphores.setLimit('pool', 1, by)
        }
        return await store.txn(request, options)
      }
      const late = new SemaphoreService({ store: overriding(store, { txn }), world, accept })
      const one = late.acquire('pool', { limit: 2 })
      const two = late.acquire('pool', { limit: 2 })
      await eventually(world, async () => expect((await semaphores.explain('pool')).waiters).toHaveLength(2))
      await first.release()
      const winner = await Promise.race([one, two])
      expect(hasLowered).toBe(true)
      await settle(world)
      expect((await semaphores.explain('pool')).taken).toBe(1)
      await winner.release()
      await Promise.all([one, two])
    })
  })

  test('extend gives the permits another ttl under the same token', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const permit = await semaphores.acquire('pool', { limit: 2, permits: 2, ttl: '5s' })
      const { token } = permit
      await permit.extend('20s')
      expect(permit.validUntilMs() - world.clock.monotonicMs()).toBeGreaterThan(8_000)
      expect((await semaphores.explain('pool')).holders).toMatchObject([{ token, permits: 2, ttlMs: 20_000 }])
      await permit.release()
      await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
    })
  })

  test('the store refuses the transaction of who held permits', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const permit = await semaphores.acquire('pool', { limit: 2 })
      const other = await semaphores.acquire('pool', { limit: 2 })
      await permit.txn({ then: [put('x', '1')] })
      const guarded = permit.guard([put('x', '2')])
      await permit.release()
      expect((await store.txn(guarded)).succeeded).toBe(false)
      await expect(permit.txn({ then: [put('x', '2')] })).rejects.toMatchObject({ code: 'stale-token' })
      await other.txn({ then: [put('x', '3')] })
      await other.release()
    })
  })

  test('a forced release takes the permits of the one that is meant, tells it, and leaves a record', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      const one = await semaphores.acquire('pool', { limit: 2, note: 'one' })
      const two = await semaphores.acquire('pool', { limit: 2, note: 'two' })
      const next = semaphores.acquire('pool', { limit: 2 })
      await sleep(world, 1_500)
      await expect(semaphores.forceRelease('pool', by)).rejects.toMatchObject({ code: 'invalid-argument' })
      await semaphores.forceRelease('pool', { ...by, token: two.token })
      expect(await aborted(two.lost)).toMatchObject({ code: 'lost', details: { cause: 'removed' } })
      expect((await next).isHeld).toBe(true)
      expect(one.isHeld).toBe(true)
      expect(await semaphores.forcedReleases('pool')).toMatchObject([
        { token: two.token, by: 'ada', holder: { note: 'two', permits: 1 } },
      ])
      await semaphores.close()
      await eventually(world, async () => expect(await keysUnder(store, '/althing/semaphores/')).toEqual([]))
    })
  })

  test('an abort at any moment of an acquire leaks no permit', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept })
      await (await semaphores.acquire('pool', { limit: 1 })).release()
      const startMs = world.clock.monotonicMs()
      await (await semaphores.acquire('pool', { limit: 1 })).release()
      const takesMs = world.clock.monotonicMs() - startMs
      const step = takesMs / attempts({ simulated: 12, real: 4 })
      for (let afterMs = 0; afterMs < 2 * takesMs; afterMs += step) {
        const controller = new AbortController()
        world.timers.after(afterMs, () => controller.abort())
        const permit = await semaphores
          .acquire('pool', { limit: 1, signal: controller.signal })
          .catch((error: unknown) => {
            expect(isAlthingError(error, 'aborted')).toBe(true)
          })
        await permit?.release()
        await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
      }
    })
  })

  test('with runs the work with the permits, and bounds the line', async () => {
    await withBed(async ({ store, world, accept }) => {
      const semaphores = new SemaphoreService({ store, world, accept, waitersMax: 1 })
      expect(await semaphores.with('pool', { limit: 1 }, ({ isHeld }) => isHeld)).toBe(true)
      const permit = await semaphores.acquire('pool', { limit: 1 })
      const over = new AbortController()
      const waits = semaphores.acquire('pool', { limit: 1, signal: over.signal })
      const ended = expect(waits).rejects.toMatchObject({ code: 'aborted' })
      await eventually(world, async () => expect((await semaphores.explain('pool')).waiters).toHaveLength(1))
      await expect(semaphores.acquire('pool', { limit: 1 })).rejects.toMatchObject({
        code: 'overloaded',
        outcome: 'none',
      })
      over.abort()
      await ended
      await permit.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })
})
