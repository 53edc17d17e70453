import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { Store, TxnRequest } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { openLocalStore } from '../engines/local/local-store.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { Migration, type MigrationOptions } from './migration.ts'

async function inWorld(body: (world: World) => Promise<void>, seed = 1): Promise<void> {
  const simulation = new Simulation({ seed })
  let isDone = false
  simulation.process('migration', async (world) => {
    await body(world)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 600_000 })
}

/** An old store that is full of history, and a new one that has none. */
async function withStores(
  body: (from: Store, to: Store, world: World) => Promise<void>,
  seed = 1,
): Promise<void> {
  await inWorld(async (world) => {
    const from = await openLocalStore({ world })
    const to = await openLocalStore({ world })
    await body(from, to, world)
    await from.close()
    await to.close()
  }, seed)
}

const put = (store: Store, key: string, value: string, lease = 0): Promise<unknown> =>
  store.txn({ then: [{ op: 'put', key, value: bytesFromText(value), lease }] })

async function content(store: Store): Promise<Record<string, string>> {
  const { kvs } = await store.range({ key: '\u0001', end: null })
  return Object.fromEntries(
    kvs.filter(({ key }) => key > '\u0002').map(({ key, value }) => [key, textFromBytes(value)]),
  )
}

const sleep = (world: World, ms: number): Promise<void> =>
  new Promise((resolve) => world.timers.after(ms, resolve))

/** Writes, deletes and overwrites as long as it is let. */
function writer(store: Store, world: World): { stop(): Promise<number> } {
  let isStopped = false
  let writes = 0
  const work = (async () => {
    while (!isStopped) {
      const key = `k${world.random.integer(0, 40)}`
      const then = [
        { op: 'put' as const, key, value: bytesFromText(String(writes)) },
        { op: 'delete' as const, key: `k${world.random.integer(41, 60)}` },
        { op: 'put' as const, key: `k${world.random.integer(61, 70)}`, value: bytesFromText(`${writes}!`) },
      ]
      await store.txn({ then })
      writes++
      await sleep(world, world.random.integer(1, 20))
    }
    return writes
  })()
  return {
    stop: () => {
      isStopped = true
      return work
    },
  }
}

async function following(
  options: MigrationOptions,
  body: () => Promise<void>,
): Promise<{ readonly ended: unknown }> {
  const abort = new AbortController()
  const migration = await Migration.begin(options)
  const ended = migration.follow(abort.signal).then(
    () => 'ended',
    (error: unknown) => error,
  )
  await body()
  abort.abort()
  return { ended: await ended }
}

