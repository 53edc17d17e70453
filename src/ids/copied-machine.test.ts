import { expect, test } from 'vitest'
import type { Store, TxnReply } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { LeaseKeeper } from '../coordination/leases/lease-keeper.ts'
import { type App, eventually, overriding, sleep, withBed } from '../coordination/test-bed.test-support.ts'
import { layoutOf, parseSnowflake } from '../protocols/snowflake/layout.ts'
import { LeasedWorker, type LeasedWorkerOptions } from './leased-worker.ts'
import { LeasedWorkers } from './leased-workers.ts'
import { timingOf } from './generator-timing.ts'
import { TenuredGenerator } from './snowflake-generator.ts'
import type { Tenure, TenureSource } from './tenure.ts'
import { WorkerKeys } from './worker-records.ts'

const layout = layoutOf()
const reserveMs = 1_000

function idTime(world: World): number {
  return world.clock.wallMs() - layout.epochMs
}

/** A worker id, and all that its holder has in memory. */
async function claimed({ store, world }: App, keeper: LeaseKeeper): Promise<LeasedWorkerOptions> {
  const from = idTime(world)
  const keys = new WorkerKeys('copied')
  const lease = await keeper.keep('10s')
  const [heldKey, markKey] = [keys.held(0, 7), keys.mark(0, 7)]
  const mark = Buffer.from(JSON.stringify({ until: from + reserveMs, token: 0, nonce: 'first' }))
  const { revision } = await store.txn({
    then: [
      { op: 'put', key: heldKey, value: Buffer.from('[]'), lease: lease.id },
      { op: 'put', key: markKey, value: mark },
    ],
  })
  const window = { from, until: from + reserveMs }
  return { store, world, lease, worker: 7, window, token: revision, heldKey, markKey }
}

/** What the copy has at first is `tenure`; what it claims later is its own. */
function generatorWith(app: App, keeper: LeaseKeeper, tenure: Tenure): Promise<TenuredGenerator> {
  const { store, world } = app
  const keys = new WorkerKeys('copied')
  const own = new LeasedWorkers({
    ...{ store, world, keeper, keys, datacentre: 0, workers: 32, ttlMs: 10_000, label: 'copy' },
  })
  const first = [tenure]
  const source: TenureSource = {
    claim: async (request, options) => first.pop() ?? (await own.claim(request, options)),
    close: async () => {},
  }
  const timing = timingOf({ reserve: reserveMs })
  return TenuredGenerator.open({ world, source, layout, datacentre: 0, timing })
}

/** The store answers a copy's transaction as if it were the original's: the same session, the same number. */
function withSessionOf(
  store: Store,
  replies: TxnReply[],
): { readonly original: Store; readonly copy: Store } {
  const original = overriding(store, {
    txn: async (request, options) => {
      const reply = await store.txn(request, options)
      replies.push(reply)
      return reply
    },
  })
  const copy = overriding(store, {
    txn: async (request, options) => replies.shift() ?? (await store.txn(request, options)),
  })
  return { original, copy }
}

test('of two copies of one machine only one is given more time, and the other asks for another worker id', async () => {
  await withBed(async (app) => {
    const keeper = new LeaseKeeper(app.store, app.world)
    const memory = await claimed(app, keeper)
    const [a, b] = [new LeasedWorker(memory), new LeasedWorker(memory)]
    const until = memory.window.until + 500
    const results = await Promise.allSettled([a.extend(until), b.extend(until)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect([a.isHeld, b.isHeld].toSorted()).toEqual([false, true])
    expect([a, b].filter(({ lost }) => lost.aborted)).toHaveLength(1)
    await keeper.close()
  })
})

test('a copy whose session the store takes for that of the original does not believe the answer', async () => {
  await withBed(async (app) => {
    const keeper = new LeaseKeeper(app.store, app.world)
    const memory = await claimed(app, keeper)
    const { original, copy } = withSessionOf(app.store, [])
    const [a, b] = [
      new LeasedWorker({ ...memory, store: original }),
      new LeasedWorker({ ...memory, store: copy }),
    ]
    const until = memory.window.until + 500
    await a.extend(until)
    await sleep(app.world, 5)
    await expect(b.extend(until)).rejects.toMatchObject({ code: 'stale-token' })
    await a.extend(until + 500)
    await keeper.close()
  })
})

test('a machine is copied with its memory and wakes later: no id twice, and both go on', async () => {
  await withBed(async (app) => {
    const keeper = new LeaseKeeper(app.store, app.world)
    const memory = await claimed(app, keeper)
    const original = await generatorWith(app, keeper, new LeasedWorker(memory))
    const given: bigint[] = []
    const giveAll = async (ids: TenuredGenerator, forMs: number): Promise<void> => {
      const endMs = app.world.clock.monotonicMs() + forMs
      while (app.world.clock.monotonicMs() < endMs) {
        for (let i = 0; i < 5; i++) given.push(await ids.nextAsync({ timeout: '30s' }))
        await sleep(app.world, 10)
      }
    }
    await giveAll(original, reserveMs + 200)
    const copy = await generatorWith(app, keeper, new LeasedWorker(memory))
    await Promise.all([giveAll(original, 3_000), giveAll(copy, 3_000)])
    expect(new Set(given).size).toBe(given.length)
    await original.close()
    await copy.close()
    await keeper.close()
  })
})

test('a machine is copied and does not notice: ids can be the same only up to the mark, and none after renew', async () => {
  await withBed(async (app) => {
    const keeper = new LeaseKeeper(app.store, app.world)
    const memory = await claimed(app, keeper)
    const original = await generatorWith(app, keeper, new LeasedWorker(memory))
    const copy = await generatorWith(app, keeper, new LeasedWorker(memory))
    const renewed = await generatorWith(app, keeper, new LeasedWorker(memory))
    await renewed.renew()
    const given = new Map<bigint, string>()
    const twice: bigint[] = []
    const give = async (name: string, ids: TenuredGenerator): Promise<void> => {
      const id = await ids.nextAsync({ timeout: '30s' })
      if (given.has(id)) twice.push(id)
      expect(name === 'renewed' && given.has(id)).toBe(false)
      given.set(id, name)
    }
    for (let i = 0; i < 100; i++) {
      await give('original', original)
      await give('copy', copy)
      await give('renewed', renewed)
      await sleep(app.world, 40)
    }
    for (const id of twice) expect(parseSnowflake(id).time).toBeLessThan(memory.window.until)
    await eventually(app.world, () =>
      expect(new Set([original, copy, renewed].map(({ hold }) => hold?.worker)).size).toBe(3),
    )
    for (const ids of [original, copy, renewed]) await ids.close()
    await keeper.close()
  })
})
