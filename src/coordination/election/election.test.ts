import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { ElectionState, Leadership } from './election-types.ts'
import { ElectionService } from './election.ts'
import {
  aborted,
  type App,
  eventually,
  keysUnder,
  settle,
  sleep,
  withBed,
  type Bed,
} from '../test-bed.test-support.ts'

/** A process that campaigns under its own name, and leads until told otherwise. */
function contender(
  bed: Bed,
  name: string,
  main: (leadership: Leadership, app: App) => Promise<void> = async () => {},
) {
  const seen: { leadership?: Leadership } = {}
  const process = bed.spawn(name, async (app) => {
    const elections = new ElectionService(app)
    seen.leadership = await elections.campaign('scheduler', {
      candidate: name,
      value: `at ${name}`,
      ttl: '5s',
    })
    await main(seen.leadership, app)
  })
  return { process, seen }
}

async function untilTrue(world: App['world'], condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(world, 10)
}

/** Starts contenders one after the other, each when the one before stands in line. */
async function contendersInLine(names: readonly string[], app: App, bed: Bed) {
  const elections = new ElectionService(app)
  const contenders = []
  for (const [index, name] of names.entries()) {
    contenders.push(contender(bed, name))
    await untilInLine(elections, app.world, index + 1)
  }
  return contenders as [Contender, Contender, Contender]
}

type Contender = ReturnType<typeof contender>

/** So many lead or want to. */
function untilInLine(elections: ElectionService, world: App['world'], count: number): Promise<void> {
  return eventually(world, async () => {
    const leader = await elections.leader('scheduler')
    const candidates = await elections.candidates('scheduler')
    expect(candidates.length + (leader === undefined ? 0 : 1)).toBe(count)
  })
}

