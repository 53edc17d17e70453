import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { openNodeStorage } from '../../replication/node-storage.ts'
import type { SimulatedProcess } from '../../testing/world/simulated-process.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { fileBytes, writeBackupFile } from './backup/backup-file.ts'
import { planRestore, restoreNode } from './backup/restore-backup.ts'
import { type TakenBackup, takeBackup } from './backup/take-backup.ts'
import { verifyBackup } from './backup/verify-backup.ts'
import { type ClusterNode, openClusterNode } from './cluster-node.ts'
import { openClusterStore } from './cluster-store.ts'
import { NodeClient } from './node-client.ts'
import { checkGroup } from './replicas/check-group.ts'
import { type ReplicaComparison } from './replicas/compare-replicas.ts'

const members = [1, 2, 3].map((id) => ({ id, address: `node${id}:7400` }))
const sleep = (world: World, ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))

class TestCluster {
  readonly simulation: Simulation
  readonly nodes = new Map<number, ClusterNode>()
  readonly processes = new Map<number, SimulatedProcess>()
  readonly #prefix: string
  readonly #clusterId: string
  #clients = 0

  /** `prepare` runs before a node starts. */
  constructor(
    simulation: Simulation,
    clusterId: string,
    prepare: (world: World, id: number) => Promise<void> = async () => {},
    replicaCheckMs = 0,
  ) {
    this.simulation = simulation
    this.#clusterId = clusterId
    this.#prefix = clusterId
    for (const { id } of this.members) {
      const process = simulation.process(`${this.#prefix}${id}`, async (world) => {
        await prepare(world, id)
        const options = { world, id, members: this.members, clusterId, replicaCheckMs }
        this.nodes.set(id, await openClusterNode(options))
      })
      this.processes.set(id, process)
    }
  }

  get members(): { id: number; address: string }[] {
    return members.map(({ id }) => ({ id, address: `${this.#prefix}${id}:7400` }))
  }

  async run<T>(body: (store: Store, world: World) => Promise<T>, limitMs = 600_000): Promise<T> {
    let result: { value: T } | { error: unknown } | undefined
    this.simulation.process(`client${++this.#clients} of ${this.#clusterId}`, async (world) => {
      const endpoints = this.members.map(({ address }) => address)
      const store = openClusterStore(world, { endpoints, timeoutMs: 10_000 })
      try {
        result = { value: await body(store, world) }
      } catch (error) {
        result = { error }
      }
      await store.close()
    })
    await this.simulation.runUntil(() => result !== undefined, { limitMs })
    if (result !== undefined && 'error' in result) throw result.error
    return (result as unknown as { value: T }).value
  }

  leader(): ClusterNode {
    const leader = [...this.nodes.values()].find((node) => node.status().role === 'leader')
    return leader ?? expect.fail('nobody leads')
  }

  async clientOf<T>(world: World, id: number, use: (client: NodeClient) => Promise<T>): Promise<T> {
    const client = await NodeClient.open(world, this.members[id - 1]?.address ?? '', { timeoutMs: 10_000 })
    try {
      return await use(client)
    } finally {
      client.close()
    }
  }

  check(world: World, stopsFaulty = false): Promise<ReplicaComparison> {
    const call = (id: number) => ({
      operate: (name: string, argument: never) =>
        this.clientOf(world, id, (client) => client.operate(name, argument)),
    })
    return checkGroup({
      world,
      group: 1,
      name: 'default',
      leader: call(this.leader().id),
      replicas: members.map(({ id }) => ({ node: id, call: call(id) })),
      timeoutMs: 5_000,
      stopsFaulty,
    })
  }
}

const put = (key: string, value: string) => ({ op: 'put', key, value: bytesFromText(value) }) as const

async function fill(store: Store, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await store.txn({ then: [put(`key/${i}`, `value ${i}`)] })
}

async function contentOf(store: Store): Promise<string[]> {
  const { kvs } = await store.range({ key: 'key/', end: 'key0' })
  return kvs.map(({ key, value, modRevision }) => `${key}=${textFromBytes(value)}@${modRevision}`)
}

