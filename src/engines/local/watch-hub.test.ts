import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { KeyRange, WatchBatch, WatchRequest } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import type { StoreMutation } from '../../models/store/types.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { type Watcher, WatchHub } from './watch-hub.ts'

/** Takes batches until told to be full. */
class TestSink {
  readonly batches: WatchBatch[] = []
  isFull = false
  push(batch: WatchBatch): boolean {
    this.batches.push(batch)
    return !this.isFull
  }
  get revisions(): number[] {
    return this.batches.flatMap((batch) =>
      batch.kind === 'events'
        ? batch.events.map((event) => (event.type === 'put' ? event.kv.modRevision : event.modRevision))
        : [],
    )
  }
}

class Bench {
  readonly world: World
  readonly model = new StoreModel()
  readonly hub: WatchHub

  constructor(world: World) {
    this.world = world
    this.hub = new WatchHub(world, this.model)
  }

  apply(mutation: StoreMutation): void {
    const { change } = this.model.applyWithChange({ session: 0, sequence: 0, acknowledged: 0, ...mutation })
    if (change !== undefined) this.hub.publish(change)
  }

  put(...keys: string[]): void {
    const then = keys.map((key) => ({ op: 'put', key, value: bytesFromText('v') }) as const)
    this.apply({ type: 'txn', compare: [], then, else: [] })
  }

  watch(request: WatchRequest): { sink: TestSink; watcher: Watcher } {
    const sink = new TestSink()
    return { sink, watcher: this.hub.add(request, sink) }
  }

  readonly sleep = (ms: number) => new Promise<void>((resolve) => this.world.timers.after(ms, resolve))
}