describe('election', () => {
  test('has one leader, then the next in the order of candidacy, with growing terms', async () => {
    await withBed(async (app, bed) => {
      const { world } = app
      const elections = new ElectionService(app)
      const contenders = await contendersInLine(['a', 'b', 'c'], app, bed)
      expect(await elections.leader('scheduler')).toMatchObject({ candidate: 'a', value: 'at a' })
      expect(await elections.candidates('scheduler')).toMatchObject([{ candidate: 'b' }, { candidate: 'c' }])
      const [a, b] = contenders.map(({ seen }) => seen)
      expect(a?.leadership?.isLeader).toBe(true)
      expect(b?.leadership).toBeUndefined()
      await a?.leadership?.resign()
      expect(a?.leadership?.isLeader).toBe(false)
      await eventually(world, () => expect(b?.leadership?.isLeader).toBe(true))
      expect(b?.leadership?.term).toBeGreaterThan(a?.leadership?.term ?? 0)
      expect(await elections.leader('scheduler')).toMatchObject({
        candidate: 'b',
        term: b?.leadership?.term,
      })
    })
  })

  test('the next one leads within the ttl of a leader that died, and a dead candidate is passed over', async () => {
    await withBed(async (app, bed) => {
      const { world } = app
      const [a, b, c] = await contendersInLine(['a', 'b', 'c'], app, bed)
      a.process.crash()
      b.process.crash()
      const startMs = world.clock.monotonicMs()
      await untilTrue(world, () => c.seen.leadership?.isLeader === true)
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(5_000 + 2 * bed.lateMs)
      expect(b.seen.leadership).toBeUndefined()
    })
  })

  test('observers see the leaders in order, terms that only grow, values, and the seat when it is empty', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const elections = new ElectionService({ store, world, accept })
      const states: ElectionState[] = []
      const stop = new AbortController()
      const observing = (async () => {
        for await (const state of elections.observe('scheduler', { signal: stop.signal })) states.push(state)
      })()
      const told = () => states.map(({ leader }) => leader && `${leader.candidate}: ${leader.value}`)
      await eventually(world, () => expect(told()).toHaveLength(1))
      contender(bed, 'a', async (leadership, app) => {
        await eventually(app.world, () => expect(told()).toHaveLength(2))
        await leadership.proclaim('busy')
        await eventually(app.world, () => expect(told()).toHaveLength(3))
        await leadership.resign()
      })
      await eventually(world, () => expect(told()).toHaveLength(4))
      const b = contender(bed, 'b')
      await eventually(world, () => expect(told()).toHaveLength(5))
      b.process.crash()
      await eventually(world, () => expect(told()).toHaveLength(6))
      stop.abort()
      await observing
      expect(told()).toEqual([undefined, 'a: at a', 'a: busy', undefined, 'b: at b', undefined])
      const terms = states.flatMap(({ leader }) => leader?.term ?? [])
      expect(terms).toEqual([...terms].sort((x, y) => x - y))
      expect(new Set(terms).size).toBe(2)
      const revisions = states.map(({ revision }) => revision)
      expect(revisions).toEqual([...revisions].sort((x, y) => x - y))
    })
  })

  test('an observer that does not read meets the leader of now, not one that is known to be gone', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const elections = new ElectionService({ store, world, accept })
      const states = elections.observe('scheduler')[Symbol.asyncIterator]()
      expect((await states.next()).value).toMatchObject({ leader: undefined })
      for (const name of ['a', 'b', 'c']) {
        let isOver = false
        contender(bed, name, async (leadership, app) => {
          await settle(app.world)
          if (name !== 'c') await leadership.resign()
          await settle(app.world)
          isOver = true
        })
        await untilTrue(world, () => isOver)
      }
      expect((await states.next()).value).toMatchObject({ leader: { candidate: 'c' } })
      await states.return?.()
    })
  })

  test('a leader cut off from the store stops before another leads, and its writes are refused', async () => {
    await withBed(async (app, bed) => {
      const { store, world } = app
      const [a, b] = await contendersInLine(['a', 'b'], app, bed)
      bed.isolate('a')
      let bothLed = false
      await untilTrue(world, () => {
        bothLed ||= a.seen.leadership?.isLeader === true && b.seen.leadership?.isLeader === true
        return b.seen.leadership?.isLeader === true
      })
      expect(bothLed).toBe(false)
      expect(a.seen.leadership?.lost.reason).toMatchObject({ code: 'lost' })
      const write = { op: 'put', key: 'x', value: bytesFromText('1') } as const
      const stale = (a.seen.leadership as Leadership).guard([write])
      expect((await store.txn(stale)).succeeded).toBe(false)
      expect((await (b.seen.leadership as Leadership).txn({ then: [write] })).succeeded).toBe(true)
    })
  })

  test('transfer makes the named candidate the next leader, before those who came earlier', async () => {
    await withBed(async (app, bed) => {
      const { store, world } = app
      const contenders = await contendersInLine(['a', 'b', 'c'], app, bed)
      const [a, b, c] = contenders.map(({ seen }) => seen)
      const first = a?.leadership as Leadership
      await expect(first.transfer('nobody')).rejects.toMatchObject({ code: 'not-found' })
      expect(first.isLeader).toBe(true)
      await first.transfer('c')
      expect(first.isLeader).toBe(false)
      await eventually(world, () => expect(c?.leadership?.isLeader).toBe(true))
      expect(c?.leadership?.term).toBeGreaterThan(first.term)
      expect(first.lost.aborted).toBe(false)
      await c?.leadership?.resign()
      await eventually(world, () => expect(b?.leadership?.isLeader).toBe(true))
      expect(b?.leadership?.term).toBeGreaterThan(c?.leadership?.term ?? 0)
      expect(await keysUnder(store, '/althing/elections/')).toEqual(['/althing/elections/scheduler/leader'])
    })
  })

  test('an heir that dies before it has taken over does not keep the seat', async () => {
    await withBed(async (app, bed) => {
      const { world } = app
      const [a, b, c] = await contendersInLine(['a', 'b', 'c'], app, bed)
      c.process.crash()
      await a.seen.leadership?.transfer('c')
      await untilTrue(world, () => b.seen.leadership?.isLeader === true)
    })
  })

  test('an abort ends a campaign and leaves nothing behind', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      contender(bed, 'a')
      const elections = new ElectionService({ store, world, accept })
      await untilInLine(elections, world, 1)
      const controller = new AbortController()
      world.timers.after(1_000, () => controller.abort())
      const campaign = elections.campaign('scheduler', { signal: controller.signal })
      await expect(campaign).rejects.toMatchObject({ code: 'aborted' })
      expect(await elections.candidates('scheduler')).toEqual([])
      expect(await store.leases()).toHaveLength(1)
    })
  })

  test('two candidates of one name: the second is refused', async () => {
    await withBed(async (app, bed) => {
      await contendersInLine(['a', 'b'], app, bed)
      const elections = new ElectionService(app)
      await expect(elections.campaign('scheduler', { candidate: 'b' })).rejects.toMatchObject({
        code: 'conflict',
      })
    })
  })

  test('a campaign outlasts an outage of the store that is longer than its ttl', async () => {
    await withBed(async (app, bed) => {
      const { world } = app
      const [, b] = await contendersInLine(['a', 'b'], app, bed)
      const heal = bed.isolate('b')
      await sleep(world, 20_000)
      heal()
      await sleep(world, 5_000)
      bed.process('a').crash()
      await untilTrue(world, () => b.seen.leadership?.isLeader === true)
    })
  })

  test('close resigns and ends campaigns', async () => {
    await withBed(async ({ store, world, accept }) => {
      const elections = new ElectionService({ store, world, accept })
      const leadership = await elections.campaign('scheduler')
      const waiting = elections.campaign('scheduler')
      waiting.catch(() => {})
      await settle(world)
      await elections.close()
      await expect(waiting).rejects.toMatchObject({ code: 'closed' })
      expect(leadership.isLeader).toBe(false)
      await eventually(world, async () => expect(await keysUnder(store, '/althing/')).toEqual([]))
    })
  })

  test('a leader whose key an operator removes is told', async () => {
    await withBed(async ({ store, world, accept }) => {
      const leadership = await new ElectionService({ store, world, accept }).campaign('scheduler')
      await sleep(world, 2_000)
      await store.txn({ then: [{ op: 'delete', key: leadership.fence.key }] })
      expect(await aborted(leadership.lost)).toMatchObject({ code: 'lost', details: { cause: 'removed' } })
    })
  })
})
