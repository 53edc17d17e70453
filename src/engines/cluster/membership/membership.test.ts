import { describe, expect, test } from 'vitest'
import { eventually, get, GrowingCluster, put, sleep, Writer } from '../growing-cluster.test-support.ts'
import { encodeJoinToken, decodeJoinToken } from './join-token.ts'

describe('members', () => {
  test('join by token while clients write: first as learners, then as voters', async () => {
    const cluster = new GrowingCluster(1)
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      const writer = new Writer(store, world)
      expect(await cluster.addVoter(world)).toBe(4)
      expect(await cluster.addVoter(world)).toBe(5)
      expect(cluster.voters).toEqual([1, 2, 3, 4, 5])
      expect(await writer.stop()).toBeGreaterThan(20)
      for (const node of cluster.running) {
        await eventually(world, 'readiness', () => node.status().isReady)
        expect(node.members.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5])
      }
      for (const id of [1, 2]) cluster.processOf(id).crash()
      await put(store, 'a', 'with three of five')
      await store.close()
    })
  })

  test('one added as a learner stays one until it is promoted', async () => {
    const cluster = new GrowingCluster(2)
    await cluster.client(async (world) => {
      const id = await cluster.add(world, { learner: true })
      await eventually(world, 'the learner is ready', () => cluster.nodes.get(id)?.status().isReady === true)
      await sleep(world, 5_000)
      expect(cluster.voters).toEqual([1, 2, 3])
      expect(await cluster.operate(world, 'member.promote', { id })).toEqual({ id, isVoter: true })
      expect(cluster.voters).toEqual([1, 2, 3, 4])
    })
  })

  test('a leader can be removed: another takes over, and it stops and does not come back', async () => {
    const cluster = new GrowingCluster(3)
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      const writer = new Writer(store, world)
      await sleep(world, 2_000)
      const id = cluster.leader?.id ?? 0
      expect(await cluster.operate(world, 'member.remove', { id }, id)).toEqual({ id, isRemoved: true })
      await eventually(world, 'it stops', () => cluster.ends.get(id)?.code === 'not-member')
      await writer.stop()
      expect(cluster.voters).toHaveLength(2)
      cluster.processOf(id).restart()
      await sleep(world, 1_000)
      expect(cluster.ends.get(id)).toMatchObject({ code: 'not-member' })
      expect(await cluster.operate(world, 'member.remove', { id })).toEqual({ id, isRemoved: true })
      await store.close()
    })
  })

  test('who asks another node for the removal of the leader is told when it is done, although the one that does it goes', async () => {
    for (const seed of [11, 12]) {
      const cluster = new GrowingCluster(seed)
      await cluster.client(async (world) => {
        await sleep(world, 2_000)
        const id = cluster.leader?.id ?? 0
        const other = cluster.running.find((node) => node.id !== id)?.id ?? 0
        const asked = cluster.operate(world, 'member.remove', { id }, other)
        // Other calls are handed on as well, and lead the node to the successor early.
        const more = Array.from({ length: 20 }, async (_, i) => {
          await sleep(world, i * 10)
          await cluster.operate(world, 'member.list', null, other)
        })
        await Promise.all(more)
        expect(await asked).toEqual({ id, isRemoved: true })
      })
    }
  })

  test('two operators who ask for the same at once are both told that it is done', async () => {
    const cluster = new GrowingCluster(21, 4)
    await cluster.client(async (world) => {
      await sleep(world, 2_000)
      const id = cluster.running.find((node) => node.id !== cluster.leader?.id)?.id ?? 0
      const ask = () => cluster.operate(world, 'member.remove', { id }, cluster.leader?.id)
      expect(await Promise.all([ask(), ask()])).toEqual([
        { id, isRemoved: true },
        { id, isRemoved: true },
      ])
    })
  })

  test('one that was down when it was removed learns it when it comes back', async () => {
    const cluster = new GrowingCluster(4)
    await cluster.client(async (world) => {
      await sleep(world, 2_000)
      const id = cluster.running.find((node) => node !== cluster.leader)?.id ?? 0
      cluster.processOf(id).crash()
      await sleep(world, 3_000)
      await cluster.operate(world, 'member.remove', { id })
      cluster.processOf(id).start()
      await eventually(world, 'it stops', () => cluster.ends.get(id)?.code === 'not-member')
    })
  })

  test('a dead one is replaced by one call: the new one votes and the dead one is gone in one change', async () => {
    const cluster = new GrowingCluster(5)
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      const writer = new Writer(store, world)
      await sleep(world, 2_000)
      const dead = cluster.leader?.id ?? 0
      cluster.processOf(dead).crash()
      await eventually(world, 'another leader', () => cluster.leader !== undefined)
      await sleep(world, 3_000)
      const { token, id } = await cluster.operate(world, 'member.replace', { dead })
      const seen = new Set<string>()
      cluster.join(String(token))
      await eventually(world, 'it votes', () => {
        seen.add(cluster.voters.join())
        return cluster.voters.includes(Number(id))
      })
      const left = [1, 2, 3].filter((each) => each !== dead)
      expect(cluster.voters).toEqual([...left, id])
      expect(seen).not.toContain([1, 2, 3, id].join())
      await writer.stop()
      await store.close()
    })
  })

  test('an id is never given twice', async () => {
    const cluster = new GrowingCluster(6)
    await cluster.client(async (world) => {
      await sleep(world, 2_000)
      const id = cluster.running.find((node) => node !== cluster.leader)?.id ?? 0
      await cluster.operate(world, 'member.remove', { id })
      expect(await cluster.refusal(world, 'member.add', { id })).toMatchObject({ code: 'not-member' })
      expect(await cluster.refusal(world, 'member.add', { id: cluster.voters[0] as number })).toMatchObject({
        code: 'conflict',
      })
      expect(await cluster.operate(world, 'member.add', { id: 9 })).toMatchObject({ id: 9 })
      expect(await cluster.operate(world, 'member.add')).toMatchObject({ id: 10 })
    })
  })

  test('a new address is told to all', async () => {
    const cluster = new GrowingCluster(7)
    await cluster.client(async (world) => {
      await sleep(world, 2_000)
      const moved = { id: 3, address: 'node3:7999' }
      expect(await cluster.operate(world, 'member.updateAddress', moved)).toEqual({ id: 3, isDone: true })
      // Node 3 itself hears of it when it has moved there.
      for (const node of cluster.running.filter(({ id }) => id !== 3))
        await eventually(world, 'the address', () => node.members[2]?.address === 'node3:7999')
    })
  })
})

