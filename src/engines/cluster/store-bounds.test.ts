import { describe, expect, test } from 'vitest'
import { byteStringFromText } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { WatchBatch } from '../../contracts/store.ts'
import { openClusterStore } from './cluster-store.ts'
import { eventually, GrowingCluster, sleep } from './growing-cluster.test-support.ts'
import { decodeReply, encodeReply, encodeReplyAround } from './protocol.ts'
import { encodedPartsOf, partsOf } from './watch-parts.ts'

const put = (key: string, bytes: number, lease = 0) =>
  ({ op: 'put', key: byteStringFromText(key), value: new Uint8Array(bytes), lease }) as const
const bounds = { quotaBytes: 16 * 1024 * 1024 }

describe('a cluster keeps its stores within their bounds', () => {
  test('a full store refuses through any node, until an operator raises the quota for all', async () => {
    const cluster = new GrowingCluster(1, 3, { store: { bounds } })
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      const fill = async (): Promise<unknown> => {
        for (let i = 0; ; i++) await store.txn({ then: [put(`k${i}`, 1024 * 1024)] })
      }
      await expect(fill()).rejects.toMatchObject({ code: 'no-space', outcome: 'none' })
      for (const { address } of cluster.running) {
        const other = openClusterStore(world, { endpoints: [address] })
        await expect(other.txn({ then: [put('x', 1024 * 1024)] })).rejects.toMatchObject({ code: 'no-space' })
        await other.close()
      }
      const follower = cluster.running.find((node) => node !== cluster.leader)
      const answer = await cluster.operate(world, 'store.set-quota', { quotaBytes: 2 ** 30 }, follower?.id)
      expect(answer).toEqual({ quotaBytes: 2 ** 30 })
      await store.txn({ then: [put('x', 1024 * 1024)] })
      for (const { id, host } of cluster.running) {
        await eventually(world, 'the quota is everywhere', () => host.model.quotaBytes === 2 ** 30)
        expect(await cluster.operate(world, 'store.space', null, id)).toMatchObject({ state: 'ok' })
      }
      const refused = await cluster.refusal(world, 'store.set-quota', { quotaBytes: 5 })
      expect(refused).toMatchObject({ code: 'invalid-argument', outcome: 'none' })
      expect(await cluster.refusal(world, 'store.space', { group: 'nowhere' })).toMatchObject({
        code: 'not-found',
      })
      await store.close()
    })
  })

  test('all copies have the same size and hash, whatever became of them', async () => {
    const cluster = new GrowingCluster(2, 3, { snapshotEntries: 30, keepEntries: 5, keepRevisions: 20 })
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      const { lease } = await store.grantLease({ ttlMs: 100_000 })
      for (let i = 0; i < 60; i++) await store.txn({ then: [put(`k${i % 9}`, i, i % 3 === 0 ? lease : 0)] })
      const victim = cluster.running.find((node) => node !== cluster.leader)
      const process = cluster.processOf(victim?.id ?? 0)
      process.crash()
      for (let i = 0; i < 100; i++) await store.txn({ then: [put(`k${i % 9}`, i)] })
      process.restart()
      await eventually(world, 'all have applied the same', () => {
        const indexes = [...cluster.nodes.values()].map(({ host }) => host.group.appliedIndex)
        return cluster.running.length === 3 && new Set(indexes).size === 1 && (indexes[0] ?? 0) > 160
      })
      const hosts = cluster.running.map(({ host }) => host)
      expect(new Set(hosts.map((host) => JSON.stringify(host.stateHash()))).size).toBe(1)
      expect(new Set(hosts.map(({ model }) => model.bytes)).size).toBe(1)
      expect(await Promise.all(hosts.map((host) => host.verifyStateHash()))).toEqual([true, true, true])
      await store.close()
    })
  })
})

