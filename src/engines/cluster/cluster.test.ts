import { describe, expect, test } from 'vitest'
import { byteStringFromText, bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { SimulatedProcess } from '../../testing/world/simulated-process.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { type ClusterNode, openClusterNode } from './cluster-node.ts'
import { type ClusterStore, openClusterStore } from './cluster-store.ts'

const put = (key: string, value: string, lease = 0) =>
  ({ op: 'put', key: byteStringFromText(key), value: bytesFromText(value), lease }) as const

async function valueOf(store: Store, key: string): Promise<string | undefined> {
  const { kvs } = await store.range({ key })
  return kvs[0] === undefined ? undefined : textFromBytes(kvs[0].value)
}

const sleep = (world: World, ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))

/** A simulated cluster, and one client process. */
class TestCluster {
  readonly simulation: Simulation
  readonly nodes = new Map<number, ClusterNode>()
  readonly processes: SimulatedProcess[] = []
  readonly members: readonly { id: number; address: string }[]

  constructor(seed: number, size = 3, snapshotEntries = 10_000, keepEntries = 5_000) {
    this.simulation = new Simulation({ seed })
    this.members = Array.from({ length: size }, (_, i) => ({ id: i + 1, address: `node${i + 1}:7400` }))
    for (const { id } of this.members) {
      this.processes.push(
        this.simulation.process(`node${id}`, async (world) => {
          this.nodes.set(
            id,
            await openClusterNode({
              world,
              id,
              members: this.members,
              clusterId: 'test',
              snapshotEntries,
              keepEntries,
              files: { segmentBytes: 256 * 1024 },
            }),
          )
        }),
      )
    }
  }

  async client<T>(body: (store: ClusterStore, world: World) => Promise<T>, limitMs = 600_000): Promise<T> {
    let result: { value: T } | undefined
    this.simulation.process(`client${this.simulation.processes.length}`, async (world) => {
      const store = openClusterStore(world, {
        endpoints: this.members.map(({ address }) => address),
        timeoutMs: 10_000,
      })
      result = { value: await body(store, world) }
      await store.close()
    })
    await this.simulation.runUntil(() => result !== undefined, { limitMs })
    return (result as { value: T }).value
  }

  leader(): ClusterNode | undefined {
    return [...this.nodes.values()].find(
      (node) => this.processes[node.id - 1]?.isRunning === true && node.status().role === 'leader',
    )
  }

  processOf(id: number): SimulatedProcess {
    return this.processes[id - 1] as SimulatedProcess
  }
}

