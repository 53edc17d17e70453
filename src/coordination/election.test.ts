import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../base/bytes.ts'
import type { ElectionState, Leadership } from './election-types.ts'
import { ElectionService } from './election.ts'
import { aborted, type App, keysUnder, simulate, sleep, type TestBed } from './test-bed.test-support.ts'

/** A process that campaigns under its own name, and leads until told otherwise. */
function contender(
  bed: TestBed,
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

describe('election', () => {
  test('has one leader, then the next in the order of candidacy, with growing terms', async () => {
    await simulate(async ({ store, world }, bed) => {
      const elections = new ElectionService({ store, world })
      const contenders = []
      for (const name of ['a', 'b', 'c']) {
        contenders.push(contender(bed, name))
        await sleep(world, 200)
      }
      expect(await elections.leader('scheduler')).toMatchObject({ candidate: 'a', value: 'at a' })
      expect(await elections.candidates('scheduler')).toMatchObject([{ candidate: 'b' }, { candidate: 'c' }])
      const [a, b] = contenders.map(({ seen }) => seen)
      expect(a?.leadership?.isLeader).toBe(true)
      expect(b?.leadership).toBeUndefined()
      await a?.leadership?.resign()
      await sleep(world, 200)
      expect(a?.leadership?.isLeader).toBe(false)
      expect(b?.leadership?.isLeader).toBe(true)
      expect(b?.leadership?.term).toBeGreaterThan(a?.leadership?.term ?? 0)
      expect(await elections.leader('scheduler')).toMatchObject({
        candidate: 'b',
        term: b?.leadership?.term,
      })
    })
  })

  test('the next one leads within the ttl of a leader that died, and a dead candidate is passed over', async () => {
    await simulate(async ({ world }, bed) => {
      const a = contender(bed, 'a')
      await sleep(world, 100)
      const b = contender(bed, 'b')
      await sleep(world, 100)
      const c = contender(bed, 'c')
      await sleep(world, 1_000)
      a.process.crash()
      b.process.crash()
      const startMs = world.clock.monotonicMs()
      await untilTrue(world, () => c.seen.leadership?.isLeader === true)
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(5_700)
      expect(b.seen.leadership).toBeUndefined()
    })
  })

  test('observers see the leaders in order, terms that only grow, values, and the seat when it is empty', async () => {
    await simulate(async ({ store, world }, bed) => {
      const elections = new ElectionService({ store, world })
      const states: ElectionState[] = []
      const stop = new AbortController()
      const observing = (async () => {
        for await (const state of elections.observe('scheduler', { signal: stop.signal })) states.push(state)
      })()
      await sleep(world, 100)
      contender(bed, 'a', async (leadership, app) => {
        await sleep(app.world, 500)
        await leadership.proclaim('busy')
        await sleep(app.world, 500)
        await leadership.resign()
      })
      await sleep(world, 2_000)
      const b = contender(bed, 'b')
      await sleep(world, 1_000)
      b.process.crash()
      await sleep(world, 10_000)
      stop.abort()
      await observing
      const told = states.map(({ leader }) => leader && `${leader.candidate}: ${leader.value}`)
      expect(told).toEqual([undefined, 'a: at a', 'a: busy', undefined, 'b: at b', undefined])
      const terms = states.flatMap(({ leader }) => leader?.term ?? [])
      expect(terms).toEqual([...terms].sort((x, y) => x - y))
      expect(new Set(terms).size).toBe(2)
      const revisions = states.map(({ revision }) => revision)
      expect(revisions).toEqual([...revisions].sort((x, y) => x - y))
    })
  })

  test('an observer that does not read meets the leader of now, not one that is known to be gone', async () => {
    await simulate(async ({ store, world }, bed) => {
      const elections = new ElectionService({ store, world })
      const states = elections.observe('scheduler')[Symbol.asyncIterator]()
      expect((await states.next()).value).toMatchObject({ leader: undefined })
      for (const name of ['a', 'b', 'c']) {
        contender(bed, name, async (leadership, app) => {
          await sleep(app.world, 500)
          if (name !== 'c') await leadership.resign()
        })
        await sleep(world, 1_000)
      }
      expect((await states.next()).value).toMatchObject({ leader: { candidate: 'c' } })
      await states.return?.()
    })
  })

  test('a leader cut off from the store stops before another leads, and its writes are refused', async () => {
    await simulate(async ({ store, world }, bed) => {
      const a = contender(bed, 'a')
      await sleep(world, 500)
      const b = contender(bed, 'b')
      await sleep(world, 500)
      bed.simulation.network.isolate('a')
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
    await simulate(async ({ store, world }, bed) => {
      const contenders = []
      for (const name of ['a', 'b', 'c']) {
        contenders.push(contender(bed, name))
        await sleep(world, 200)
      }
      const [a, b, c] = contenders.map(({ seen }) => seen)
      const first = a?.leadership as Leadership
      await expect(first.transfer('nobody')).rejects.toMatchObject({ code: 'not-found' })
      expect(first.isLeader).toBe(true)
      await first.transfer('c')
      expect(first.isLeader).toBe(false)
      await sleep(world, 200)
      expect(c?.leadership?.isLeader).toBe(true)
      expect(c?.leadership?.term).toBeGreaterThan(first.term)
      expect(first.lost.aborted).toBe(false)
      await c?.leadership?.resign()
      await sleep(world, 200)
      expect(b?.leadership?.isLeader).toBe(true)
      expect(b?.leadership?.term).toBeGreaterThan(c?.leadership?.term ?? 0)
      expect(await keysUnder(store, '/althing/elections/')).toEqual(['/althing/elections/scheduler/leader'])
    })
  })

  test('an heir that dies before it has taken over does not keep the seat', async () => {
    await simulate(async ({ world }, bed) => {
      const a = contender(bed, 'a')
      await sleep(world, 200)
      const b = contender(bed, 'b')
      await sleep(world, 200)
      const c = contender(bed, 'c')
      await sleep(world, 200)
      c.process.crash()
      await a.seen.leadership?.transfer('c')
      await untilTrue(world, () => b.seen.leadership?.isLeader === true)
    })
  })

  test('an abort ends a campaign and leaves nothing behind', async () => {
    await simulate(async ({ store, world }, bed) => {
      contender(bed, 'a')
      await sleep(world, 200)
      const elections = new ElectionService({ store, world })
      const controller = new AbortController()
      world.timers.after(1_000, () => controller.abort())
      const campaign = elections.campaign('scheduler', { signal: controller.signal })
      await expect(campaign).rejects.toMatchObject({ code: 'aborted' })
      expect(await elections.candidates('scheduler')).toEqual([])
      expect(await store.leases()).toHaveLength(1)
    })
  })

  test('two candidates of one name: the second is refused', async () => {
    await simulate(async ({ store, world }, bed) => {
      contender(bed, 'a')
      await sleep(world, 200)
      contender(bed, 'b')
      await sleep(world, 200)
      const elections = new ElectionService({ store, world })
      await expect(elections.campaign('scheduler', { candidate: 'b' })).rejects.toMatchObject({
        code: 'conflict',
      })
    })
  })

  test('a campaign outlasts an outage of the store that is longer than its ttl', async () => {
    await simulate(async ({ world }, bed) => {
      contender(bed, 'a')
      await sleep(world, 200)
      const b = contender(bed, 'b')
      await sleep(world, 200)
      const heal = bed.simulation.network.isolate('b')
      await sleep(world, 20_000)
      heal()
      await sleep(world, 5_000)
      bed.process('a').crash()
      await untilTrue(world, () => b.seen.leadership?.isLeader === true)
    })
  })

  test('close resigns and ends campaigns', async () => {
    await simulate(async ({ store, world }) => {
      const elections = new ElectionService({ store, world })
      const leadership = await elections.campaign('scheduler')
      const waiting = elections.campaign('scheduler')
      waiting.catch(() => {})
      await sleep(world, 200)
      await elections.close()
      await expect(waiting).rejects.toMatchObject({ code: 'closed' })
      expect(leadership.isLeader).toBe(false)
      await sleep(world, 2_000)
      expect(await keysUnder(store, '/althing/')).toEqual([])
    })
  })

  test('a leader whose key an operator removes is told', async () => {
    await simulate(async ({ store, world }) => {
      const leadership = await new ElectionService({ store, world }).campaign('scheduler')
      await sleep(world, 2_000)
      await store.txn({ then: [{ op: 'delete', key: leadership.fence.key }] })
      expect(await aborted(leadership.lost)).toMatchObject({ code: 'lost', details: { cause: 'removed' } })
    })
  })
})