async function withHub(body: (bench: Bench) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world) => {
    const bench = new Bench(world)
    await body(bench)
    bench.hub.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 600_000 })
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('watch hub', () => {
  test('a watcher gets each later change of its range once, whole revisions together', async () => {
    await withHub(async (bench) => {
      bench.put('a')
      const all = bench.watch({ key: 'b', end: 'd' }).sink
      const one = bench.watch({ key: 'c' }).sink
      bench.put('a', 'b', 'c', 'd')
      bench.put('d')
      bench.apply({ type: 'txn', compare: [], then: [{ op: 'delete', key: '', end: null }], else: [] })
      expect(all.batches.map(({ kind, revision }) => [kind, revision])).toEqual([
        ['created', 2],
        ['events', 3],
        ['events', 5],
      ])
      expect(all.revisions).toEqual([3, 3, 5, 5])
      expect(one.revisions).toEqual([3, 5])
    })
  })

  test('events carry the version before only where it was asked for', async () => {
    await withHub(async (bench) => {
      bench.put('a')
      const withPrevious = bench.watch({ key: 'a', previous: true }).sink
      const without = bench.watch({ key: 'a' }).sink
      const late = (previous: boolean) => bench.watch({ key: 'a', fromRevision: 3, previous }).sink
      bench.put('a')
      const [lateWith, lateWithout] = [late(true), late(false)]
      await bench.sleep(1)
      const previous = ({ batches }: TestSink) =>
        batches.flatMap((batch) =>
          batch.kind === 'events' ? batch.events.map((e) => e.previous?.modRevision) : [],
        )
      expect([withPrevious, without, lateWith, lateWithout].map(previous)).toEqual([
        [2],
        [undefined],
        [2],
        [undefined],
      ])
    })
  })

  test('history and present join without gap or double, however changes fall between', async () => {
    await withHub(async (bench) => {
      for (let i = 0; i < 3_500; i++) bench.put('k')
      const { sink } = bench.watch({ key: 'k', fromRevision: 2 })
      for (let i = 0; i < 500; i++) {
        bench.put('k')
        if (i % 7 === 0) await bench.sleep(0.01)
      }
      await bench.sleep(10)
      expect(sink.revisions).toEqual(numbers(2, 4_001))
    })
  })

  test('a paused watcher is pushed nothing, and goes on where it stopped', async () => {
    await withHub(async (bench) => {
      const { sink, watcher } = bench.watch({ key: 'k' })
      bench.put('k')
      sink.isFull = true
      bench.put('k')
      const count = sink.batches.length
      for (let i = 0; i < 2_000; i++) bench.put('k')
      await bench.sleep(5)
      expect(sink.batches.length).toBe(count)
      sink.isFull = false
      watcher.resume()
      bench.put('k')
      await bench.sleep(5)
      bench.put('k')
      expect(sink.revisions).toEqual(numbers(2, 2_005))
    })
  })

  test('what was compacted meanwhile is told as a resync: the whole range, then the changes after it', async () => {
    await withHub(async (bench) => {
      const { sink, watcher } = bench.watch({ key: 'k', end: 'l' })
      sink.isFull = true
      bench.put('k1')
      bench.put('k2', 'other')
      bench.put('k1')
      bench.apply({ type: 'compact', revision: 4 })
      sink.isFull = false
      watcher.resume()
      bench.put('k3')
      await bench.sleep(5)
      const resync = sink.batches.find((batch) => batch.kind === 'resync')
      expect(resync).toMatchObject({ kind: 'resync', fromRevision: 3, revision: 4 })
      expect(resync?.kind === 'resync' && resync.kvs.map((kv) => kv.key)).toEqual(['k1', 'k2'])
      expect(sink.batches.at(-1)).toMatchObject({ kind: 'events', revision: 5 })
    })
  })

  test('a resync holds the whole range, however many replies that takes', async () => {
    await withHub(async (bench) => {
      const value = new Uint8Array(1024 * 1024)
      for (let i = 0; i < 20; i++)
        bench.apply({
          type: 'txn',
          compare: [],
          then: [{ op: 'put', key: `k${i}`.padEnd(4), value }],
          else: [],
        })
      bench.apply({ type: 'compact', revision: 21 })
      const { sink } = bench.watch({ key: 'k', end: 'l', fromRevision: 5 })
      expect(sink.batches[1]).toMatchObject({ kind: 'resync', revision: 21 })
      expect(sink.batches[1]?.kind === 'resync' && sink.batches[1].kvs.length).toBe(20)
    })
  })

  test('a copy that was replaced by a newer one goes on from its history, or with a resync where that is gone', async () => {
    await withHub(async (bench) => {
      bench.put('k')
      const watched = bench.watch({ key: 'k' }).sink
      const newer = new StoreModel()
      newer.restore(bench.model.snapshot())
      const put = { op: 'put', key: 'k', value: bytesFromText('v') } as const
      const apply = (mutation: StoreMutation) =>
        newer.apply({ session: 0, sequence: 0, acknowledged: 0, ...mutation })
      for (let i = 0; i < 3; i++) apply({ type: 'txn', compare: [], then: [put], else: [] })
      bench.model.restore(newer.snapshot())
      bench.hub.replaced()
      await bench.sleep(5)
      bench.put('k')
      expect(watched.revisions).toEqual([3, 4, 5, 6])
      for (let i = 0; i < 3; i++) apply({ type: 'txn', compare: [], then: [put], else: [] })
      apply({ type: 'compact', revision: 8 })
      bench.model.restore(newer.snapshot())
      bench.hub.replaced()
      await bench.sleep(5)
      expect(watched.batches.at(-1)).toMatchObject({ kind: 'resync', fromRevision: 7, revision: 8 })
    })
  })

  test('progress is told only to a watcher that has everything', async () => {
    await withHub(async (bench) => {
      const { sink } = bench.watch({ key: 'k', progressMs: 1_000 })
      const ahead = bench.watch({ key: 'k', fromRevision: 100, progressMs: 1_000 }).sink
      const paused = bench.watch({ key: 'k', progressMs: 1_000 })
      paused.sink.isFull = true
      bench.put('k')
      bench.put('other')
      await bench.sleep(5_000)
      const progress = (of: TestSink) => of.batches.filter((batch) => batch.kind === 'progress')
      expect(progress(sink)[0]).toEqual({ kind: 'progress', revision: 3 })
      expect(progress(sink).length).toBeGreaterThanOrEqual(3)
      expect(progress(ahead)).toEqual([])
      expect(progress(paused.sink)).toEqual([])
    })
  })

  test('a watch from a revision to come is silent until then', async () => {
    await withHub(async (bench) => {
      const { sink } = bench.watch({ key: 'k', fromRevision: 5 })
      for (let i = 0; i < 6; i++) bench.put('k')
      expect(sink.revisions).toEqual([5, 6, 7])
    })
  })

  test('thousands of watchers come and go, and nothing is left of them', async () => {
    await withHub(async (bench) => {
      const watchers = Array.from({ length: 5_000 }, (_, i) => bench.watch({ key: `k${i % 100}` }))
      expect(bench.hub.size).toBe(5_000)
      bench.put('k7')
      expect(watchers.filter(({ sink }) => sink.revisions.length === 1).length).toBe(50)
      for (const { watcher } of watchers) watcher.close()
      for (const { watcher } of watchers) watcher.resume()
      expect(bench.hub.size).toBe(0)
      bench.put('k7')
      expect(watchers.every(({ sink }) => sink.revisions.length <= 1)).toBe(true)
    })
  })

  test('watchers of one range are given the same batch', async () => {
    await withHub(async (bench) => {
      const many = (count: number, key: string) =>
        Array.from({ length: count }, () => bench.watch({ key, end: `${key}~` }).sink)
      for (const sinks of [many(3, 'few/'), many(200, 'many/')]) {
        bench.put('few/1', 'many/1')
        await bench.sleep(5)
        expect(new Set(sinks.map(({ batches }) => batches.at(-1))).size).toBe(1)
      }
    })
  })

  test('a crowd on one range: each gets every change once and in order, whoever comes, goes, stops or resumes between', async () => {
    await withHub(async (bench) => {
      const crowd = Array.from({ length: 1_800 }, () => bench.watch({ key: 'k', end: 'l' }))
      const [leaving, slow] = [crowd[1_000], crowd[1_700]]
      if (leaving === undefined || slow === undefined) throw new Error('no crowd')
      const late: { from: number; sink: TestSink }[] = []
      slow.sink.isFull = true
      for (let i = 0; i < 300; i++) {
        bench.put('k1')
        if (i % 10 === 0)
          late.push({ from: bench.model.revision + 1, sink: bench.watch({ key: 'k', end: 'l' }).sink })
        if (i % 7 === 0) await bench.sleep(0)
        if (i === 100) leaving.watcher.close()
        if (i === 200) {
          slow.sink.isFull = false
          slow.watcher.resume()
        }
      }
      await bench.sleep(5)
      for (const { sink, watcher } of crowd) {
        if (watcher !== leaving.watcher) expect(sink.revisions).toEqual(numbers(2, 301))
      }
      for (const { from, sink } of late) expect(sink.revisions).toEqual(numbers(from, 301))
      expect(leaving.sink.revisions).toEqual(numbers(2, leaving.sink.revisions.length + 1))
      expect(bench.hub.stats).toMatchObject({ ranges: 1, setAside: 0, setAsideTotal: 1 })
      // Few batches: what was written while a round went on goes out together.
      expect(crowd[0]?.sink.batches.length).toBeLessThan(150)
    })
  })

  test('a crowd whose copy is replaced in the middle of a round loses nothing and gets nothing twice', async () => {
    await withHub(async (bench) => {
      const crowd = Array.from({ length: 1_200 }, () => bench.watch({ key: 'k' }).sink)
      for (let round = 0; round < 5; round++) {
        bench.put('k')
        await bench.sleep(0)
        bench.put('k')
        const newer = new StoreModel()
        newer.restore(bench.model.snapshot())
        const then = [{ op: 'put', key: 'k', value: bytesFromText('v') }] as const
        newer.apply({ session: 0, sequence: 0, acknowledged: 0, type: 'txn', compare: [], then, else: [] })
        bench.model.restore(newer.snapshot())
        bench.hub.replaced()
        await bench.sleep(5)
      }
      for (const sink of crowd) expect(sink.revisions).toEqual(numbers(2, 16))
    })
  })

  test('a crowd for which the history is compacted before its turn is told by a resync', async () => {
    await withHub(async (bench) => {
      const crowd = Array.from({ length: 100 }, () => bench.watch({ key: 'k' }).sink)
      bench.put('k')
      bench.put('k')
      bench.apply({ type: 'compact', revision: 3 })
      await bench.sleep(5)
      bench.put('k')
      await bench.sleep(5)
      for (const { batches } of crowd) {
        expect(batches.map(({ kind, revision }) => [kind, revision])).toEqual([
          ['created', 1],
          ['resync', 3],
          ['events', 4],
        ])
      }
    })
  })

  test('a resync says whether the watcher was slow, or came too late', async () => {
    await withHub(async (bench) => {
      const slow = bench.watch({ key: 'k' })
      slow.sink.isFull = true
      bench.put('k')
      bench.put('k')
      bench.apply({ type: 'compact', revision: 3 })
      slow.sink.isFull = false
      expect(bench.hub.stats).toMatchObject({ setAside: 1, setAsideTotal: 1, resyncsTotal: 0 })
      slow.watcher.resume()
      const late = bench.watch({ key: 'k', fromRevision: 2 }).sink
      await bench.sleep(5)
      expect(slow.sink.batches.at(-1)).toMatchObject({ kind: 'resync', reason: 'slow' })
      expect(late.batches.at(-1)).toMatchObject({ kind: 'resync', reason: 'compacted' })
      expect(bench.hub.stats).toMatchObject({ setAside: 0, setAsideTotal: 1, resyncsTotal: 2 })
    })
  })

  test('watchers that come back at the same place share what is read from the history', async () => {
    await withHub(async (bench) => {
      for (let i = 0; i < 50; i++) bench.put('k')
      const sinks = Array.from({ length: 20 }, () => bench.watch({ key: 'k', fromRevision: 10 }).sink)
      await bench.sleep(5)
      expect(new Set(sinks.map(({ batches }) => batches[1])).size).toBe(1)
      expect(sinks[0]?.revisions).toEqual(numbers(10, 51))
    })
  })

  test('any mixture of ranges gets exactly the events that lie in each', async () => {
    await withHub(async (bench) => {
      const keys = 'abcdefgh'.split('')
      const ranges = keys.flatMap((key, i) => [
        { key },
        { key, end: null },
        ...keys.slice(i).map((end) => ({ key, end })),
      ])
      const watched = ranges.map((range) => ({ range, sink: bench.watch(range).sink }))
      for (let i = 0; i < 60; i++) bench.put(keys[(i * 5) % 8] as string, keys[(i * 5 + 3) % 8] as string)
      await bench.sleep(5)
      const changes = bench.model.eventsBetween({ key: '', end: null }, 2, 61)
      for (const { range, sink } of watched) {
        const { end } = range as KeyRange
        const isIn = (key: string) =>
          end === undefined ? key === range.key : key >= range.key && (end === null || key < end)
        const expected = changes.flatMap(({ revision, events }) =>
          events.filter((event) => isIn(event.type === 'put' ? event.kv.key : event.key)).map(() => revision),
        )
        expect(sink.revisions).toEqual(expected)
      }
    })
  })

  test('more watchers than allowed are refused, and a place that was left can be taken', async () => {
    await withHub(async (bench) => {
      const hub = new WatchHub(bench.world, bench.model, { watchersMax: 2 })
      const sink = new TestSink()
      const first = hub.add({ key: 'a' }, sink)
      hub.add({ key: 'b' }, sink)
      expect(() => hub.add({ key: 'c' }, sink)).toThrow(expect.objectContaining({ code: 'overloaded' }))
      first.close()
      first.close()
      hub.add({ key: 'c' }, sink)
      expect(hub.size).toBe(2)
      hub.close()
      expect(hub.stats).toMatchObject({ watchers: 0, ranges: 0, setAside: 0 })
    })
  })

  test('bad requests are refused by name', async () => {
    await withHub(async (bench) => {
      const bad = [
        { key: 5 },
        { key: 'k', fromRevision: 0 },
        { key: 'k', fromRevision: 1.5 },
        { key: 'k', progressMs: -1 },
        { key: '\u0100' },
      ]
      for (const request of bad)
        expect(() => bench.watch(request as WatchRequest)).toThrow(
          expect.objectContaining({ code: 'invalid-argument' }),
        )
      expect(bench.hub.size).toBe(0)
    })
  })
})
