import { describe, expect, test } from 'vitest'
import type { World } from '../../../contracts/world.ts'
import { eventually, get, GrowingCluster, put, sleep, Writer } from '../growing-cluster.test-support.ts'
import { SystemStore } from '../system-store.ts'
import { type GroupDescriptor, groupKeys } from './group-descriptor.ts'

const leaderStableMs = 1_000

/** How many of the groups with these ids each running node leads. */
function leads(cluster: GrowingCluster, ids: readonly number[]): number[] {
  return cluster.running.map(
    ({ groups }) => ids.filter((id) => groups.get(id)?.group.role === 'leader').length,
  )
}

async function createGroups(cluster: GrowingCluster, world: World, count: number): Promise<number[]> {
  const ids: number[] = []
  for (let n = 0; n < count; n++) {
    const created = await cluster.operate(world, 'group.create', { name: `g${n}` })
    expect(created).toMatchObject({ isServing: true })
    ids.push(Number(created['id']))
  }
  return ids
}

describe('groups', () => {
  test('a group is created while clients write, serves a store of its own, and is removed', async () => {
    const cluster = new GrowingCluster(1)
    await cluster.client(async (world) => {
      const own = cluster.store(world)
      const writer = new Writer(own, world)
      await put(own, 'a', 'of the cluster')
      expect(await cluster.operate(world, 'group.create', { name: 'orders' })).toMatchObject({
        name: 'orders',
        isServing: true,
      })
      const orders = cluster.store(world, 'orders')
      await put(orders, 'a', 'of the group')
      expect(await get(orders, 'a')).toBe('of the group')
      expect(await get(own, 'a')).toBe('of the cluster')
      await cluster.operate(world, 'group.remove', { name: 'orders' })
      await eventually(world, 'it is gone', () => cluster.running.every(({ groups }) => groups.size === 1))
      await expect(get(orders, 'a')).rejects.toMatchObject({ code: 'not-found' })
      await writer.stop()
      await own.close()
      await orders.close()
    })
  })

  test('what a leader reports of an older plan is not taken: others may vote by then', async () => {
    const cluster = new GrowingCluster(18)
    await cluster.client(async (world) => {
      const [id = 0] = await createGroups(cluster, world, 1)
      const descriptor = () => {
        const { host } = cluster.leader ?? expect.fail('nobody leads')
        return new SystemStore(host).get<GroupDescriptor>(groupKeys.descriptor(id))
      }
      const { modRevision, value } = descriptor() ?? expect.fail('no descriptor')
      expect([...value.placed].sort()).toEqual([1, 2, 3])
      await cluster.operate(world, 'group.settled', { id, voters: [1], revision: modRevision - 1 })
      expect(descriptor()).toMatchObject({ modRevision, value })
    })
  })

  test('a name is taken once, and ids are not given again', async () => {
    const cluster = new GrowingCluster(2)
    await cluster.client(async (world) => {
      const { id } = await cluster.operate(world, 'group.create', { name: 'a' })
      expect(await cluster.refusal(world, 'group.create', { name: 'a' })).toMatchObject({ code: 'conflict' })
      await cluster.operate(world, 'group.remove', { name: 'a' })
      expect((await cluster.operate(world, 'group.create', { name: 'a' }))['id']).toBe(Number(id) + 1)
      for (const name of ['', 'default', 'A', 'a/b', 'x'.repeat(64)])
        expect(await cluster.refusal(world, 'group.create', { name })).toMatchObject({
          code: 'invalid-argument',
        })
      expect(await cluster.refusal(world, 'group.remove', { name: 'b' })).toMatchObject({ code: 'not-found' })
    })
  })

  test('leaders are spread over the nodes, and spread again after one was away', async () => {
    const cluster = new GrowingCluster(3, 3, { leaderStableMs })
    await cluster.client(async (world) => {
      const ids = await createGroups(cluster, world, 6)
      const isSpread = (): boolean => leads(cluster, ids).join() === '2,2,2'
      await eventually(world, 'the leaders are spread', isSpread)
      for (const victim of [1, 2, 3].map((id) => cluster.processOf(id))) {
        victim.crash()
        await eventually(world, 'the others lead as many each', () => leads(cluster, ids).join() === '3,3')
        await sleep(world, 10_000)
        expect(leads(cluster, ids)).toEqual([3, 3])
        victim.start()
        await eventually(world, 'the leaders are spread again', isSpread)
      }
      await sleep(world, 20_000)
      expect(leads(cluster, ids)).toEqual([2, 2, 2])
    })
  })

  test('what a group held survives the restart of all nodes', async () => {
    const cluster = new GrowingCluster(4)
    await cluster.client(async (world) => {
      await createGroups(cluster, world, 1)
      const before = cluster.store(world, 'g0')
      await put(before, 'a', '1')
      await before.close()
      for (const id of [1, 2, 3]) cluster.processOf(id).restart()
      await sleep(world, 5_000)
      const after = cluster.store(world, 'g0')
      expect(await get(after, 'a')).toBe('1')
      await after.close()
    })
  })

  test('a node that was down when groups came and went catches up with both', async () => {
    const cluster = new GrowingCluster(5)
    await cluster.client(async (world) => {
      await createGroups(cluster, world, 2)
      await sleep(world, 1_000)
      cluster.processOf(3).crash()
      await eventually(world, 'another one leads', () =>
        [1, 2].includes(cluster.nodes.get(1)?.host.group.leader ?? 0),
      )
      await cluster.operate(world, 'group.remove', { name: 'g0' }, 1)
      const { id } = await cluster.operate(world, 'group.create', { name: 'late', replicas: 2 }, 1)
      cluster.processOf(3).start()
      await eventually(world, 'it has what it should', () => {
        const node = cluster.running.find((each) => each.id === 3)
        return node?.status().isReady === true && [...node.groups.keys()].join() === '1,3'
      })
      expect(cluster.nodes.get(1)?.groups.has(Number(id))).toBe(true)
    })
  })

  test('copies of a node that is removed move to one that joined, without losing a write', async () => {
    const cluster = new GrowingCluster(6, 3, { leaderStableMs })
    await cluster.client(async (world) => {
      const ids = await createGroups(cluster, world, 3)
      const store = cluster.store(world, 'g1')
      const writer = new Writer(store, world)
      const joined = await cluster.addVoter(world)
      const removed = await cluster.operate(world, 'member.remove', { id: 2, waitMs: 30_000 }, 1)
      expect(removed).toEqual({ id: 2, isRemoved: true })
      await eventually(world, 'all copies are where they belong', () =>
        ids.every((id) => cluster.nodes.get(joined)?.groups.get(id)?.group.configuration.voters.length === 3),
      )
      expect(await writer.stop()).toBeGreaterThan(50)
      for (const id of ids) {
        const copy = cluster.nodes.get(joined)?.groups.get(id)
        expect([...(copy?.group.configuration.voters ?? [])].sort()).toEqual([1, 3, joined])
      }
      await store.close()
    })
  })

  test('a cluster grows and shrinks again: every group has all its copies, on members that had one before', async () => {
    const cluster = new GrowingCluster(8, 3, { leaderStableMs })
    await cluster.client(async (world) => {
      const ids = await createGroups(cluster, world, 6)
      const stores = ids.map((_, n) => cluster.store(world, `g${n}`))
      const writers = stores.map((store) => new Writer(store, world))
      const joined = [await cluster.addVoter(world), await cluster.addVoter(world)]
      const copiesOn = (id: number): number => (cluster.nodes.get(id)?.groups.size ?? 1) - 1
      await eventually(world, 'the copies are spread', () => [1, 2, 3].every((id) => copiesOn(id) < 5))
      for (const id of joined)
        expect(await cluster.operate(world, 'member.remove', { id, waitMs: 60_000 }, 1)).toMatchObject({
          isRemoved: true,
        })
      const isWhole = (id: number): boolean =>
        [1, 2, 3].every((node) => {
          const group = cluster.nodes.get(node)?.groups.get(id)?.group
          return [...(group?.configuration.voters ?? [])].sort().join() === '1,2,3'
        })
      await eventually(world, 'every group has all its copies', () => ids.every(isWhole))
      for (const writer of writers) expect(await writer.stop()).toBeGreaterThan(20)
      for (const store of stores) await store.close()
    })
  })

  test('a client of a group that the node it asks has no copy of is told where to go', async () => {
    const cluster = new GrowingCluster(7)
    await cluster.client(async (world) => {
      await cluster.operate(world, 'group.create', { name: 'one', replicas: 1 })
      const store = cluster.store(world, 'one')
      await put(store, 'a', '1')
      expect(await get(store, 'a')).toBe('1')
      expect(cluster.running.filter(({ groups }) => groups.size === 2)).toHaveLength(1)
      await store.close()
    })
  })
})

