import { describe, expect, test } from 'vitest'
import type { TxnReply } from '../contracts/store.ts'
import { AlthingError } from '../contracts/errors.ts'
import { type App, eventually, overriding, sleep, withBed } from '../coordination/test-bed.test-support.ts'
import { IdService } from './id-service.ts'

function serviceOf({ store, world, accept }: App): IdService {
  return new IdService({ store, world, accept })
}

const key = '/althing/ids/segments/orders'

describe('segment ids', () => {
  test('are consecutive from 1 within a process, and the next block is there before the first ends', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const ids = service.segment('orders', { step: 100 })
      expect(() => ids.next()).toThrow(expect.objectContaining({ code: 'unavailable', outcome: 'none' }))
      const given = [await ids.nextAsync()]
      for (let i = 1; i < 20; i++) given.push(ids.next())
      expect(given).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i + 1)))
      await eventually(app.world, () => expect(ids.buffered).toBeGreaterThan(100))
      for (let i = 20; i < 200; i++) expect(ids.next()).toBe(BigInt(i + 1))
      await service.close()
      expect(() => ids.next()).toThrow(expect.objectContaining({ code: 'closed' }))
    })
  })

  test('of several processes are never the same, and each tag counts for itself', async () => {
    await withBed(async (app, bed) => {
      const given: string[] = []
      let done = 0
      for (const name of ['one', 'two', 'three'])
        bed.spawn(name, async (other) => {
          const service = serviceOf(other)
          for (const tag of ['orders', 'bills', 'a/b']) {
            const ids = service.segment(tag, { step: 7, stepMax: 50 })
            for (let i = 0; i < 200; i++) given.push(`${tag} ${await ids.nextAsync({ timeout: '30s' })}`)
          }
          await service.close()
          done++
        })
      await eventually(app.world, () => expect(done).toBe(3))
      expect(new Set(given).size).toBe(3 * 3 * 200)
      expect(given.filter((id) => id === 'bills 1')).toHaveLength(1)
    })
  })

  test('a block whose transaction was made but not answered is left alone', async () => {
    await withBed(async (app) => {
      let isLost = true
      const store = overriding(app.store, {
        txn: async (request, options): Promise<TxnReply> => {
          const reply = await app.store.txn(request, options)
          if (!isLost) return reply
          isLost = false
          throw new AlthingError('timeout', 'no answer', { outcome: 'unknown' })
        },
      })
      const service = serviceOf({ ...app, store })
      expect(await service.segment('orders', { step: 10 }).nextAsync()).toBe(11n)
      await service.close()
    })
  })

  test('blocks grow while they are used up fast', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const ids = service.segment('orders', { step: 10, stepMax: 45 })
      for (let i = 0; i < 300; i++) await ids.nextAsync()
      expect(ids.step).toBe(45)
      await service.close()
    })
  })

  test('past 2^53 they are exact as bigint and refused as number, and end before 2^63', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const ids = service.segment('orders', { step: 2, stepMax: 2, start: 2 ** 53 - 1 })
      expect(await ids.nextAsync()).toBe(2n ** 53n - 1n)
      expect(ids.next()).toBe(2n ** 53n)
      await ids.nextAsync()
      expect(() => ids.nextNumber()).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
      // Else the block that it fetches ahead would be the last one.
      await ids.close()
      await app.store.txn({ then: [{ op: 'put', key, value: Buffer.from(String(2n ** 63n - 3n)) }] })
      const last = service.segment('orders', { step: 2 })
      expect([await last.nextAsync(), await last.nextAsync()]).toEqual([2n ** 63n - 3n, 2n ** 63n - 2n])
      await expect(last.nextAsync()).rejects.toMatchObject({ code: 'no-space', outcome: 'none' })
      await service.close()
    })
  })

  test('cut off from the store it gives what is buffered, then waits or times out, and goes on afterwards', async () => {
    await withBed(async (app, bed) => {
      const service = serviceOf(app)
      const ids = service.segment('orders', { step: 10 })
      await ids.nextAsync()
      await eventually(app.world, () => {
        ids.next()
        expect(ids.buffered).toBeGreaterThan(10)
      })
      const heal = bed.isolate('app')
      while (ids.buffered > 0) ids.next()
      await expect(ids.nextAsync({ timeout: '300ms' })).rejects.toMatchObject({
        code: 'timeout',
        outcome: 'none',
      })
      await expect(ids.nextAsync({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' })
      const waiting = ids.nextAsync({ timeout: '60s' })
      await sleep(app.world, 500)
      heal()
      expect(await waiting).toBeGreaterThan(10n)
      await service.close()
    })
  })

  test('what cannot be read gives no ids, and bounds are checked', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      await app.store.txn({ then: [{ op: 'put', key, value: Buffer.from('x') }] })
      await expect(service.segment('orders').nextAsync()).rejects.toMatchObject({ code: 'corrupt' })
      const wrong = [
        [{ step: 0 }, 'step'],
        [{ step: 100, stepMax: 99 }, 'stepMax'],
        [{ start: 2 ** 53 }, 'start'],
        [{ start: -1n }, 'start'],
      ] as const
      for (const [options, field] of wrong)
        expect(() => service.segment('orders', options)).toThrow(
          expect.objectContaining({ code: 'invalid-argument', details: { field } }),
        )
      expect(() => service.segment('')).toThrow(expect.objectContaining({ details: { field: 'tag' } }))
      await service.close()
      expect(() => service.segment('orders')).toThrow(expect.objectContaining({ code: 'closed' }))
    })
  })
})