describe('what only reads', () => {
  test('makes no entry in the log of a cluster, and sees every acknowledged write at every node', async () => {
    const cluster = new GrowingCluster(3)
    await cluster.client(async (world) => {
      const writer = cluster.store(world)
      await sleep(world, 3_000)
      for (const { address } of cluster.running) {
        const reader = openClusterStore(world, { endpoints: [address] })
        // Its session is opened first: that is a command.
        await reader.txn({ then: [put('mine', 1)] })
        for (let n = 1; n <= 20; n++) {
          await writer.txn({ then: [put('n', n)] })
          const { lastIndex } = (cluster.leader?.host.group ?? { status: () => ({ lastIndex: 0 }) }).status()
          const { replies } = await reader.txn({ then: [{ op: 'range', key: 'n' }], else: [] })
          expect(replies[0]?.op === 'range' && replies[0].kvs[0]?.value.byteLength).toBe(n)
          expect(cluster.leader?.host.group.status().lastIndex).toBe(lastIndex)
        }
        await reader.close()
      }
      await writer.close()
    })
  })

  test('may be asked for from the own copy of a node that has no leader', async () => {
    const cluster = new GrowingCluster(4)
    await cluster.client(async (world) => {
      const store = cluster.store(world)
      await store.txn({ then: [put('a', 7)] })
      await sleep(world, 2_000)
      const [survivor, ...others] = cluster.running
      for (const { id } of others) cluster.processOf(id).crash()
      await sleep(world, 5_000)
      const alone = openClusterStore(world, { endpoints: [survivor?.address ?? ''] })
      const read = { then: [{ op: 'range', key: 'a' }] } as const
      const reply = await alone.txn(read, { consistency: 'serializable' })
      expect(reply.replies[0]).toMatchObject({ op: 'range', count: 1 })
      await expect(alone.txn(read, { timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'unavailable' })
      await alone.close()
      await store.close()
    })
  })
})

test('leases are listed page by page and renewed together over the network', async () => {
  const cluster = new GrowingCluster(5)
  await cluster.client(async (world) => {
    const store = cluster.store(world)
    const count = 10_050
    for (let i = 0; i < count; i += 1_005)
      await Promise.all(Array.from({ length: 1_005 }, () => store.grantLease({ ttlMs: 60_000 })))
    const ids = (await store.leases()).map(({ lease }) => lease)
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => i + 1))
    const results = await store.keepLeasesAlive([3, count + 9, 4])
    expect(results[0]).toEqual({ lease: 3, ttlMs: 60_000 })
    expect(results[1]).toBeInstanceOf(AlthingError)
    expect(results[1]).toMatchObject({ code: 'lease-not-found' })
    expect(results[2]).toEqual({ lease: 4, ttlMs: 60_000 })
    await expect(store.keepLeasesAlive([0])).rejects.toMatchObject({ code: 'invalid-argument' })
    await store.close()
  })
})

describe('the encoding of a watch batch', () => {
  const batch = (events: number, bytes: number): WatchBatch => ({
    kind: 'events',
    revision: 9,
    events: Array.from({ length: events }, (_, i) => ({
      type: 'put',
      kv: {
        key: `k${i}`,
        value: new Uint8Array(bytes),
        createRevision: 9,
        modRevision: 9,
        version: 1,
        lease: 0,
      },
    })),
  })

  test('is made once for all who get the batch, and is the same as made for each', () => {
    const small = batch(3, 100)
    const first = [...encodedPartsOf(small)]
    expect([...encodedPartsOf(small)][0]).toBe(first[0])
    for (const id of [1, 127, 128, 70_000, 2 ** 40]) {
      const frames = first.map((part) => encodeReplyAround(id, 2, part))
      expect(frames).toEqual([...partsOf(small)].map((part) => encodeReply(id, 2, part)))
      expect(decodeReply(frames[0] as Uint8Array)[0]).toBe(id)
    }
  })

  test('of a large one is not held in memory', () => {
    const large = batch(12, 1024 * 1024)
    const parts = [...encodedPartsOf(large)]
    expect(parts.length).toBe(3)
    const again = [...encodedPartsOf(large)]
    expect(again[0] === parts[0]).toBe(false)
    expect(Buffer.concat(again).equals(Buffer.concat(parts))).toBe(true)
  })
})
