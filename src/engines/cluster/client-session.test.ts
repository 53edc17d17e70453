import { expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { WatchBatch } from '../../contracts/store.ts'
import type { Connection, World } from '../../contracts/world.ts'
import { encodeCommand } from '../../models/store/codec.ts'
import { encodeRangeRequest } from '../../models/store/wire.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { openClusterNode } from './cluster-node.ts'
import { openClusterStore } from './cluster-store.ts'
import {
  decodeError,
  decodeReply,
  encodeHello,
  encodeRequest,
  type Method,
  methods,
  replyStatus,
} from './protocol.ts'
import { encodeWatchRequest } from './watch-request.ts'

/** A client that says what it likes. */
class RawClient {
  readonly replies: (readonly [id: number, status: number, body: unknown])[] = []
  isClosed = false
  readonly #connection: Connection
  readonly #world: World

  static async open(world: World): Promise<RawClient> {
    return new RawClient(world, await world.network.connect('node1:7400'))
  }

  private constructor(world: World, connection: Connection) {
    this.#world = world
    this.#connection = connection
    let isWelcome = true
    connection.handle({
      frame: (frame) => {
        if (!isWelcome) this.replies.push(decodeReply(frame))
        isWelcome = false
      },
      closed: () => {
        this.isClosed = true
      },
    })
    connection.send(encodeHello({ kind: 'client', clusterId: 'test', from: 0 }))
  }

  send(frame: Uint8Array): void {
    this.#connection.send(frame)
  }

  /** The code of the error that answers the request; '' for an answer that is none. */
  async ask(id: number, method: number, body: unknown): Promise<string | undefined> {
    this.send(encodeRequest(id, method as Method, 1_000, 0, body))
    await new Promise<void>((resolve) => this.#world.timers.after(100, resolve))
    const reply = this.replies.find((each) => each[0] === id && each[1] !== replyStatus.more)
    if (reply === undefined) return undefined
    return reply[1] === replyStatus.error ? decodeError(reply[2]).code : ''
  }
}

async function withNode(body: (world: World, simulation: Simulation) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  simulation.process('node1', async (world) => {
    const members = [{ id: 1, address: 'node1:7400' }]
    await openClusterNode({ world, id: 1, members, clusterId: 'test' })
  })
  let isDone = false
  simulation.process('client', async (world) => {
    await new Promise<void>((resolve) => world.timers.after(500, resolve))
    await body(world, simulation)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 600_000 })
}

const stamp = { session: 0, sequence: 0, acknowledged: 0 }

test('each malformed request is answered with its error, and the connection goes on', async () => {
  await withNode(async (world) => {
    const client = await RawClient.open(world)
    const emptyKey = encodeCommand({
      ...stamp,
      type: 'txn',
      compare: [],
      then: [{ op: 'put', key: '', value: new Uint8Array(0) }],
      else: [],
    })
    const bad: readonly (readonly [number, unknown, string])[] = [
      [methods.mutate, null, 'corrupt'],
      [methods.mutate, new Uint8Array([1, 200]), 'corrupt'],
      [methods.mutate, emptyKey, 'invalid-argument'],
      [methods.mutate, encodeCommand({ type: 'expireLeases', leases: [1] }), 'permission-denied'],
      [methods.range, 'x', 'corrupt'],
      [methods.range, [encodeRangeRequest({ key: 'k' }), 'eventual'], 'corrupt'],
      [methods.keepLeaseAlive, 'one', 'corrupt'],
      [methods.keepLeaseAlive, 77, 'lease-not-found'],
      [methods.leases, 3, 'corrupt'],
      [methods.watch, {}, 'corrupt'],
      [methods.transferLeadership, null, 'corrupt'],
      [methods.block, 5, 'corrupt'],
      [999, null, 'incompatible-peer'],
    ]
    for (const [i, [method, body, code]] of bad.entries())
      expect([i, await client.ask(i + 1, method, body)]).toEqual([i, code])
    expect(await client.ask(50, methods.watch, encodeWatchRequest({ key: 'k' }))).toBeUndefined()
    expect(await client.ask(50, methods.watch, encodeWatchRequest({ key: 'k' }))).toBe('invalid-argument')
    expect(await client.ask(51, methods.ping, null)).toBe('')
    expect(client.isClosed).toBe(false)
  })
})

test('a malformed frame closes its connection with one line in the log, and the node serves on', async () => {
  await withNode(async (world, simulation) => {
    const [good, bad, mute] = [
      await RawClient.open(world),
      await RawClient.open(world),
      await world.network.connect('node1:7400'),
    ]
    let isMuteClosed = false
    mute.handle({ frame: () => {}, closed: () => (isMuteClosed = true) })
    bad.send(new Uint8Array([0xc1, 1, 2]))
    await new Promise<void>((resolve) => world.timers.after(200, resolve))
    expect([bad.isClosed, good.isClosed]).toEqual([true, false])
    const lines = simulation.processes.find(({ name }) => name === 'node1')?.log.lines ?? []
    expect(lines.filter(({ message }) => message.includes('malformed')).length).toBe(1)
    expect(await good.ask(1, methods.range, [encodeRangeRequest({ key: 'k' }), 'linearizable'])).toBe('')
    await new Promise<void>((resolve) => world.timers.after(6_000, resolve))
    expect(isMuteClosed).toBe(true)
  })
})

test('a change larger than a frame reaches its watchers whole, and harms no node', async () => {
  await withNode(async (world) => {
    const store = openClusterStore(world, { endpoints: ['node1:7400'] })
    const value = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 20; i++) await store.txn({ then: [{ op: 'put', key: `k${i}`, value }] })
    const watch = store.watch({ key: 'k', end: 'l', previous: true })[Symbol.asyncIterator]()
    expect((await watch.next()).value).toMatchObject({ kind: 'created' })
    await store.txn({ then: [{ op: 'delete', key: 'k', end: 'l' }] })
    const { value: batch } = (await watch.next()) as { value: WatchBatch }
    expect(batch.kind === 'events' && batch.events.length).toBe(20)
    expect(
      batch.kind === 'events' &&
        batch.events.every((event) => event.previous?.value.byteLength === 1024 * 1024),
    ).toBe(true)
    await store.txn({ then: [{ op: 'put', key: 'after', value: bytesFromText('x') }] })
    await store.close()
  })
})

test('a resync larger than all that may wait for a client arrives', async () => {
  await withNode(async (world) => {
    const store = openClusterStore(world, { endpoints: ['node1:7400'] })
    const value = new Uint8Array(1024 * 1024)
    let revision = 0
    for (let i = 0; i < 66; i++)
      revision = (await store.txn({ then: [{ op: 'put', key: `k${i}`, value }] })).revision
    await store.compact(revision)
    const watch = store.watch({ key: 'k', end: 'l', fromRevision: 2 })[Symbol.asyncIterator]()
    await watch.next()
    const { value: batch } = (await watch.next()) as { value: WatchBatch }
    expect(batch.kind === 'resync' && batch.kvs.length).toBe(66)
    await store.txn({ then: [{ op: 'put', key: 'k0', value: bytesFromText('x') }] })
    expect((await watch.next()).value).toMatchObject({ kind: 'events' })
    await store.close()
  })
}, 60_000)
