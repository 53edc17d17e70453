import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import {
  type App,
  type Bed,
  eventually,
  keysUnder,
  settle,
  sleep,
  withBed,
} from '../test-bed.test-support.ts'
import { Barriers, type DoubleBarrier } from './barriers.ts'

interface Passed {
  readonly by: string
  readonly generation: number
  readonly index: number
}

/** Those that are to live have a ttl that a machine under load cannot miss. */
const doomedTtl = '4s'

function party(bed: Bed, name: string, parties: number, passed: Passed[], times = 1, ttl = '30s') {
  return bed.spawn(name, async (app) => {
    const barriers = new Barriers(app)
    for (let time = 0; time < times; time++) {
      const { generation, index } = await barriers.wait('start', { parties, ttl, waitTimeout: '30s' })
      passed.push({ by: name, generation, index })
    }
  })
}

function standing(app: App, count: number): Promise<void> {
  return eventually(app.world, async () =>
    expect(await keysUnder(app.store, '/althing/barriers/start/')).toHaveLength(count),
  )
}

describe('a barrier', () => {
  test('opens when all are there, for all at one revision, and not before', () =>
    withBed(async (app, bed) => {
      const passed: Passed[] = []
      party(bed, 'a', 3, passed)
      party(bed, 'b', 3, passed)
      await standing(app, 2)
      await sleep(app.world, 1_500)
      expect(passed).toEqual([])
      party(bed, 'c', 3, passed)
      await eventually(app.world, () => expect(passed).toHaveLength(3))
      expect(new Set(passed.map(({ generation }) => generation)).size).toBe(1)
      expect(passed.map(({ index }) => index).toSorted()).toEqual([0, 1, 2])
      await standing(app, 0)
    }))

  test('can be used again: each opening is for as many as it waits for', () =>
    withBed(async (app, bed) => {
      const passed: Passed[] = []
      for (const name of ['a', 'b', 'c', 'd']) party(bed, name, 2, passed, 3)
      await eventually(app.world, () => expect(passed).toHaveLength(12))
      const generations = new Set(passed.map(({ generation }) => generation))
      for (const each of generations)
        expect(passed.filter(({ generation }) => generation === each)).toHaveLength(2)
      await standing(app, 0)
    }))

  test('does not count a party that has died, whose place a later one takes', () =>
    withBed(async (app, bed) => {
      const passed: Passed[] = []
      party(bed, 'a', 3, passed)
      const doomed = party(bed, 'doomed', 3, passed, 1, doomedTtl)
      await standing(app, 2)
      doomed.crash()
      await standing(app, 1)
      party(bed, 'b', 3, passed)
      await standing(app, 2)
      await sleep(app.world, 1_500)
      expect(passed).toEqual([])
      party(bed, 'c', 3, passed)
      await eventually(app.world, () =>
        expect(passed.map(({ by }) => by).toSorted()).toEqual(['a', 'b', 'c']),
      )
    }))

  test('is left by who does not wait any longer, and nothing of that one stays', () =>
    withBed(async (app) => {
      const barriers = new Barriers(app)
      const early = barriers.wait('start', { parties: 2, waitTimeout: '300ms' })
      await expect(early).rejects.toMatchObject({ code: 'timeout', outcome: 'none' })
      const leaving = new AbortController()
      const aborted = barriers.wait('start', { parties: 2, signal: leaving.signal })
      await standing(app, 1)
      leaving.abort()
      await expect(aborted).rejects.toMatchObject({ code: 'aborted' })
      await standing(app, 0)
      const closed = barriers.wait('start', { parties: 2 }).catch((error: unknown) => error)
      await standing(app, 1)
      await barriers.close()
      expect(isAlthingError(await closed, 'closed')).toBe(true)
      await standing(app, 0)
    }))

  test('refuses who waits for another number, and numbers that make no sense', () =>
    withBed(async (app) => {
      const barriers = new Barriers(app)
      const first = barriers.wait('start', { parties: 2 })
      await standing(app, 1)
      await expect(barriers.wait('start', { parties: 3 })).rejects.toMatchObject({ code: 'conflict' })
      await barriers.wait('start', { parties: 2 })
      await first
      for (const parties of [0, 101, 1.5])
        await expect(barriers.wait('start', { parties })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(barriers.wait('', { parties: 1 })).rejects.toMatchObject({ code: 'invalid-argument' })
      await barriers.close()
    }))
})

describe('a double barrier', () => {
  test('lets all in together, and out when all have left', () =>
    withBed(async (app) => {
      const barriers = new Barriers(app)
      const stays = await Promise.all([1, 2, 3].map(() => barriers.enter('work', { parties: 3 })))
      const [a, b, c] = stays as [DoubleBarrier, DoubleBarrier, DoubleBarrier]
      expect(a.generation).toBe(c.generation)
      const left: string[] = []
      const leaving = [a.leave().then(() => left.push('a')), b.leave().then(() => left.push('b'))]
      await settle(app.world)
      expect(left).toEqual([])
      await c.leave()
      await Promise.all(leaving)
      expect(await keysUnder(app.store, '/althing/double-barriers/')).toEqual([])
      await barriers.close()
    }))

  test('a party that dies inside holds the others up for its ttl at most, and its lost fires first', () =>
    withBed(async (app, bed) => {
      const barriers = new Barriers(app)
      const seen: { enteredMs?: number; lostMs?: number } = {}
      bed.spawn('cut', async (own) => {
        const stay = await new Barriers(own).enter('work', { parties: 2, ttl: doomedTtl })
        seen.enteredMs = app.world.clock.monotonicMs()
        stay.lost.addEventListener('abort', () => {
          seen.lostMs = app.world.clock.monotonicMs()
        })
      })
      const stay = await barriers.enter('work', { parties: 2, waitTimeout: '20s' })
      await eventually(app.world, () => expect(seen.enteredMs).toBeDefined())
      const heal = bed.isolate('cut')
      await stay.leave({ waitTimeout: '20s' })
      expect(seen.lostMs).toBeLessThanOrEqual(app.world.clock.monotonicMs())
      heal()
      await barriers.close()
    }))

  test('the next generation comes in when the former has left', () =>
    withBed(async (app) => {
      const barriers = new Barriers(app)
      const first = await barriers.enter('work', { parties: 1 })
      const entered: number[] = []
      const second = barriers.enter('work', { parties: 1 }).then((stay) => {
        entered.push(stay.generation)
        return stay
      })
      await settle(app.world)
      expect(entered).toEqual([])
      await first.leave()
      const stay = await second
      expect(stay.generation).toBeGreaterThan(first.generation)
      await stay.leave()
      await barriers.close()
    }))
})
