import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { LockService } from '../locks/lock.ts'
import { eventually, keysUnder, overriding, withBed } from '../test-bed.test-support.ts'
import { Atomics } from './atomics.ts'
import { counterMax, counterMin, Counters } from './counters.ts'

describe('a counter', () => {
  test('is 0 at first, and counts exactly, also past 2^53', () =>
    withBed(async (app) => {
      const counters = new Counters(app)
      expect(await counters.get('hits')).toBe(0n)
      expect(await counters.add('hits')).toBe(1n)
      expect(await counters.add('hits', 41)).toBe(42n)
      expect(await counters.add('hits', -2n)).toBe(40n)
      expect(await counters.set('hits', 2n ** 53n)).toBe(40n)
      expect(await counters.add('hits', 1)).toBe(2n ** 53n + 1n)
      expect(await counters.compareAndSet('hits', 7, 8)).toBe(false)
      expect(await counters.compareAndSet('hits', 2n ** 53n + 1n, counterMin)).toBe(true)
      expect(await counters.get('hits')).toBe(counterMin)
      expect(await counters.delete('hits')).toBe(true)
      expect(await counters.delete('hits')).toBe(false)
      expect(await counters.get('hits')).toBe(0n)
      expect(await keysUnder(app.store, '/althing/counters')).toEqual([])
    }))

  test('loses no addition of many that come together, from several processes, and gives each a sum of its own', () =>
    withBed(async (app, bed) => {
      const sums: bigint[] = []
      for (const name of ['a', 'b', 'c'])
        bed.spawn(name, async (own) => {
          const counters = new Counters(own)
          for (let round = 0; round < 5; round++)
            sums.push(...(await Promise.all(Array.from({ length: 10 }, () => counters.add('hits')))))
        })
      await eventually(app.world, () => expect(sums).toHaveLength(150))
      expect(sums.toSorted((a, b) => Number(a - b))).toEqual(
        Array.from({ length: 150 }, (_, i) => BigInt(i + 1)),
      )
    }))

  test('makes what comes together in few writes', () =>
    withBed(async (app) => {
      const seen = { txns: 0 }
      const store = overriding(app.store, {
        txn: (request, options) => {
          seen.txns += 1
          return app.store.txn(request, options)
        },
      })
      const counters = new Counters({ ...app, store })
      await Promise.all(Array.from({ length: 1_000 }, () => counters.add('hits')))
      expect(await counters.get('hits')).toBe(1_000n)
      expect(seen.txns).toBeLessThanOrEqual(3)
    }))

  test('never leaves 64 bits: what would is refused, and the others are made', () =>
    withBed(async (app) => {
      const counters = new Counters(app)
      await counters.set('hits', counterMax - 1n)
      const results = await Promise.allSettled([
        counters.add('hits', 2),
        counters.add('hits', 1),
        counters.add('hits', 1),
      ])
      expect(results.map((each) => each.status)).toEqual(['rejected', 'fulfilled', 'rejected'])
      expect(await counters.get('hits')).toBe(counterMax)
      for (const wrong of [1.5, 2 ** 53, Number.NaN, '1' as unknown as number])
        await expect(counters.add('hits', wrong)).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(counters.set('hits', counterMax + 1n)).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(counters.add('')).rejects.toMatchObject({ code: 'invalid-argument' })
    }))

  test('under a fence is refused once the right has ended', () =>
    withBed(async (app) => {
      const counters = new Counters(app)
      const locks = new LockService(app)
      const lock = await locks.acquire('till')
      const { fence } = lock
      expect(await counters.add('takings', 5, { fence })).toBe(5n)
      await lock.release()
      for (const late of [
        () => counters.add('takings', 5, { fence }),
        () => counters.set('takings', 0, { fence }),
        () => counters.compareAndSet('takings', 5, 0, { fence }),
      ])
        await expect(late()).rejects.toMatchObject({ code: 'stale-token', outcome: 'none' })
      expect(await counters.get('takings')).toBe(5n)
      await locks.close()
    }))

  test('shows its changes, and ends with the service', () =>
    withBed(async (app) => {
      const counters = new Counters(app)
      const seen: bigint[] = []
      const watching = (async () => {
        for await (const value of counters.changes('hits')) seen.push(value)
      })()
      await eventually(app.world, () => expect(seen).toEqual([0n]))
      await counters.add('hits', 3)
      await eventually(app.world, () => expect(seen.at(-1)).toBe(3n))
      await counters.close()
      await watching
      await expect(counters.add('hits')).rejects.toMatchObject({ code: 'closed' })
    }))

  test('says corrupt of what is no number', () =>
    withBed(async (app) => {
      await app.store.txn({
        then: [{ op: 'put', key: '/althing/counters/hits', value: bytesFromText('many') }],
      })
      await expect(new Counters(app).get('hits')).rejects.toMatchObject({ code: 'corrupt' })
      await expect(new Counters(app).add('hits')).rejects.toMatchObject({ code: 'corrupt' })
    }))
})