describe('cluster engine', () => {
  test('elects a leader and serves writes, reads and watches through any node', async () => {
    const cluster = new TestCluster(1)
    await cluster.client(async (store) => {
      expect((await store.txn({ then: [put('a', '1')] })).revision).toBe(2)
      expect(await valueOf(store, 'a')).toBe('1')
      await store.txn({ then: [put('a', '2')] })
      const seen: string[] = []
      for await (const batch of store.watch({ key: 'a', fromRevision: 2 })) {
        if (batch.kind !== 'events') continue
        for (const event of batch.events)
          seen.push(event.type === 'put' ? textFromBytes(event.kv.value) : 'deleted')
        if (seen.length === 2) break
      }
      expect(seen).toEqual(['1', '2'])
    })
    const roles = [...cluster.nodes.values()].map((node) => node.status().role).sort()
    expect(roles).toEqual(['follower', 'follower', 'leader'])
  })

  test('the first command of a client carries its session too, so that it is applied once however often it is sent', async () => {
    const cluster = new TestCluster(2)
    await cluster.client(async (store) => {
      await store.txn({ then: [put('a', '1')] })
      expect(cluster.leader()?.host.model.stats.sessions).toBe(1)
    })
    const { model } = cluster.leader()?.host ?? expect.fail('no leader')
    const revision = model.revision
    const stamp = { session: 1, sequence: 1, acknowledged: 0 }
    const again = model.apply({ ...stamp, type: 'txn', compare: [], then: [put('a', '1')], else: [] })
    expect(again).toMatchObject({ ok: true, reply: { revision } })
    expect(model.revision).toBe(revision)
  })

  test('survives the death of its leader without losing or doubling a write', async () => {
    const cluster = new TestCluster(2)
    const total = 200
    const killAt = 100
    await cluster.client(async (store) => {
      for (let n = 1; n <= total; n++) {
        if (n === killAt) cluster.processOf(cluster.leader()?.id ?? 0).crash()
        await store.txn({ then: [put('n', String(n))] })
      }
      expect(await valueOf(store, 'n')).toBe(String(total))
      expect((await store.range({ key: 'n' })).kvs[0]?.version).toBe(total)
    })
  })

  test('without a quorum writes and linearizable reads fail, and serializable reads go on', async () => {
    const cluster = new TestCluster(3)
    await cluster.client(async (store, world) => {
      await store.txn({ then: [put('a', '1')] })
      await sleep(world, 500)
      const leader = cluster.leader()?.id ?? 0
      for (const { id } of cluster.members) if (id !== leader) cluster.processOf(id).crash()
      await expect(store.txn({ then: [put('a', '2')] }, { timeoutMs: 3_000 })).rejects.toMatchObject({
        outcome: 'unknown',
      })
      await sleep(world, 3_000)
      await expect(store.txn({ then: [put('a', '3')] }, { timeoutMs: 2_000 })).rejects.toMatchObject({
        code: 'unavailable',
        outcome: 'none',
      })
      await expect(store.range({ key: 'a' }, { timeoutMs: 2_000 })).rejects.toMatchObject({
        code: 'unavailable',
      })
      const { kvs } = await store.range({ key: 'a' }, { consistency: 'serializable', timeoutMs: 2_000 })
      expect(kvs.length).toBe(1)
    })
  })

  test('a follower that was away for long gets a snapshot and then the log', async () => {
    const cluster = new TestCluster(4, 3, 50, 10)
    await cluster.client(async (store, world) => {
      await store.txn({ then: [put('a', '1')] })
      const follower = [...cluster.nodes.values()].find((node) => node.status().role !== 'leader')?.id ?? 0
      cluster.processOf(follower).crash()
      for (let n = 0; n < 300; n++) await store.txn({ then: [put(`k${n % 100}`, 'x'.repeat(2_000))] })
      cluster.processOf(follower).restart()
      await sleep(world, 5_000)
      const [first, second, third] = [...cluster.nodes.values()].map((node) => node.host.model.hash())
      expect(first).toBe(second)
      expect(second).toBe(third)
    })
  })

  test('a lease outlives a change of leader, and ends when nobody renews it', async () => {
    const cluster = new TestCluster(5)
    await cluster.client(async (store, world) => {
      const { lease } = await store.grantLease({ ttlMs: 4_000 })
      await store.txn({ then: [put('mine', 'x', lease)] })
      await sleep(world, 3_000)
      cluster.processOf(cluster.leader()?.id ?? 0).crash()
      await sleep(world, 3_000)
      expect(await valueOf(store, 'mine')).toBe('x')
      await store.keepLeaseAlive(lease)
      await sleep(world, 3_500)
      expect(await valueOf(store, 'mine')).toBe('x')
      await sleep(world, 1_500)
      expect(await valueOf(store, 'mine')).toBeUndefined()
    })
  })

  test('a watch goes on after its node died, without gap or double', async () => {
    const cluster = new TestCluster(6)
    await cluster.client(async (store) => {
      const seen: number[] = []
      const watching = (async () => {
        for await (const batch of store.watch({ key: 'n', fromRevision: 2 })) {
          if (batch.kind !== 'events') continue
          for (const event of batch.events)
            if (event.type === 'put') seen.push(Number(textFromBytes(event.kv.value)))
          if (seen.at(-1) === 150) return
        }
      })()
      for (let n = 1; n <= 150; n++) {
        if (n === 50) cluster.processOf(cluster.leader()?.id ?? 0).crash()
        await store.txn({ then: [put('n', String(n))] })
      }
      await watching
      expect(seen).toEqual(Array.from({ length: 150 }, (_, i) => i + 1))
    })
  })

  test('a transfer of leadership moves it to the named member', async () => {
    const cluster = new TestCluster(7)
    await cluster.client(async (store, world) => {
      await store.txn({ then: [put('a', '1')] })
      const leader = cluster.leader()?.id ?? 0
      const target = cluster.members.find(({ id }) => id !== leader)?.id ?? 0
      cluster.nodes.get(leader)?.host.group.transferLeadership(target)
      await sleep(world, 500)
      expect(cluster.leader()?.id).toBe(target)
      await store.txn({ then: [put('a', '2')] })
      expect((await store.range({ key: 'a' })).kvs[0]?.version).toBe(2)
    })
  })

  test('a node of another cluster, and a client of another cluster, are refused', async () => {
    const cluster = new TestCluster(8)
    await cluster.client(async (store, world) => {
      await store.txn({ then: [put('a', '1')] })
      const stranger = openClusterStore(world, {
        endpoints: ['node1:7400'],
        clusterId: 'other',
        timeoutMs: 1_000,
      })
      await expect(stranger.connect()).rejects.toMatchObject({ code: 'unavailable' })
      await stranger.close()
    })
  })
})

describe('a node that stops without closing its connections', () => {
  test('calls and watches turn to another node within seconds', async () => {
    const cluster = new TestCluster(9)
    await cluster.client(async (store, world) => {
      await store.txn({ then: [put('n', '0')] })
      const seen: string[] = []
      const watching = (async () => {
        for await (const batch of store.watch({ key: 'n', fromRevision: 2 })) {
          if (batch.kind !== 'events') continue
          for (const event of batch.events)
            seen.push(event.type === 'put' ? textFromBytes(event.kv.value) : '')
          if (seen.at(-1) === '2') return
        }
      })()
      await store.txn({ then: [put('n', '1')] })
      const startedMs = cluster.simulation.nowMs
      cluster.processOf(cluster.leader()?.id ?? 0).pause()
      await store.txn({ then: [put('n', '2')] })
      await watching
      expect(seen).toEqual(['0', '1', '2'])
      expect(cluster.simulation.nowMs - startedMs).toBeLessThan(8_000)
      await sleep(world, 10)
    })
  })
})
