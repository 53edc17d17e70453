import { describe, expect, test } from 'vitest'
import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import {
  type App,
  eventually,
  keysUnder,
  simulate,
  sleep,
  testInSimulator,
  withBed,
} from '../coordination/test-bed.test-support.ts'
import { layoutOf, parseSnowflake } from '../protocols/snowflake/layout.ts'
import { IdService, type IdServiceOptions } from './id-service.ts'
import { timingOf } from './generator-timing.ts'
import { TenuredGenerator } from './snowflake-generator.ts'
import type { Tenure, TenureRequest } from './tenure.ts'

function serviceOf({ store, world, accept }: App, options: Partial<IdServiceOptions> = {}): IdService {
  return new IdService({ store, world, accept, ...options })
}

/** The same world with a wall clock that shows so much more. */
function shifted(world: World, shift: { ms: number }): World {
  const { clock } = world
  const wall = { monotonicMs: () => clock.monotonicMs(), wallMs: () => clock.wallMs() + shift.ms }
  return { ...world, clock: wall }
}

const twoWorkers = { workerBits: 1 }
const hourMs = 3_600_000

describe('snowflake ids', () => {
  test('grow, say their time, datacentre, worker and sequence, and sort as text', async () => {
    await withBed(async (app) => {
      const ids = await serviceOf(app).snowflake('orders', { datacentre: 3 })
      const nowMs = app.world.clock.wallMs()
      const given = Array.from({ length: 1_000 }, () => ids.next())
      expect(given).toEqual([...given].sort((a, b) => (a < b ? -1 : 1)))
      const parts = parseSnowflake(given[0] as bigint)
      expect(parts).toMatchObject({ datacentre: 3, worker: ids.hold?.worker })
      expect(Math.abs(ids.layout.epochMs + parts.time - nowMs)).toBeLessThan(5_000)
      const texts = [ids.nextText(), ids.nextText()]
      expect(texts).toEqual(texts.toSorted())
      expect(texts[0]).toMatch(/^\d{19}$/)
      expect(() => ids.nextNumber()).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
      await ids.close()
    })
  })

  test('a wait ends in time, and leaves the loop to others, where a store that reserves time fails at once', async () => {
    await withBed(async ({ world }) => {
      let extensions = 0
      const tenure = {
        ...{ worker: 0, token: 1, isHeld: true, lost: new AbortController().signal },
        extend: async (): Promise<void> => {
          extensions += 1
          // Else a wait that asks again at once would never come to an end.
          if (extensions > 1_000) await new Promise<never>(() => {})
          throw new AlthingError('node-failed', 'the store has failed', { outcome: 'none' })
        },
        release: () => Promise.resolve(),
      }
      const claim = ({ now }: TenureRequest): Promise<Tenure> =>
        Promise.resolve({ ...tenure, window: { from: now, until: now + 100 } })
      const source = { claim, close: () => Promise.resolve() }
      const timing = timingOf({ reserve: '100ms' })
      const ids = await TenuredGenerator.open({ world, source, layout: layoutOf(), datacentre: 0, timing })
      await sleep(world, 500)
      await expect(ids.nextAsync({ timeout: '1s' })).rejects.toMatchObject({ code: 'timeout' })
      expect(extensions).toBeLessThan(100)
      await ids.close()
    })
  })

  test('a layout of 53 bits gives numbers', async () => {
    await withBed(async (app) => {
      const layout = { datacentreBits: 0, workerBits: 4, sequenceBits: 8 }
      const ids = await serviceOf(app).snowflake('numbers', { layout })
      const number = ids.nextNumber()
      expect(Number.isSafeInteger(number)).toBe(true)
      expect(parseSnowflake(BigInt(number), ids.layout).worker).toBe(ids.hold?.worker)
      await ids.close()
    })
  })

  test('more generators than worker ids are refused, and one that is freed can be had at once', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const open = () => service.snowflake('orders', { layout: twoWorkers })
      const [first, second] = [await open(), await open()]
      expect(new Set([first.hold?.worker, second.hold?.worker]).size).toBe(2)
      await expect(open()).rejects.toMatchObject({
        code: 'overloaded',
        outcome: 'none',
        details: { workers: 2 },
      })
      const last = first.next()
      const freed = first.hold?.worker
      await first.close()
      expect(() => first.next()).toThrow(expect.objectContaining({ code: 'closed' }))
      const third = await open()
      expect(third.hold?.worker).toBe(freed)
      expect(await third.nextAsync()).toBeGreaterThan(last)
      await service.close()
      expect(await keysUnder(app.store, '/althing/ids/snowflake/orders/held/')).toEqual([])
      expect(await app.store.leases()).toEqual([])
    })
  })

  test('the worker id of a dead process is had again after its ttl, and its ids are not', async () => {
    await withBed(async (app, bed) => {
      const given: bigint[] = []
      const options = { layout: { workerBits: 0 }, ttl: '2s' }
      const victim = bed.spawn('victim', async (other) => {
        const ids = await serviceOf(other).snowflake('orders', options)
        for (let i = 0; i < 100; i++) given.push(ids.next())
        await sleep(other.world, 600_000)
      })
      await eventually(app.world, () => expect(given).toHaveLength(100))
      victim.crash()
      const service = serviceOf(app)
      await expect(service.snowflake('orders', options)).rejects.toMatchObject({ code: 'overloaded' })
      await eventually(app.world, async () => {
        const ids = await service.snowflake('orders', options)
        expect(await ids.nextAsync()).toBeGreaterThan(given.at(-1) as bigint)
      })
      await service.close()
    })
  })

  test('a namespace keeps its layout', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      await (await service.snowflake('orders')).close()
      await expect(service.snowflake('orders', { layout: { sequenceBits: 10 } })).rejects.toMatchObject({
        code: 'conflict',
        outcome: 'none',
      })
      await service.close()
    })
  })

  test('explain names who held the worker id then, after it has passed to others', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const given: [string, bigint][] = []
      for (const label of ['host-a', 'host-b', 'host-c']) {
        const ids = await service.snowflake('orders', { layout: { workerBits: 0 }, label })
        given.push([label, await ids.nextAsync()])
        await sleep(app.world, 20)
        given.push([label, await ids.nextAsync()])
        await ids.close()
      }
      for (const [label, id] of given) {
        const explanation = await service.explain(id, { namespace: 'orders' })
        expect(explanation).toMatchObject({
          kind: 'snowflake',
          worker: 0,
          holder: { label, isLatest: label === 'host-c' },
        })
      }
      expect(await service.explain(0n, { namespace: 'orders' })).not.toHaveProperty('holder')
      await service.close()
    })
  })

  test('only the last holders of a worker id are remembered', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const options = { layout: { workerBits: 0 } }
      const first = await service.snowflake('orders', options)
      const id = first.next()
      await first.close()
      for (let i = 0; i < 16; i++) await (await service.snowflake('orders', options)).close()
      expect(await service.explain(id, { namespace: 'orders' })).not.toHaveProperty('holder')
      await service.close()
    })
  })

  test('the clock steps back: a small step is waited for, a large one refused', async () => {
    await withBed(async (app) => {
      const shift = { ms: 0 }
      const service = serviceOf(app, { world: shifted(app.world, shift) })
      const ids = await service.snowflake('orders')
      const before = ids.next()
      shift.ms = -1_000
      await sleep(app.world, 1)
      expect(() => ids.next()).toThrow(
        expect.objectContaining({
          code: 'unavailable',
          details: expect.objectContaining({ cause: 'clock-back' }),
        }),
      )
      expect(await ids.nextAsync()).toBeGreaterThan(before)
      shift.ms = -hourMs
      await expect(ids.nextAsync()).rejects.toMatchObject({
        code: 'unavailable',
        retryable: false,
        details: { cause: 'clock-back' },
      })
      await service.close()
    })
  })

  test('the clock steps back: borrow goes on in order, throw refuses', async () => {
    await withBed(async (app) => {
      const shift = { ms: 0 }
      const service = serviceOf(app, { world: shifted(app.world, shift) })
      const borrowing = await service.snowflake('orders', { onClockBack: 'borrow' })
      const throwing = await service.snowflake('orders', { onClockBack: 'throw' })
      const before = [borrowing.next(), throwing.next()] as const
      shift.ms = -500
      await sleep(app.world, 1)
      const after = Array.from({ length: 10_000 }, () => borrowing.next())
      expect(after[0]).toBeGreaterThan(before[0])
      expect(new Set(after).size).toBe(10_000)
      expect(() => throwing.next()).toThrow(expect.objectContaining({ code: 'unavailable' }))
      await expect(throwing.nextAsync()).rejects.toMatchObject({ code: 'unavailable' })
      shift.ms = -hourMs
      await sleep(app.world, 1)
      expect(() => borrowing.next()).toThrow(expect.objectContaining({ code: 'unavailable' }))
      await service.close()
    })
  })

  test('after a step of hours forward and back, what was used in the future is used by nobody', async () => {
    await withBed(async (app) => {
      const shift = { ms: 0 }
      const service = serviceOf(app, { world: shifted(app.world, shift) })
      const options = { layout: twoWorkers }
      const ids = await service.snowflake('orders', options)
      const worker = ids.hold?.worker
      shift.ms = 5 * hourMs
      const future = await ids.nextAsync()
      await ids.close()
      shift.ms = 0
      const other = await service.snowflake('orders', options)
      expect(other.hold?.worker).not.toBe(worker)
      expect(other.next()).toBeLessThan(future)
      // The one worker id that is left was used for times that this clock has not reached.
      await expect(service.snowflake('orders', options)).rejects.toMatchObject({
        code: 'unavailable',
        details: { cause: 'clock-back' },
      })
      shift.ms = 5 * hourMs + 60_000
      const third = await service.snowflake('orders', options)
      expect(third.next()).toBeGreaterThan(future)
      await service.close()
    })
  })

  test('renew ends a refusal with another worker id', async () => {
    await withBed(async (app) => {
      const shift = { ms: hourMs }
      const service = serviceOf(app, { world: shifted(app.world, shift) })
      const ids = await service.snowflake('orders', { layout: twoWorkers })
      const [worker, future] = [ids.hold?.worker, ids.next()]
      shift.ms = 0
      await sleep(app.world, 1)
      expect(() => ids.next()).toThrow(expect.objectContaining({ code: 'unavailable' }))
      await ids.renew()
      expect(ids.hold?.worker).not.toBe(worker)
      expect(ids.next()).toBeLessThan(future)
      await service.close()
    })
  })

  test('cut off from the store it gives what is reserved and no more, and goes on afterwards', async () => {
    await withBed(async (app, bed) => {
      const ids = await serviceOf(app).snowflake('orders', { ttl: '3s' })
      const before = ids.next()
      const heal = bed.isolate('app')
      await sleep(app.world, 6_000 + bed.lateMs)
      expect(() => ids.next()).toThrow(expect.objectContaining({ code: 'unavailable', outcome: 'none' }))
      await expect(ids.nextAsync({ timeout: '500ms' })).rejects.toMatchObject({
        code: 'timeout',
        outcome: 'none',
      })
      heal()
      expect(await ids.nextAsync({ timeout: '30s' })).toBeGreaterThan(before)
      await ids.close()
    })
  })

  test('a worker id that an operator takes away is lost at once, and another is had', async () => {
    await withBed(async (app) => {
      const ids = await serviceOf(app).snowflake('orders')
      const { hold } = ids
      const before = ids.next()
      for (const { lease } of await app.store.leases()) await app.store.revokeLease(lease)
      await eventually(app.world, () => expect(hold?.lost.aborted).toBe(true))
      expect(await ids.nextAsync({ timeout: '30s' })).toBeGreaterThan(before)
      expect(ids.hold?.token).not.toBe(hold?.token)
      await ids.close()
    })
  })

  test('a burst runs ahead of the clock as far as it may, and is then refused with overloaded', async () => {
    await withBed(async (app) => {
      const shift = { ms: 0 }
      const world = shifted(app.world, shift)
      const frozen = { ...world, clock: { ...world.clock, wallMs: () => 1_900_000_000_000 } }
      const service = serviceOf(app, { world: frozen })
      const ids = await service.snowflake('orders', { maxAhead: '4ms', spinMax: 0, reserve: '1m' })
      const given = new Set<bigint>()
      expect(() => {
        for (;;) given.add(ids.next())
      }).toThrow(expect.objectContaining({ code: 'overloaded', outcome: 'none' }))
      expect(given.size).toBe(5 * 4_096)
      await service.close()
    })
  })

  test('waits end with the signal, the timeout and the close', async () => {
    await withBed(async (app) => {
      const shift = { ms: 0 }
      const service = serviceOf(app, { world: shifted(app.world, shift) })
      const ids = await service.snowflake('orders', { clockBackMax: '1m' })
      ids.next()
      shift.ms = -50_000
      await expect(ids.nextAsync({ timeout: 100 })).rejects.toMatchObject({ code: 'timeout' })
      await expect(ids.nextAsync({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' })
      const waiting = ids.nextAsync({ timeout: '1m' })
      void ids.close()
      await expect(waiting).rejects.toMatchObject({ code: 'closed' })
      await service.close()
      await expect(service.snowflake('orders')).rejects.toMatchObject({ code: 'closed' })
    })
  })

  test('a mark that cannot be read gives no ids', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app)
      const options = { layout: { workerBits: 0 } }
      await (await service.snowflake('orders', options)).close()
      const key = '/althing/ids/snowflake/orders/marks/00000/00000'
      await app.store.txn({ then: [{ op: 'put', key, value: Buffer.from('{}') }] })
      await expect(service.snowflake('orders', options)).rejects.toMatchObject({ code: 'corrupt' })
      expect(await app.store.leases()).toEqual([])
      await service.close()
    })
  })

  test('bounds are checked before anything is done', async () => {
    await withBed(async (app) => {
      const service = serviceOf(app, { openMax: 1 })
      const wrong = [
        [{ datacentre: 32 }, 'datacentre'],
        [{ layout: { timeBits: 48 } }, 'layout'],
        [{ layout: { workerBits: 15 } }, 'workerBits'],
        [{ onClockBack: 'ignore' as 'wait' }, 'onClockBack'],
        [{ reserve: 10 }, 'reserve'],
        [{ ttl: 1 }, 'ttl'],
      ] as const
      for (const [options, field] of wrong)
        await expect(service.snowflake('orders', options)).rejects.toMatchObject({
          code: 'invalid-argument',
          details: { field },
        })
      await expect(service.snowflake('a\u0000')).rejects.toMatchObject({ details: { field: 'namespace' } })
      expect(await keysUnder(app.store, '/althing/ids/')).toEqual([])
      await service.snowflake('orders')
      await expect(service.snowflake('orders')).rejects.toMatchObject({ code: 'overloaded' })
      await service.close()
    })
  })

  testInSimulator(
    'it stops one process alone',
    'a stopped process finds its worker id lost at its first instruction',
    async () => {
      await simulate(async ({ world }, bed) => {
        const seen: { refused?: unknown; before?: bigint; after?: bigint } = {}
        const process = bed.spawn('holder', async (app) => {
          const ids = await serviceOf(app).snowflake('orders', { ttl: '5s', layout: { workerBits: 1 } })
          seen.before = ids.next()
          for (let lastMs = app.world.clock.monotonicMs(); ; ) {
            await sleep(app.world, 20)
            const nowMs = app.world.clock.monotonicMs()
            if (nowMs - lastMs > 5_000) break
            lastMs = nowMs
          }
          try {
            ids.next()
          } catch (error) {
            seen.refused = error
          }
          seen.after = await ids.nextAsync({ timeout: '30s' })
        })
        await sleep(world, 2_000)
        process.pause()
        await sleep(world, 20_000)
        process.resume()
        await sleep(world, 20_000)
        expect(isAlthingError(seen.refused, 'unavailable')).toBe(true)
        expect(seen.after).toBeGreaterThan(seen.before as bigint)
      })
    },
  )
})