describe('what is refused', () => {
  test('removing a member when too few would answer, unless it is forced', async () => {
    const cluster = new GrowingCluster(11)
    await cluster.client(async (world) => {
      await sleep(world, 2_000)
      const [down, healthy] = cluster.running.filter((node) => node !== cluster.leader).map(({ id }) => id)
      cluster.processOf(down as number).crash()
      await sleep(world, 3_000)
      const refusal = await cluster.refusal(world, 'member.remove', { id: healthy as number })
      expect(refusal).toMatchObject({ code: 'conflict', outcome: 'none' })
      expect(refusal.message).toContain(`node ${down}`)
      expect(refusal.message).toContain('--force')
      expect(await cluster.refusal(world, 'member.replace', { dead: healthy as number })).toMatchObject({
        code: 'conflict',
      })
      expect(cluster.voters).toEqual([1, 2, 3])
      expect(await cluster.operate(world, 'member.remove', { id: down as number })).toMatchObject({
        isRemoved: true,
      })
    })
  })

  test('nobody leaves, forced or not, while those who would be left could not decide; a replacement comes all the same', async () => {
    const cluster = new GrowingCluster(14)
    await cluster.client(async (world) => {
      await sleep(world, 2_000)
      const [down, healthy] = cluster.running
        .filter((node) => node !== cluster.leader)
        .map(({ id }) => id) as [number, number]
      cluster.processOf(down).crash()
      await sleep(world, 3_000)
      const removal = { id: healthy, force: true, waitMs: 3_000 }
      expect(await cluster.operate(world, 'member.remove', removal)).toEqual({
        id: healthy,
        isRemoved: false,
      })
      expect(cluster.voters).toEqual([1, 2, 3])
      const store = cluster.store(world)
      await store.txn({ then: [{ op: 'put', key: 'k', value: new Uint8Array(1) }] })
      await store.close()
      const { token, id } = await cluster.operate(world, 'member.replace', { dead: down })
      cluster.join(String(token))
      const left = [1, 2, 3].filter((each) => each !== down && each !== healthy)
      await eventually(world, 'both are gone', () => cluster.voters.join() === [...left, id].join())
      await eventually(world, 'the healthy one stops', () => cluster.ends.get(healthy)?.code === 'not-member')
    })
  })

  test('a token that was used, is of another cluster, or is made up', async () => {
    const cluster = new GrowingCluster(12)
    await cluster.client(async (world) => {
      const { token } = await cluster.operate(world, 'member.add')
      const { id, members, clusterId } = decodeJoinToken(String(token))
      const madeUp = encodeJoinToken({ id, members, clusterId, secret: 'x'.repeat(32) })
      cluster.join(madeUp)
      await eventually(world, 'the end', () => cluster.ends.get(id)?.code === 'permission-denied')
      expect(cluster.voters).toEqual([1, 2, 3])
    })
  })

  test('a token whose time is over', async () => {
    const cluster = new GrowingCluster(13)
    await cluster.client(async (world) => {
      const { token } = await cluster.operate(world, 'member.add', { validForMs: 1_000 })
      await sleep(world, 2_000)
      const id = cluster.join(String(token))
      await eventually(world, 'the end', () => cluster.ends.get(id)?.code === 'permission-denied')
    })
  })

  test('a member that comes back with an emptied disk: it has forgotten what it promised', async () => {
    const cluster = new GrowingCluster(14)
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      await put(store, 'a', '1')
      await sleep(world, 3_000)
      const id = cluster.running.find((node) => node !== cluster.leader)?.id ?? 0
      cluster.processOf(id).crash()
      cluster.processOf(id).disk.wipe()
      cluster.processOf(id).start()
      await eventually(world, 'the end', () => cluster.ends.get(id)?.code === 'not-member')
      expect(cluster.ends.get(id)?.message).toContain(`althing member replace ${id}`)
      await put(store, 'a', '2')
      expect(await get(store, 'a')).toBe('2')
      await store.close()
    })
  })

  test('a member with an emptied disk before there is a leader: its vote would elect one', async () => {
    const cluster = new GrowingCluster(16)
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      await put(store, 'a', '1')
      await sleep(world, 3_000)
      const term = cluster.leader?.host.group.status().term
      for (const id of [1, 2, 3]) cluster.processOf(id).crash()
      cluster.processOf(1).disk.wipe()
      for (const id of [1, 2]) cluster.processOf(id).start()
      await eventually(world, 'the end', () => cluster.ends.get(1)?.code === 'not-member')
      await sleep(world, 5_000)
      // A term begins only with the consent of a majority.
      expect(cluster.nodes.get(2)?.host.group.status()).toMatchObject({ term, leader: 0 })
      cluster.processOf(3).start()
      await eventually(world, 'a leader of those that know', () => cluster.leader !== undefined)
      expect(await get(store, 'a')).toBe('1')
      await store.close()
    })
  })

  test('a call that names what it does not know', async () => {
    const cluster = new GrowingCluster(15)
    await cluster.client(async (world) => {
      expect(await cluster.refusal(world, 'member.remove', { id: 77 })).toMatchObject({ code: 'not-found' })
      for (const argument of [{}, { id: -1 }, { id: 'x' }, { id: 1, farce: true }])
        expect(await cluster.refusal(world, 'member.remove', argument)).toMatchObject({
          code: 'invalid-argument',
        })
    })
  })
})
