import { expect, test } from 'vitest'
import { bytesFromText } from '../base/bytes.ts'
import { AcceptanceNotices, acceptedPrefix, acceptedWeaknesses } from './accepted-weaknesses.ts'
import { LeaseKeeper } from './leases/lease-keeper.ts'
import { eventually, keysUnder, sleep, withBed } from './test-bed.test-support.ts'

test('what a program has accepted stands in the store while it runs, and goes when it closes or dies', async () => {
  await withBed(async ({ store, world }, bed) => {
    const told = async () =>
      (await acceptedWeaknesses(store)).map(({ recipe, program }) => `${recipe} by ${program}`)
    const mortal = bed.spawn('mortal', async (app) => {
      const keeper = new LeaseKeeper(app.store, app.world)
      new AcceptanceNotices({ ...app, keeper, program: 'b' }).publish('lock', ['fencing'])
    })
    const notices = new AcceptanceNotices({
      store,
      world,
      keeper: new LeaseKeeper(store, world),
      program: 'a',
    })
    notices.publish('discovery', ['linearizable', 'fencing'])
    await eventually(world, async () => expect(await told()).toEqual(['discovery by a', 'lock by b']))
    const [first] = await acceptedWeaknesses(store)
    expect(first?.missing).toEqual(['linearizable', 'fencing'])
    await notices.close()
    expect(await told()).toEqual(['lock by b'])
    mortal.crash()
    await sleep(world, 20_000)
    expect(await told()).toEqual(['lock by b'])
    await sleep(world, 12_000 + bed.lateMs)
    expect(await keysUnder(store, acceptedPrefix)).toEqual([])
  })
})

test('it is told again when its lease was lost', async () => {
  await withBed(async ({ store, world }) => {
    const notices = new AcceptanceNotices({
      store,
      world,
      keeper: new LeaseKeeper(store, world),
      program: 'a',
    })
    notices.publish('lock', ['fencing'])
    await eventually(world, async () => expect(await acceptedWeaknesses(store)).toHaveLength(1))
    const [lease] = await store.leases()
    await store.revokeLease(lease?.lease ?? 0)
    expect(await acceptedWeaknesses(store)).toEqual([])
    await eventually(world, async () => expect(await acceptedWeaknesses(store)).toHaveLength(1))
    await notices.close()
    expect(await store.leases()).toEqual([])
  })
})

test('an entry that cannot be read harms no other', async () => {
  await withBed(async ({ store }) => {
    const good = { recipe: 'lock', missing: ['fencing'], program: 'a', sinceMs: 1 }
    const values = [
      '{',
      'null',
      '{"recipe":1}',
      JSON.stringify({ ...good, missing: [1] }),
      JSON.stringify(good),
    ]
    for (const [n, value] of values.entries()) {
      const key = `${acceptedPrefix}lock/${n}`
      await store.txn({ then: [{ op: 'put', key, value: bytesFromText(value) }] })
    }
    expect(await acceptedWeaknesses(store)).toEqual([good])
  })
})
