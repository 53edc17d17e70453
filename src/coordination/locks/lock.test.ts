import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import { fencedTxn } from '../fencing.ts'
import { LockService } from './lock.ts'
import type { Lock } from './lock-types.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import {
  type App,
  aborted,
  attempts,
  eventually,
  keysUnder,
  overriding,
  settle,
  simulate,
  sleep,
  testInSimulator,
  withBed,
} from '../test-bed.test-support.ts'

const put = (key: string, value: string) => ({ op: 'put', key, value: bytesFromText(value) }) as const

const everyTurn = 'the order of turns of one event loop'

/** Keys. A lease on which nothing hangs may wait a few seconds for its next use: `lease-keeper.test.ts`. */
async function leftBehind(store: Store): Promise<readonly string[]> {
  return await keysUnder(store, '/althing/locks/')
}

describe('lock', () => {
  test('is held by one at a time and handed on in the order of arrival, with growing tokens', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const held: { name: string; token: number }[] = []
      let holders = 0
      let everyoneStands = false
      const locks = new LockService({ store, world, accept })
      const standing = async (): Promise<number> => {
        const { holder, waiters } = await locks.explain('orders')
        return waiters.length + (holder === undefined ? 0 : 1)
      }
      for (let n = 0; n < 6; n++) {
        bed.spawn(`worker${n}`, async (app) => {
          const lock = await new LockService(app).acquire('orders')
          holders += 1
          expect(holders).toBe(1)
          held.push({ name: `worker${n}`, token: lock.token })
          while (!everyoneStands) await sleep(app.world, 10)
          await sleep(app.world, 300)
          expect(lock.isHeld).toBe(true)
          holders -= 1
          await lock.release()
        })
        await eventually(world, async () => expect(await standing()).toBe(n + 1))
      }
      everyoneStands = true
      while (held.length < 6 || holders > 0) await sleep(world, 100)
      expect(held.map(({ name }) => name)).toEqual([0, 1, 2, 3, 4, 5].map((n) => `worker${n}`))
      const tokens = held.map(({ token }) => token)
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b))
      await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
    })
  })

  test('a waiter that dies in the middle of the line does not let the next one in', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const first = await locks.acquire('orders', { ttl: '30s' })
      const middle = bed.spawn('middle', async (app) => {
        await new LockService(app).acquire('orders', { ttl: '5s' })
      })
      const waiters = async (): Promise<number> => (await locks.explain('orders')).waiters.length
      await eventually(world, async () => expect(await waiters()).toBe(1))
      let third: Lock | undefined
      bed.spawn('third', async (app) => {
        third = await new LockService(app).acquire('orders', { ttl: '30s' })
      })
      await eventually(world, async () => expect(await waiters()).toBe(2))
      middle.crash()
      await eventually(world, async () => expect(await waiters()).toBe(1))
      expect(first.isHeld).toBe(true)
      expect(third).toBeUndefined()
      await first.release()
      await eventually(world, () => expect(third).toBeDefined())
    })
  })

  test('the next one has it within the ttl of a holder that died', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const holder = bed.spawn('holder', async (app) => {
        await new LockService(app).acquire('orders', { ttl: '10s' })
      })
      await eventually(world, async () => expect((await locks.explain('orders')).holder).toBeDefined())
      holder.crash()
      const startMs = world.clock.monotonicMs()
      const lock = await locks.acquire('orders', { ttl: '10s' })
      expect(lock.isHeld).toBe(true)
      expect(world.clock.monotonicMs() - startMs).toBeGreaterThan(8_000)
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(10_000 + bed.lateMs)
    })
  })

  test('waits no longer than it was told to, and then leaves the line', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const holder = await locks.acquire('orders')
      const startMs = world.clock.monotonicMs()
      const waiting = locks.acquire('orders', { waitTimeout: '3s' })
      await expect(waiting).rejects.toMatchObject({ code: 'timeout', outcome: 'none' })
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(3_000 + bed.lateMs)
      expect(await keysUnder(store, '/althing/locks/')).toHaveLength(1)
      await holder.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('an abort while waiting leaves nothing behind', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const holder = await locks.acquire('orders')
      const controller = new AbortController()
      const waiting = locks.acquire('orders', { signal: controller.signal })
      world.timers.after(500, () => controller.abort())
      await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
      expect(await keysUnder(store, '/althing/locks/')).toHaveLength(1)
      expect(await store.leases()).toHaveLength(1)
      await holder.release()
    })
  })

  test('an abort at any moment of an acquire leaves nothing behind', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      await (await locks.acquire('warm-up')).release()
      const startMs = world.clock.monotonicMs()
      await (await locks.acquire('warm-up')).release()
      const takesMs = world.clock.monotonicMs() - startMs
      const outcomes = new Set<string>()
      const step = takesMs / attempts({ simulated: 12, real: 4 })
      // A server may be slower than it was at the warm-up: until one acquire came to its end.
      for (let afterMs = 0; afterMs < 2 * takesMs || !outcomes.has('held'); afterMs += step) {
        const controller = new AbortController()
        world.timers.after(afterMs, () => controller.abort())
        const lock = await locks.acquire('orders', { signal: controller.signal }).catch((error: unknown) => {
          expect(isAlthingError(error, 'aborted')).toBe(true)
        })
        outcomes.add(lock === undefined ? 'aborted' : 'held')
        await lock?.release()
        await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
        await sleep(world, takesMs)
        expect(await leftBehind(store)).toEqual([])
      }
      expect(outcomes).toEqual(new Set(['aborted', 'held']))
    })
  })

  test('tryAcquire takes a free lock, and gives null for one that is held without a trace', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const lock = await locks.tryAcquire('orders')
      expect(lock?.isHeld).toBe(true)
      const { revision } = await store.range({ key: 'x' })
      expect(await locks.tryAcquire('orders')).toBeNull()
      expect(await locks.tryAcquire('orders', { owner: 'b' })).toBeNull()
      expect((await store.range({ key: 'x' })).revision).toBeLessThanOrEqual(revision + 2)
      await lock?.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('is re-entrant for an owner that asks for it, and free after the last release', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const [outer, inner] = await Promise.all([
        locks.acquire('orders', { owner: 'request-7' }),
        locks.acquire('orders', { owner: 'request-7' }),
      ])
      expect(inner.token).toBe(outer.token)
      expect(await locks.tryAcquire('orders', { owner: 'request-8' })).toBeNull()
      expect(await locks.tryAcquire('orders')).toBeNull()
      await outer.release()
      await outer.release()
      expect(outer.isHeld).toBe(false)
      expect(inner.isHeld).toBe(true)
      expect(await locks.tryAcquire('orders')).toBeNull()
      await inner.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('an owner that waits already is not waited for longer than asked', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const holder = await locks.acquire('orders')
      const waiting = locks.acquire('orders', { owner: 'a', waitTimeout: '30s' })
      await settle(world)
      const startMs = world.clock.monotonicMs()
      expect(await locks.tryAcquire('orders', { owner: 'a' })).toBeNull()
      const second = locks.acquire('orders', { owner: 'a', waitTimeout: '2s' })
      await expect(second).rejects.toMatchObject({ code: 'timeout' })
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(2_000 + bed.lateMs)
      await holder.release()
      const lock = await waiting
      expect((await locks.acquire('orders', { owner: 'a' })).token).toBe(lock.token)
    })
  })

  test('a release that could not reach the store can be tried again', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const lock = await new LockService({ store, world, accept }).acquire('orders', { ttl: '1h' })
      const heal = bed.isolate('app')
      await expect(lock.release()).rejects.toMatchObject({ retryable: true })
      expect(lock.isHeld).toBe(false)
      heal()
      await lock.release()
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('refuses what makes no sense, and says what would', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      for (const name of ['', 'x'.repeat(257), 'a\nb', '\ud800']) {
        await expect(locks.acquire(name)).rejects.toMatchObject({ code: 'invalid-argument' })
      }
      await expect(locks.acquire('a', { ttl: '5 minutes' })).rejects.toThrow(
        /ttl is "5 minutes", but must be/,
      )
      await expect(locks.acquire('a', { ttl: 5 })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(locks.acquire('a', { owner: '' })).rejects.toMatchObject({ code: 'invalid-argument' })
      const one = await locks.acquire('a/b')
      const other = await locks.acquire('a')
      expect((await locks.list()).map(({ name }) => name)).toEqual(['a', 'a/b'])
      await Promise.all([one.release(), other.release()])
    })
  })

  test('refuses a bound of the line that makes no sense', async () => {
    await withBed(async ({ store, world, accept }) => {
      for (const waitersMax of [-1, 1.5, Number.NaN]) {
        expect(() => new LockService({ store, world, accept, waitersMax })).toThrow(
          expect.objectContaining({ code: 'invalid-argument', details: { field: 'waitersMax' } }),
        )
      }
    })
  })

  test('bounds the line', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept, waitersMax: 2 })
      await locks.acquire('orders')
      const waits = [1, 2, 3].map(() => locks.acquire('orders', { waitTimeout: '2s' }))
      const outcomes = await Promise.allSettled(waits)
      const codes = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)
      expect(codes.sort()).toEqual(['overloaded', 'timeout', 'timeout'])
    })
  })

  test('the store refuses the transaction of a former holder', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const lock = await locks.acquire('orders')
      await lock.txn({ then: [put('balance', '1')] })
      const { fence } = lock
      const guarded = lock.guard([put('balance', '2')])
      await lock.release()
      expect((await store.txn(guarded)).succeeded).toBe(false)
      await expect(lock.txn({ then: [put('balance', '2')] })).rejects.toMatchObject({ code: 'stale-token' })
      await expect(fencedTxn(store, fence, { then: [put('balance', '2')] })).rejects.toMatchObject({
        code: 'stale-token',
        outcome: 'none',
      })
      const { kvs } = await store.range({ key: 'balance' })
      expect(kvs[0]?.version).toBe(1)
    })
  })

  test('a comparison of its own that fails under the fence is no loss', async () => {
    await withBed(async ({ store, world, accept }) => {
      const lock = await new LockService({ store, world, accept }).acquire('orders')
      const reply = await lock.txn({
        compare: [{ target: 'version', key: 'x', op: '=', value: 9 }],
        then: [put('x', '1')],
        else: [{ op: 'range', key: 'x' }],
      })
      expect(reply).toMatchObject({ succeeded: false, replies: [{ op: 'range', count: 0 }] })
    })
  })

  test('extend gives the lock another ttl under the same token', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      let token = 0
      let isExtended = false
      const holder = bed.spawn('holder', async (app) => {
        const lock = await new LockService(app).acquire('orders', { ttl: '4s' })
        token = lock.token
        await lock.extend('10s')
        expect(lock.token).toBe(token)
        expect(lock.validUntilMs() - app.world.clock.monotonicMs()).toBeGreaterThan(5_000)
        isExtended = true
      })
      await eventually(world, () => expect(isExtended).toBe(true))
      await eventually(world, async () => expect(await store.leases()).toHaveLength(1))
      const { holder: party } = await new LockService({ store, world, accept }).explain('orders')
      expect(party).toMatchObject({ token, ttlMs: 10_000 })
      holder.crash()
      const startMs = world.clock.monotonicMs()
      await new LockService({ store, world, accept }).acquire('orders')
      expect(world.clock.monotonicMs() - startMs).toBeGreaterThan(4_000)
    })
  })

  test('two extensions at once that reach the store in the other order do not end the lock', async () => {
    await withBed(async ({ store, world, accept }) => {
      // The first put with a lease is the acquisition's.
      let moves = -1
      const txn: Store['txn'] = async (request, options) => {
        const isMove = request.then?.some(
          (operation) => operation.op === 'put' && typeof operation.lease === 'number',
        )
        const move = isMove === true ? ++moves : 0
        // The first arrives after the second, whose answer is long on its way.
        if (move === 1) await sleep(world, 200)
        const reply = await store.txn(request, options)
        if (move === 2) await sleep(world, 500)
        return reply
      }
      const locks = new LockService({ store: overriding(store, { txn }), world, accept })
      const lock = await locks.acquire('orders', { ttl: '5s' })
      await Promise.all([lock.extend('20s'), lock.extend('30s')])
      const { holder } = await locks.explain('orders')
      expect({ isHeld: lock.isHeld, holder: holder?.token }).toEqual({ isHeld: true, holder: lock.token })
      await eventually(world, async () => expect(await store.leases()).toHaveLength(1))
      await lock.txn({ then: [put('x', '1')] })
    })
  })

  test('an extension that was given up, and arrives after a later one, does not take the lock back to its lease', async () => {
    await withBed(async ({ store, world, accept }) => {
      let moves = -1
      let late: Promise<unknown> | undefined
      const txn: Store['txn'] = async (request, options) => {
        const isMove = request.then?.some(
          (operation) => operation.op === 'put' && typeof operation.lease === 'number',
        )
        const move = isMove === true ? ++moves : 0
        if (move === 1) {
          late = sleep(world, 1_000).then(() => store.txn(request))
          throw new AlthingError('timeout', 'no answer in time', { outcome: 'unknown' })
        }
        const reply = await store.txn(request, options)
        if (move === 2) await sleep(world, 1_500)
        return reply
      }
      const locks = new LockService({ store: overriding(store, { txn }), world, accept })
      const lock = await locks.acquire('orders', { ttl: '5s' })
      await expect(lock.extend('20s')).rejects.toMatchObject({ outcome: 'unknown' })
      await lock.extend('30s')
      expect(await late).toMatchObject({ succeeded: false })
      const { holder } = await locks.explain('orders')
      expect({ isHeld: lock.isHeld, holder: holder?.token }).toEqual({ isHeld: true, holder: lock.token })
    })
  })

  testInSimulator(
    everyTurn,
    'an owner that asks again just when its last hold is released gets a lock that is held',
    async () => {
      for (let turns = 0; turns < 30; turns++) {
        await simulate(async ({ store, world, accept }) => {
          const locks = new LockService({ store, world, accept })
          const first = await locks.acquire('orders', { owner: 'request-7' })
          const again = locks.acquire('orders', { owner: 'request-7' })
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          const released = first.release()
          const second = await again
          expect({ turns, isHeld: second.isHeld }).toEqual({ turns, isHeld: true })
          await Promise.all([released, second.release()])
          expect(await leftBehind(store)).toEqual([])
        })
      }
    },
  )

  testInSimulator(
    everyTurn,
    'an abort at any turn of the answer to the grant leaves no lease that goes on being renewed',
    async () => {
      for (let turns = 0; turns < 30; turns++) {
        await simulate(async ({ store, world, accept }) => {
          const controller = new AbortController()
          const grantLease: Store['grantLease'] = async (request, options) => {
            const grant = await store.grantLease(request, options)
            void (async () => {
              for (let turn = 0; turn < turns; turn++) await Promise.resolve()
              controller.abort()
            })()
            return grant
          }
          const keeper = new LeaseKeeper(overriding(store, { grantLease }), world)
          const locks = new LockService({ store, world, accept, keeper })
          const acquired = locks.acquire('orders', { signal: controller.signal })
          const lock = await acquired.catch(() => undefined)
          await lock?.release()
          await sleep(world, 5_000)
          expect({ turns, kept: keeper.size }).toEqual({ turns, kept: 0 })
        })
      }
    },
  )

  test('explain tells the holder, since when, the last renewal, what it does, and who waits', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      await locks.acquire('orders', { note: 'billing run', traceId: 'trace-1', ttl: '9s' })
      const startMs = world.clock.monotonicMs()
      await sleep(world, 1_000)
      for (const [index, name] of ['second', 'third'].entries()) {
        bed.spawn(name, async (app) => {
          await new LockService(app).acquire('orders', { note: name })
        })
        await eventually(world, async () =>
          expect((await locks.explain('orders')).waiters).toHaveLength(index + 1),
        )
      }
      const { holder, waiters } = await locks.explain('orders')
      const passedMs = world.clock.monotonicMs() - startMs
      expect(holder).toMatchObject({ note: 'billing run', traceId: 'trace-1', ttlMs: 9_000 })
      const heldForMs = world.clock.wallMs() - (holder?.heldSinceMs ?? 0)
      expect(heldForMs).toBeGreaterThan(passedMs - 10)
      expect(heldForMs).toBeLessThan(passedMs + bed.lateMs)
      expect(holder?.sinceRenewalMs).toBeLessThan(3_000 + bed.lateMs)
      expect(waiters.map(({ note }) => note)).toEqual(['second', 'third'])
      expect(await locks.explain('nothing')).toMatchObject({ holder: undefined, waiters: [] })
    })
  })

  test('a forced release lets the next one in, tells the holder who did it, and leaves a record', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const locks = new LockService({ store, world, accept })
      const lock = await locks.acquire('orders', { note: 'stuck' })
      await sleep(world, 2_000)
      let next: Lock | undefined
      bed.spawn('next', async (app) => {
        next = await new LockService(app).acquire('orders')
      })
      await eventually(world, async () => expect((await locks.explain('orders')).waiters).toHaveLength(1))
      const operator = new LockService({ store, world, accept })
      await expect(
        operator.forceRelease('orders', { by: 'ada', reason: 'stuck', token: lock.token + 1 }),
      ).rejects.toMatchObject({ code: 'conflict' })
      await operator.forceRelease('orders', { by: 'ada', reason: 'stuck since noon' })
      await eventually(world, () => expect(lock.isHeld).toBe(false))
      expect(lock.lost.reason).toMatchObject({ code: 'lost', details: { cause: 'removed' } })
      expect(String(lock.lost.reason)).toContain('released by force by ada: stuck since noon')
      await eventually(world, () => expect(next?.isHeld).toBe(true))
      const records = await operator.forcedReleases('orders')
      expect(records).toMatchObject([
        { name: 'orders', token: lock.token, by: 'ada', holder: { note: 'stuck' } },
      ])
      await expect(operator.forceRelease('other', { by: 'a', reason: 'b' })).rejects.toMatchObject({
        code: 'not-found',
      })
    })
  })

  test('with runs the work under the lock and releases it, whatever the work does', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      expect(await locks.with('orders', {}, (lock) => lock.isHeld)).toBe(true)
      await expect(locks.with('orders', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
      expect(await leftBehind(store)).toEqual([])
    })
  })

  test('with rejects when the lock was lost before the work had ended', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const work = locks.with('orders', {}, async () => {
        await sleep(world, 1_500)
        await locks.forceRelease('orders', { by: 'ada', reason: 'test' })
        await sleep(world, 1_000)
        return 'done'
      })
      await expect(work).rejects.toMatchObject({ code: 'lost' })
    })
  })

  test('close releases what is held and ends what waits', async () => {
    await withBed(async ({ store, world, accept }) => {
      const locks = new LockService({ store, world, accept })
      const lock = await locks.acquire('orders')
      const waiting = locks.acquire('orders')
      waiting.catch(() => {})
      await settle(world)
      await locks.close()
      await expect(waiting).rejects.toMatchObject({ code: 'closed' })
      expect(lock.isHeld).toBe(false)
      await eventually(world, async () => expect(await leftBehind(store)).toEqual([]))
      await expect(locks.acquire('orders')).rejects.toMatchObject({ code: 'closed' })
    })
  })

  test('one keeper serves several services', async () => {
    await withBed(async ({ store, world, accept }: App) => {
      const keeper = new LeaseKeeper(store, world)
      const first = await new LockService({ store, world, accept, keeper }).acquire('a', { ttl: '3s' })
      const second = await new LockService({ store, world, accept, keeper }).acquire('b', { ttl: '3s' })
      await sleep(world, 20_000)
      expect([first.isHeld, second.isHeld]).toEqual([true, true])
      await keeper.close()
      expect(await aborted(first.lost)).toMatchObject({ code: 'lost', details: { cause: 'closed' } })
    })
  })
})
