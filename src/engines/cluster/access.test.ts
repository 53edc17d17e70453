import { describe, expect, test } from 'vitest'
import { node } from '../../access/principal.ts'
import type { RateLimitOptions } from '../../access/rate-limits.ts'
import { byteStringFromText, bytesFromText } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { Store, WatchBatch } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { SimulatedProcess } from '../../testing/world/simulated-process.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { type ClusterNode, openClusterNode } from './cluster-node.ts'
import { type ClusterStore, openClusterStore } from './cluster-store.ts'
import { NodeClient } from './node-client.ts'
import type { Plain } from './operator-calls.ts'
import { encodeHello } from './protocol.ts'

const key = byteStringFromText
const put = (name: string, value = 'v') =>
  ({ op: 'put', key: key(name), value: bytesFromText(value) }) as const
const prefix = (name: string) => ({
  key: key(name),
  end: `${key(name).slice(0, -1)}${String.fromCharCode(name.charCodeAt(name.length - 1) + 1)}`,
})
const sleep = (world: World, ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (isAlthingError(error)) return error.code
    throw error
  }
}

class GuardedCluster {
  readonly simulation: Simulation
  readonly nodes = new Map<number, ClusterNode>()
  readonly processes = new Map<number, SimulatedProcess>()
  readonly members = [1, 2, 3].map((id) => ({ id, address: `node${id}:7400` }))

  constructor(seed: number, rateLimits: RateLimitOptions = {}) {
    this.simulation = new Simulation({ seed })
    for (const { id } of this.members) {
      const process = this.simulation.process(`node${id}`, async (world) => {
        const options = { world, id, members: this.members, clusterId: 'test' }
        this.nodes.set(
          id,
          await openClusterNode({ ...options, access: { auditLog: 'audit.log', rateLimits } }),
        )
      })
      this.processes.set(id, process)
    }
  }

  get leader(): ClusterNode {
    const found = [...this.nodes.values()].find(({ host }) => host.group.isLeaderReady)
    if (found === undefined) throw new Error('nobody leads')
    return found
  }

  get follower(): ClusterNode {
    const found = [...this.nodes.values()].find(({ host }) => host.group.role === 'follower')
    if (found === undefined) throw new Error('nobody follows')
    return found
  }

  store(world: World, token?: string, endpoints = this.members.map(({ address }) => address)): ClusterStore {
    return openClusterStore(world, { endpoints, ...(token === undefined ? {} : { credentials: { token } }) })
  }

  async operate(world: World, name: string, argument: Plain = null, token?: string, at = this.leader.id) {
    const credentials = token === undefined ? {} : { credentials: { token } }
    const client = await NodeClient.open(world, `node${at}:7400`, credentials)
    try {
      return (await client.operate(name, argument)) as Readonly<Record<string, string>>
    } finally {
      client.close()
    }
  }

  /** A user with a role of these grants; returns its token. */
  async user(
    world: World,
    root: string,
    name: string,
    grants: readonly Plain[],
  ): Promise<{ id: string; token: string }> {
    await this.operate(world, 'access.role.add', { name }, root)
    for (const grant of grants) await this.operate(world, 'access.role.grant', { name, grant }, root)
    await this.operate(world, 'access.user.add', { name, roles: [name] }, root)
    return (await this.operate(world, 'access.token.create', { user: name }, root)) as {
      id: string
      token: string
    }
  }

  /** The audit log of a node, a second from now. */
  async auditLog(id: number): Promise<string> {
    const disk = (this.processes.get(id) as SimulatedProcess).disk
    let text: string | undefined
    const read = async (world: World): Promise<void> => {
      await sleep(world, 1_000)
      text = Buffer.from(await world.disk.read('audit.log')).toString('utf8')
    }
    this.simulation.process('auditor', read, { disk })
    await this.simulation.runUntil(() => text !== undefined, { limitMs: 60_000 })
    return text ?? ''
  }