describe('a migration', () => {
  test('raises the new store past the old one while programs still write, so that the hand-over need not', async () => {
    await withStores(async (from, to, world) => {
      for (let n = 0; n < 300; n++) await put(from, 'counter', String(n))
      const steps: string[] = []
      const progressed: MigrationOptions['progressed'] = ({ step }) => {
        steps.push(step)
      }
      await following({ from, to, world, progressed }, async () => {
        while (steps.at(-1) !== 'following') {
          await put(from, 'counter', 'more')
          await sleep(world, 50)
        }
      })
      const { revision } = await from.range({ key: 'counter' })
      const { revision: raised } = await to.range({ key: 'counter' })
      expect(raised).toBeGreaterThan(revision - 10)
      expect(raised).toBeGreaterThan(300)
      steps.length = 0
      const migration = await Migration.begin({ from, to, world, progressed })
      expect((await migration.cutOver()).newRevision).toBeGreaterThan(revision)
      expect(steps).not.toContain('raising')
    })
  })

  test('copies what is there, follows what is written meanwhile, and hands over a store that is equal and further on', async () => {
    await withStores(async (from, to, world) => {
      for (let n = 0; n < 1_200; n++) await put(from, `before${n}`, String(n))
      const writes = writer(from, world)
      await following({ from, to, world }, async () => {
        await sleep(world, 3_000)
        expect(await writes.stop()).toBeGreaterThan(50)
        await sleep(world, 100)
        // Already while it follows nothing is missing.
        expect(await content(to)).toEqual(await content(from))
      })
      const report = await (await Migration.begin({ from, to, world })).cutOver()
      expect(await content(to)).toEqual(await content(from))
      expect(report).toMatchObject({ keys: Object.keys(await content(from)).length, passes: 1, leased: 0 })
      expect(report.newRevision).toBeGreaterThan(report.revision)
      const left = await to.range({ key: '\u0001', end: '\u0002' })
      expect(left.count).toBe(0)
    })
  })

  test('is taken up where it ended, again and again', async () => {
    for (let seed = 1; seed <= 10; seed++)
      await withStores(async (from, to, world) => {
        for (let n = 0; n < 1_500; n++) await put(from, `before${n}`, String(n))
        const writes = writer(from, world)
        for (let run = 0; run < 6; run++)
          await following({ from, to, world }, () => sleep(world, world.random.integer(0, 60)))
        await writes.stop()
        const report = await (await Migration.begin({ from, to, world })).cutOver()
        expect(await content(to)).toEqual(await content(from))
        expect(report.passes).toBeLessThan(4)
      }, seed)
  })

  test('begins anew where the old store has forgotten what it was at', async () => {
    await withStores(async (from, to, world) => {
      for (let n = 0; n < 1_200; n++) await put(from, `before${n}`, String(n))
      await following({ from, to, world }, () => sleep(world, 500))
      await from.txn({ then: [{ op: 'delete', key: 'before', end: 'before5' }] })
      for (let n = 0; n < 300; n++) await put(from, `later${n}`, String(n))
      const { revision } = await from.range({ key: 'x' })
      await from.compact(revision)
      await following({ from, to, world }, () => sleep(world, 1_000))
      expect(await content(to)).toEqual(await content(from))
    })
  })

  test('writes exactly once, though answers are lost and what was given up arrives late', async () => {
    for (let seed = 1; seed <= 10; seed++)
      await withStores(async (from, to, world) => {
        const late: Promise<unknown>[] = []
        const txn = (request: TxnRequest): ReturnType<Store['txn']> => {
          const dice = world.random.float()
          if (dice > 0.3) return to.txn(request)
          const lost = new AlthingError('unavailable', 'lost', { outcome: 'unknown', retryable: true })
          const waitMs = dice < 0.15 ? 0 : 1_000
          late.push(sleep(world, waitMs).then(() => to.txn(request)))
          return Promise.reject(lost)
        }
        const unreliable = Object.assign(Object.create(to) as Store, { txn })
        Object.assign(unreliable, { range: to.range.bind(to) })
        for (let n = 0; n < 300; n++) await put(from, `before${n}`, String(n))
        const writes = writer(from, world)
        await following({ from, to: unreliable, world }, () => sleep(world, 5_000))
        await writes.stop()
        await (await Migration.begin({ from, to: unreliable, world })).cutOver()
        await sleep(world, 2_000)
        await Promise.allSettled(late)
        expect(late.length).toBeGreaterThan(3)
        expect(await content(to)).toEqual(await content(from))
      }, seed)
  })

  test('a run that another has followed changes nothing any more, and ends', async () => {
    await withStores(async (from, to, world) => {
      await put(from, 'a', '1')
      const { ended } = await following({ from, to, world }, async () => {
        await sleep(world, 200)
        await Migration.begin({ from, to, world })
        await put(from, 'a', '2')
        await sleep(world, 200)
      })
      expect(ended).toMatchObject({ code: 'conflict', outcome: 'none' })
      expect(await content(to)).toEqual({ a: '1' })
    })
  })

  test('leaves keys on leases to those who hold them', async () => {
    await withStores(async (from, to, world) => {
      const { lease } = await from.grantLease({ ttlMs: 60_000 })
      await put(from, 'held', '1', lease)
      await put(from, 'kept', '1')
      await put(from, 'was kept', '1')
      await following({ from, to, world }, async () => {
        await sleep(world, 200)
        await put(from, 'was kept', '2', lease)
        await sleep(world, 200)
      })
      expect(await content(to)).toEqual({ kept: '1' })
      const report = await (await Migration.begin({ from, to, world })).cutOver()
      expect(report).toMatchObject({ keys: 1, leased: 2 })
    })
  })

  test('does not hand over while somebody writes', async () => {
    await withStores(async (from, to, world) => {
      await put(from, 'a', '0')
      let reads = 0
      let isBusy = (): boolean => true
      // Between any two reads of the migration somebody else is served.
      const busy = Object.assign(Object.create(from) as Store, {
        txn: from.txn.bind(from),
        range: async (...call: Parameters<Store['range']>) => {
          const reply = await from.range(...call)
          if (call[0].limit !== undefined && isBusy()) await put(from, 'a', String(++reads))
          return reply
        },
      })
      const migration = await Migration.begin({ from: busy, to, world })
      await expect(migration.cutOver()).rejects.toMatchObject({ code: 'conflict', outcome: 'none' })
      // The last write comes when nothing differs any more, just after the comparison has read.
      const last = reads + 2
      isBusy = () => ++reads === last
      expect((await (await Migration.begin({ from: busy, to, world })).cutOver()).passes).toBe(4)
      expect(await content(to)).toEqual(await content(from))
    })
  })

  test('refuses a store that has keys, unless they may make way; and goes back', async () => {
    await withStores(async (from, to, world) => {
      await put(from, 'a', '1')
      await put(to, 'b', '2')
      await expect(Migration.begin({ from, to, world })).rejects.toMatchObject({
        code: 'conflict',
        outcome: 'none',
      })
      expect(await content(to)).toEqual({ b: '2' })
      await (await Migration.begin({ from, to, world, replace: true })).cutOver()
      expect(await content(to)).toEqual({ a: '1' })
      await put(to, 'a', '3')
      await expect(Migration.begin({ from: to, to: from, world })).rejects.toMatchObject({ code: 'conflict' })
      const back = await Migration.begin({ from: to, to: from, world, replace: true })
      expect((await back.cutOver()).newRevision).toBeGreaterThan((await to.range({ key: 'a' })).revision - 2)
      expect(await content(from)).toEqual({ a: '3' })
    })
  })
})