describe('draining', () => {
  test('hands over all that the node leads, and keeps it away until it is taken back', async () => {
    const cluster = new GrowingCluster(11, 3, { leaderStableMs })
    await cluster.client(async (world) => {
      const ids = await createGroups(cluster, world, 3)
      await eventually(world, 'the leaders are spread', () => leads(cluster, ids).join() === '1,1,1')
      const id = cluster.leader?.id ?? 0
      const store = cluster.store(world)
      const writer = new Writer(store, world)
      expect(await cluster.operate(world, 'node.drain', { withinMs: 5_000 }, id)).toEqual({ leading: 0 })
      const drained = cluster.nodes.get(id)
      expect(drained?.status()).toMatchObject({ isReady: false, groups: { leading: 0 } })
      await sleep(world, 10_000)
      expect(drained?.status().groups.leading).toBe(0)
      await cluster.operate(world, 'node.undrain', null, id)
      await eventually(world, 'the leaders are spread again', () => leads(cluster, ids).join() === '1,1,1')
      await writer.stop()
      await store.close()
    })
  })

  test('a node alone keeps what nobody else could lead', async () => {
    const cluster = new GrowingCluster(12, 1)
    await cluster.client(async (world) => {
      expect(await cluster.operate(world, 'node.drain', { withinMs: 1_000 })).toEqual({ leading: 0 })
      await cluster.operate(world, 'node.undrain')
      const store = cluster.store(world)
      await put(store, 'a', '1')
      await store.close()
    })
  })
})