describe('an atomic value', () => {
  interface Limits {
    readonly requests: number
  }

  const schema = {
    '~standard': {
      validate: (value: unknown) => {
        const { requests } = (value ?? {}) as Partial<Limits>
        if (typeof requests === 'number' && requests >= 0) return { value: { requests } }
        return { issues: [{ message: 'requests must be a number from 0' }] }
      },
    },
  }

  test('is set, compared and deleted', () =>
    withBed(async (app) => {
      const limits = new Atomics(app).value<Limits>('limits')
      expect(await limits.get()).toBeUndefined()
      expect(await limits.compareAndSet({ requests: 1 }, { requests: 2 })).toBe(false)
      expect(await limits.compareAndSet(undefined, { requests: 1 })).toBe(true)
      expect(await limits.compareAndSet(undefined, { requests: 5 })).toBe(false)
      expect(await limits.compareAndSet({ requests: 1 }, { requests: 2 })).toBe(true)
      const state = await limits.state()
      expect(state?.value).toEqual({ requests: 2 })
      const revision = await limits.set({ requests: 2 })
      expect(await limits.setIfRevision(state?.revision ?? 0, { requests: 9 })).toBe(false)
      expect(await limits.setIfRevision(revision, { requests: 9 })).toBe(true)
      expect(await limits.delete()).toBe(true)
      expect(await limits.delete()).toBe(false)
      expect(await keysUnder(app.store, '/althing/atomics')).toEqual([])
    }))

  test('loses no update of several processes', () =>
    withBed(async (app, bed) => {
      const seen = { ended: 0 }
      for (const name of ['a', 'b', 'c'])
        bed.spawn(name, async (own) => {
          const limits = new Atomics(own).value<Limits>('limits')
          for (let i = 0; i < 5; i++) await limits.update((now) => ({ requests: (now?.requests ?? 0) + 1 }))
          seen.ended += 1
        })
      await eventually(app.world, () => expect(seen.ended).toBe(3))
      expect(await new Atomics(app).value('limits').get()).toEqual({ requests: 15 })
    }))

  test('holds what its schema lets through, and nothing else', () =>
    withBed(async (app) => {
      const atomics = new Atomics(app)
      const limits = atomics.value<Limits>('limits', { schema })
      await expect(limits.set({ requests: -1 })).rejects.toMatchObject({
        code: 'invalid-argument',
        outcome: 'none',
      })
      await expect(limits.update(() => ({ requests: Number.NaN }))).rejects.toThrow(
        /requests must be a number/,
      )
      await limits.set({ requests: 3 })
      await atomics.value('limits').set('three')
      await expect(limits.get()).rejects.toMatchObject({ code: 'corrupt' })
    }))

  test('under a fence is refused once the right has ended; shows its changes', () =>
    withBed(async (app) => {
      const locks = new LockService(app)
      const atomics = new Atomics(app)
      const value = atomics.value<number>('owner')
      const seen: (number | undefined)[] = []
      const watching = (async () => {
        for await (const state of value.changes()) seen.push(state?.value)
      })()
      await eventually(app.world, () => expect(seen).toEqual([undefined]))
      const lock = await locks.acquire('till')
      const { fence } = lock
      await value.set(1, { fence })
      await eventually(app.world, () => expect(seen.at(-1)).toBe(1))
      await lock.release()
      await expect(value.set(2, { fence })).rejects.toMatchObject({ code: 'stale-token' })
      await expect(value.update(() => 3, { fence })).rejects.toMatchObject({ code: 'stale-token' })
      expect(await value.get()).toBe(1)
      await atomics.close()
      await watching
      await locks.close()
    }))
})