describe('a backup of a running cluster', () => {
  test('holds what was acknowledged before it, is of one revision while writes go on, and becomes a new cluster', async () => {
    const simulation = new Simulation({ seed: 11 })
    const old = new TestCluster(simulation, 'old')
    let isWriting = true
    let file: Uint8Array[] = []
    const taken = await old.run(async (store, world): Promise<TakenBackup> => {
      await fill(store, 200)
      const grant = await store.grantLease({ ttlMs: 3_600_000 })
      await store.txn({ then: [{ ...put('key/leased', 'mine'), lease: grant.lease }] })
      const writes = (async () => {
        for (let i = 0; isWriting; i++) await store.txn({ then: [put('a', String(i)), put('b', String(i))] })
      })()
      const follower = old.leader().id === 1 ? 2 : 1
      const backup = await old.clientOf(world, follower, async (node) => {
        const bytes = takeBackup({ groups: [{ group: 1, node }], takenAtMs: 5 })
        const written = await writeBackupFile(world.disk, 'backup', bytes)
        for await (const chunk of fileBytes(world.disk, 'backup')) file.push(chunk)
        return written
      })
      isWriting = false
      await writes
      return backup
    })
    const verified = await verifyBackup(asStream(file), 'backup')
    expect(verified.groups[0]?.revision).toBe(taken.groups[0]?.revision)
    expect(verified.groups[0]?.keys).toBeGreaterThanOrEqual(201)
    const { current } = verified.groups[0]?.state.keys ?? expect.fail()
    expect(textOf(current.get('a')?.value)).toBe(textOf(current.get('b')?.value))

    const before = await old.run(contentOf)
    const plan = planRestore(verified, {
      members: members.map(({ id }) => ({ id, address: `new${id}:7400` })),
    })
    const fresh = new TestCluster(simulation, 'new', async (world, id) => {
      const storage = await openNodeStorage(world, `node-${id}`, {
        identity: { clusterId: 'new', nodeId: id },
      })
      if (storage.created) await restoreNode(storage, id, plan)
      await storage.close()
    })
    await fresh.run(async (store, world) => {
      expect(await contentOf(store)).toEqual(before)
      expect((await store.txn({ then: [put('after', 'restore')] })).revision).toBe(
        (taken.groups[0]?.revision ?? 0) + 1_000_001,
      )
      const leases = await store.leases()
      expect(leases.map(({ keys }) => keys)).toEqual([['key/leased']])
      const comparison = await fresh.check(world)
      expect(comparison.replicas.map(({ verdict }) => verdict)).toEqual(['same', 'same', 'same'])
    })
  })

  test('is read from a node that has lost its quorum only when that is asked for', async () => {
    const old = new TestCluster(new Simulation({ seed: 12 }), 'old')
    await old.run(async (store, world) => {
      await fill(store, 20)
      // A follower is told of the last commit a moment after the client.
      await sleep(world, 200)
      for (const id of [2, 3]) old.processes.get(id)?.crash()
      await sleep(world, 5_000)
      const backUp = (serializable: boolean): Promise<TakenBackup> =>
        old.clientOf(world, 1, (node) => {
          const bytes = takeBackup({ groups: [{ group: 1, node }], takenAtMs: 5, serializable })
          return writeBackupFile(world.disk, 'backup', bytes)
        })
      await expect(backUp(false)).rejects.toMatchObject({
        code: expect.stringMatching(/unavailable|timeout/),
      })
      expect(await world.disk.list('')).toEqual([])
      const { manifest, groups } = await backUp(true)
      expect(manifest.serializable).toBe(true)
      expect(groups[0]?.keys).toBeGreaterThanOrEqual(20)
      expect(await world.disk.list('')).toEqual(['backup'])
    })
  })
})

describe('the copies of a group', () => {
  test('are found the same while writes go on, and one with a flipped byte is named and stopped', async () => {
    const cluster = new TestCluster(new Simulation({ seed: 13 }), 'c')
    await cluster.run(async (store, world) => {
      await fill(store, 300)
      const sound = await cluster.check(world)
      expect(sound.replicas.map(({ verdict }) => verdict)).toEqual(['same', 'same', 'same'])
      const victim = cluster.leader().id === 2 ? 3 : 2
      flipByteOf(cluster.nodes.get(victim), 'key/77')
      const comparison = await cluster.check(world, true)
      expect(comparison.replicas.map(({ verdict }) => verdict)).toEqual(
        members.map(({ id }) => (id === victim ? 'damaged' : 'same')),
      )
      expect(await cluster.nodes.get(victim)?.closed).toMatchObject({ code: 'corrupt' })
      expect(await contentOf(store)).toHaveLength(300)
    })
  })

  test('are compared by the leader in the background', async () => {
    const cluster = new TestCluster(new Simulation({ seed: 14 }), 'c', undefined, 30_000)
    await cluster.run(async (store, world) => {
      await fill(store, 50)
      await sleep(world, 15_000)
      const checks = [...cluster.nodes.values()].map((node) => node.status().operations?.replicaChecks)
      expect(checks.map((each) => each?.[0]?.isSound)).toEqual([true, true, true])
      const victim = cluster.leader().id === 2 ? 3 : 2
      flipByteOf(cluster.nodes.get(victim), 'key/7')
      await sleep(world, 40_000)
      expect(await cluster.nodes.get(victim)?.closed).toMatchObject({ code: 'corrupt' })
      expect(cluster.leader().status().operations?.replicaChecks[0]).toMatchObject({
        isSound: false,
        faulty: [victim],
      })
    })
  })
})

/** What a bad memory cell does: the value changes, and nobody is told. */
function flipByteOf(node: ClusterNode | undefined, key: string): void {
  const kv = node?.host.model.range({ key }).kvs[0] ?? expect.fail('no such key')
  kv.value[0] = (kv.value[0] ?? 0) ^ 1
}

function textOf(value: Uint8Array | undefined): string {
  return value === undefined ? 'missing' : textFromBytes(value)
}

async function* asStream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