  async run(body: (world: World) => Promise<void>): Promise<void> {
    let isDone = false
    this.simulation.process('client', async (world) => {
      while (this.nodes.size < 3 || ![...this.nodes.values()].every((each) => each.status().isReady))
        await sleep(world, 50)
      await body(world)
      isDone = true
    })
    await this.simulation.runUntil(() => isDone, { limitMs: 600_000 })
  }
}

describe('access control', () => {
  test('keeps strangers out once it is on, and lets in who has a token', async () => {
    const cluster = new GuardedCluster(1)
    await cluster.run(async (world) => {
      const stranger = cluster.store(world)
      await stranger.txn({ then: [put('a')] })
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      expect(await codeOf(stranger.txn({ then: [put('a')] }))).toBe('unauthenticated')
      expect(await codeOf(stranger.range({ key: 'a' }))).toBe('unauthenticated')
      const owner = cluster.store(world, root)
      expect((await owner.range({ key: 'a' })).kvs).toHaveLength(1)
      const forged = cluster.store(world, `${root.slice(0, -1)}${root.endsWith('A') ? 'B' : 'A'}`)
      expect(await codeOf(forged.range({ key: 'a' }))).toBe('unauthenticated')
      await cluster.operate(world, 'access.disable', null, root)
      expect((await stranger.range({ key: 'a' })).kvs).toHaveLength(1)
    })
  })

  test('a grant reaches as far as it says, through every node and every kind of call', async () => {
    const cluster = new GuardedCluster(2)
    await cluster.run(async (world) => {
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      const owner = cluster.store(world, root)
      await owner.txn({ then: [put('app/1'), put('other/1')] })
      const older = (await owner.txn({ then: [put('app/2'), put('other/2')] })).revision
      const hidden = await owner.grantLease({ ttlMs: 60_000 })
      await owner.txn({ then: [{ ...put('other/3'), lease: hidden.lease }] })
      const app = { ...prefix('app/'), rights: ['read', 'write', 'lease'] }
      const { token } = await cluster.user(world, root, 'app', [app])
      for (const { address } of cluster.members) {
        const store = cluster.store(world, token, [address])
        expect((await store.range(prefix('app/'))).kvs).toHaveLength(2)
        const refused = [
          () => store.range({ key: 'other/1' }),
          () => store.range({ key: '', end: null }),
          () => store.range({ key: 'app/', end: 'b' }),
          () => store.range({ ...prefix('other/'), revision: older }),
          () => store.range({ ...prefix('other/'), countOnly: true }),
          () => store.range({ key: 'other/1' }, { consistency: 'serializable' }),
          () => store.txn({ then: [put('other/1')] }),
          () => store.txn({ then: [{ op: 'delete', key: 'other/1', previous: true }] }),
          () => store.txn({ then: [{ op: 'delete', key: 'app/', end: null }] }),
          () => store.txn({ compare: [{ target: 'version', key: 'other/1', op: '=', value: 1 }] }),
          () => store.txn({ then: [put('app/1')], else: [{ op: 'range', key: 'other/1' }] }),
          () => store.txn({ then: [{ op: 'range', key: 'other/1' }] }),
          () => store.revokeLease(hidden.lease),
          () => store.compact(2),
          () => store.watch(prefix('other/'))[Symbol.asyncIterator]().next(),
        ]
        for (const call of refused) expect(await codeOf(call())).toBe('permission-denied')
        const listed = await store.leases()
        expect(listed.find(({ lease }) => lease === hidden.lease)?.keys).toEqual([])
        await store.txn({
          compare: [{ target: 'version', key: 'app/9', op: '=', value: 0 }],
          then: [put('app/1')],
        })
        await store.close()
      }
      expect((await owner.range({ key: 'other/3' })).kvs).toHaveLength(1)
    })
  })

  test('a revoked token writes nothing more from the moment the revocation is acknowledged, on any node', async () => {
    for (const seed of [3, 4, 5, 6]) {
      const cluster = new GuardedCluster(seed)
      await cluster.run(async (world) => {
        const { token: root = '' } = await cluster.operate(world, 'access.enable')
        const all = { key: '', end: null, rights: ['read', 'write'] }
        const { id, token } = await cluster.user(world, root, 'app', [all])
        const stores = cluster.members.map(({ address }) => cluster.store(world, token, [address]))
        const batches: WatchBatch[] = []
        const ended = stores.map((store) => codeOf(follow(store, batches)))
        let isRevoked = false
        let late = 0
        const writers = stores.map(async (store, i) => {
          for (let n = 0; n < 1_000; n++) {
            const wasRevoked = isRevoked
            const code = await codeOf(store.txn({ then: [put(`k${i}`, String(n))] }))
            if (code === 'none' && wasRevoked) late++
            if (code === 'unauthenticated') return
          }
          throw new Error('it was never refused')
        })
        await sleep(world, 200)
        await cluster.operate(world, 'access.token.revoke', { id }, root)
        isRevoked = true
        const { revision } = await cluster.store(world, root).range({ key: 'x' })
        await Promise.all(writers)
        expect(late).toBe(0)
        expect(await Promise.all(ended)).toEqual(['unauthenticated', 'unauthenticated', 'unauthenticated'])
        await cluster.store(world, root).txn({ then: [put('after')] })
        expect(batches.some((batch) => batch.kind === 'events' && batch.revision > revision)).toBe(false)
      })
    }
  })

  test('a token ends with its time, a right with its role', async () => {
    const cluster = new GuardedCluster(7)
    await cluster.run(async (world) => {
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      const all = { key: '', end: null, rights: ['read', 'write'] }
      await cluster.user(world, root, 'app', [all])
      const brief = await cluster.operate(world, 'access.token.create', { user: 'app', ttlMs: 2_000 }, root)
      const lasting = await cluster.operate(world, 'access.token.create', { user: 'app' }, root)
      const store = cluster.store(world, brief['token'])
      await store.txn({ then: [put('a')] })
      const watched = codeOf(follow(store, []))
      await sleep(world, 2_500)
      expect(await watched).toBe('unauthenticated')
      expect(await codeOf(store.txn({ then: [put('a')] }))).toBe('unauthenticated')
      const other = cluster.store(world, lasting['token'])
      const otherWatch = codeOf(follow(other, []))
      await other.txn({ then: [put('a')] })
      await cluster.operate(world, 'access.role.revoke', { name: 'app', grant: { key: '', end: null } }, root)
      expect(await otherWatch).toBe('permission-denied')
      expect(await codeOf(other.txn({ then: [put('a')] }))).toBe('permission-denied')
    })
  })

  test('no client sees or touches the keys of the cluster itself, whatever it may do otherwise', async () => {
    const cluster = new GuardedCluster(8)
    await cluster.run(async (world) => {
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      const store = cluster.store(world, root)
      await store.txn({ then: [put('a')] })
      const watch = store.watch({ key: '', end: null, fromRevision: 2 })
      const everything = await store.range({ key: '', end: null })
      expect(everything.kvs.map((kv) => kv.key)).toEqual(['a'])
      expect(everything.count).toBe(1)
      const inTxn = await store.txn({ then: [put('b'), { op: 'range', key: '\0', end: null }] })
      expect(inTxn.replies[1]).toMatchObject({ count: 2 })
      const system = '\0access/settings'
      const refused = [
        () => store.range({ key: system }),
        () => store.range({ key: '\0', end: '\u0001' }),
        () => store.txn({ then: [{ op: 'put', key: system, value: bytesFromText('{}') }] }),
        () => store.txn({ compare: [{ target: 'version', key: system, op: '>', value: 0 }] }),
        () => store.txn({ then: [{ op: 'delete', key: system }] }),
        () => store.watch({ key: system })[Symbol.asyncIterator]().next(),
      ]
      for (const call of refused) expect(await codeOf(call())).toBe('permission-denied')
      await store.txn({ then: [{ op: 'delete', key: '', end: null }] })
      expect(await codeOf(store.range({ key: 'a' }))).toBe('none')
      const seen: string[] = []
      for await (const batch of watch) {
        if (batch.kind !== 'events') continue
        for (const event of batch.events) seen.push(event.type === 'put' ? event.kv.key : `-${event.key}`)
        if (seen.includes('-b')) break
      }
      expect(seen).toEqual(['a', 'b', '-a', '-b'])
    })
  })

  test('what only looks like a node speaks for nobody', async () => {
    const cluster = new GuardedCluster(9)
    await cluster.run(async (world) => {
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      await cluster.store(world, root).txn({ then: [put('a')] })
      const speaker = { principal: node, credentials: () => ({ nodeKey: 'guessed' }) }
      const endpoints = cluster.members.map(({ address }) => address)
      const forger = openClusterStore(world, { endpoints, node: speaker })
      expect(await codeOf(forger.range({ key: 'a' }, { timeoutMs: 1_000 }))).not.toBe('none')
      const connection = await world.network.connect('node1:7400')
      let isClosed = false
      connection.handle({ frame: () => {}, closed: () => (isClosed = true) })
      connection.send(encodeHello({ kind: 'client', clusterId: 'test', from: 2, as: ['node'] }))
      await sleep(world, 1_000)
      expect(isClosed).toBe(true)
    })
  })

  test('nobody can lock himself out', async () => {
    const cluster = new GuardedCluster(10)
    await cluster.run(async (world) => {
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      const id = root.split('_')[1] ?? ''
      expect(await codeOf(cluster.operate(world, 'access.token.revoke', { id }, root))).toBe('conflict')
      expect(await codeOf(cluster.operate(world, 'access.user.remove', { name: 'root' }, root))).toBe(
        'conflict',
      )
      expect(
        await codeOf(cluster.operate(world, 'access.user.roles', { name: 'root', roles: [] }, root)),
      ).toBe('conflict')
      await cluster.operate(world, 'access.user.add', { name: 'second', roles: ['root'] }, root)
      const second = await cluster.operate(world, 'access.token.create', { user: 'second' }, root)
      await cluster.operate(world, 'access.user.remove', { name: 'root' }, second['token'])
      expect(await codeOf(cluster.store(world, root).range({ key: 'a' }))).toBe('unauthenticated')
    })
  })

  test('operators are asked for the right admin, and each action leaves its lines', async () => {
    const cluster = new GuardedCluster(11)
    await cluster.run(async (world) => {
      const { token: root = '' } = await cluster.operate(world, 'access.enable')
      const { token } = await cluster.user(world, root, 'app', [
        { key: '', end: null, rights: ['read', 'write'] },
      ])
      expect(await codeOf(cluster.operate(world, 'access.user.list', null, token))).toBe('permission-denied')
      const client = await NodeClient.open(world, `node${cluster.leader.id}:7400`, { credentials: { token } })
      expect(await codeOf(client.transferLeadership(2))).toBe('permission-denied')
      expect(await codeOf(client.blockPeers([2]))).toBe('permission-denied')
      expect((await client.status()).isReady).toBe(true)
      client.close()
    })
    const text = await cluster.auditLog(cluster.leader.id)
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
    expect(lines.map(({ what, outcome }) => `${what} ${outcome}`)).toEqual(
      expect.arrayContaining([
        'access.enable begun',
        'access.enable done',
        'access.user.list denied',
        'block denied',
      ]),
    )
    expect(lines.find(({ what }) => what === 'access.role.grant')).toMatchObject({ who: 'root' })
    expect(text).not.toContain('alt_')
  })

  test('a caller that asks too much is told when to come again, and its client waits', async () => {
    const cluster = new GuardedCluster(12, { requestsPerSecond: 20 })
    await cluster.run(async (world) => {
      const store = cluster.store(world, undefined, ['node1:7400'])
      const fromMs = world.clock.monotonicMs()
      for (let n = 0; n < 60; n++) await store.txn({ then: [put('a', String(n))] })
      expect(world.clock.monotonicMs() - fromMs).toBeGreaterThan(1_500)
      const client = await NodeClient.open(world, 'node1:7400')
      const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(client.status())))
      expect(codes).toContain('overloaded')
      client.close()
    })
  })
})

async function follow(store: Store, into: WatchBatch[]): Promise<void> {
  for await (const batch of store.watch({ key: '', end: null })) into.push(batch)
}
