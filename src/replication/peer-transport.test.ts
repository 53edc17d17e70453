import { expect, test } from 'vitest'
import type { Connection, World } from '../contracts/world.ts'
import type { Message } from '../protocols/raft/types.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { GroupTransport } from './group-transport.ts'
import { decodeFrame, encodeFrame, encodeFrameVersion1, type GroupMessage } from './message-codec.ts'
import { PeerTransport } from './peer-transport.ts'

const addressOf = (id: number) => ({ id, address: `node${id}:7400` })
const hello = new Uint8Array([1])

function question(from: number, to: number, id: number): Message {
  return { type: 'readIndex', from, to, term: 1, id }
}

interface NodeOptions {
  readonly members?: readonly number[]
  /** What this node's greeting is taken to say. */
  readonly protocol?: number
  readonly groups?: readonly number[]
}

class Node {
  readonly id: number
  /** Of group 1. */
  readonly received: number[] = []
  readonly receivedOf = new Map<number, number[]>()
  readonly unreachable: number[] = []
  readonly accepted: Connection[] = []
  readonly unknown: (readonly [group: number, from: number])[] = []
  readonly groups = new Map<number, GroupTransport>()
  transport!: PeerTransport
  world!: World
  /** Of those who call. */
  protocol: number
  readonly #options: NodeOptions

  constructor(id: number, options: NodeOptions = {}) {
    this.id = id
    this.protocol = options.protocol ?? 2
    this.#options = options
  }

  async run(world: World): Promise<void> {
    const { members = [1, 2], groups = [1] } = this.#options
    this.world = world
    this.transport = new PeerTransport({
      world,
      self: this.id,
      members: members.map(addressOf),
      hello: new Uint8Array([this.id]),
      unknownGroup: (group, from) => this.unknown.push([group, from]),
    })
    await world.network.listen(`node${this.id}:7400`, (connection) => {
      this.accepted.push(connection)
      // The first frame is the greeting, which the listener reads.
      connection.handle({
        frame: ([from]) => this.transport.accept(from as number, this.protocol, connection),
        closed: () => {},
      })
    })
    for (const group of groups) this.host(group)
  }

  host(id: number): void {
    const received = id === 1 ? this.received : []
    this.receivedOf.set(id, received)
    const group = this.transport.group(id)
    this.groups.set(id, group)
    group.start({
      receive: (message) => {
        if (message.type === 'readIndex') received.push(message.id)
      },
      unreachable: (peer) => this.unreachable.push(peer),
    })
  }

  send(message: Message, group = 1): void {
    this.groups.get(group)?.send(message)
  }
}

function startWith(nodes: readonly Node[], seed = 1): Simulation {
  const simulation = new Simulation({ seed })
  for (const node of nodes) simulation.process(`node${node.id}`, (world) => node.run(world))
  return simulation
}

function start(options: readonly [NodeOptions?, NodeOptions?] = []): {
  simulation: Simulation
  first: Node
  second: Node
} {
  const [first, second] = [new Node(1, options[0]), new Node(2, options[1])]
  return { simulation: startWith([first, second]), first, second }
}

async function connect(simulation: Simulation, first: Node, second: Node): Promise<void> {
  await simulation.runUntil(
    () =>
      first.transport?.isConnected(second.id) &&
      second.transport?.isConnected(first.id) &&
      first.transport.protocolOf(second.id) !== undefined &&
      second.transport.protocolOf(first.id) !== undefined,
  )
}

/** The frames that come to the node from now on, instead of their delivery. */
function recordFrames(second: Node): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (const connection of second.accepted)
    connection.handle({ frame: (frame) => frames.push(frame), closed: () => {} })
  return frames
}

/** Messages may be lost, or overtake the greeting: raft sends again, and so does this. */
async function deliver(simulation: Simulation, from: Node, to: Node, id: number, group = 1): Promise<void> {
  const received = (): readonly number[] => to.receivedOf.get(group) ?? []
  for (let attempt = 0; attempt < 20 && !received().includes(id); attempt++) {
    from.send(question(from.id, to.id, id), group)
    await simulation.runUntil(simulation.nowMs + 100)
  }
  expect(received()).toContain(id)
}

function framed(from: number, to: number): Uint8Array {
  return encodeFrame({ from, to, messages: [{ group: 1, message: question(from, to, 1) }] })
}

test('carries messages, and connects again after a break and after a restart of the peer', async () => {
  const { simulation, first, second } = start()
  await connect(simulation, first, second)
  await deliver(simulation, first, second, 1)
  const told = first.unreachable.length
  simulation.network.breakConnections('node1', 'node2')
  await simulation.runUntil(() => first.unreachable.length >= told + 2)
  await deliver(simulation, first, second, 2)
  simulation.processes[1]?.restart()
  await simulation.runUntil(() => !first.transport.isConnected(2))
  await simulation.runUntil(() => first.transport.isConnected(2))
  await deliver(simulation, first, second, 3)
})

test('a peer that is blocked is neither heard nor spoken to, until the block is lifted', async () => {
  const { simulation, first, second } = start()
  await connect(simulation, first, second)
  first.transport.block([2])
  expect([...first.transport.blocked]).toEqual([2])
  first.send(question(1, 2, 1))
  second.send(question(2, 1, 1))
  await simulation.runUntil(simulation.nowMs + 1_000)
  expect([first.received, second.received]).toEqual([[], []])
  first.transport.block([])
  second.send(question(2, 1, 2))
  await simulation.runUntil(() => first.received.includes(2))
})

test('a connection that brings a malformed message, or one for others, is closed; the peer comes again', async () => {
  const { simulation, first, second } = start()
  await connect(simulation, first, second)
  for (const frame of [
    new Uint8Array([9, 9]),
    framed(5, 2),
    framed(1, 7),
    encodeFrameVersion1({ group: 1, message: question(5, 2, 1) }) as Uint8Array,
  ]) {
    const [count, told] = [second.accepted.length, first.unreachable.length]
    let isClosed = false
    simulation.process(`stranger${count}`, async (world) => {
      const connection = await world.network.connect('node2:7400')
      connection.handle({ frame: () => {}, closed: () => (isClosed = true) })
      connection.send(hello)
      connection.send(frame)
    })
    await simulation.runUntil(() => isClosed)
    await simulation.runUntil(() => first.unreachable.length > told && first.transport.isConnected(2))
  }
  expect(second.received).toEqual([])
  await deliver(simulation, first, second, 8)
})

test('a peer that never says anything is dialled anew; one that answers is not', async () => {
  const { simulation, first, second } = start()
  await connect(simulation, first, second)
  const accepted = second.accepted.length
  const every100ms = async (ms: number, isAnswering: boolean) => {
    for (let at = 0; at < ms; at += 100) {
      first.send(question(1, 2, at))
      if (isAnswering) second.send(question(2, 1, at))
      await simulation.runUntil(simulation.nowMs + 100)
    }
  }
  await every100ms(10_000, true)
  expect(second.accepted.length).toBe(accepted)
  await every100ms(10_000, false)
  expect(second.accepted.length).toBeGreaterThanOrEqual(accepted + 2)
})

test('a peer that hangs up at once is called again after pauses that grow', async () => {
  const first = new Node(1)
  const simulation = startWith([first])
  let calls = 0
  simulation.process('node2', async (world) => {
    await world.network.listen('node2:7400', (connection) => {
      calls++
      connection.close()
    })
  })
  await simulation.runUntil(10_000)
  const early = calls
  await simulation.runUntil(30_000)
  expect(early).toBeGreaterThan(5)
  expect(early).toBeLessThan(40)
  // 0.5 to 1 second between two calls, by now.
  expect(calls - early).toBeGreaterThanOrEqual(19)
  expect(calls - early).toBeLessThanOrEqual(41)
})

test('after close nothing is dialled, held or delivered', async () => {
  const { simulation, first, second } = start()
  await connect(simulation, first, second)
  first.transport.close()
  await simulation.runUntil(simulation.nowMs + 10)
  const count = second.accepted.length
  second.send(question(2, 1, 5))
  await simulation.runUntil(simulation.nowMs + 20_000)
  expect(second.accepted.length).toBe(count)
  expect(first.received).toEqual([])
})

test('the messages of all groups that one piece of work sends share a frame, and come in their order', async () => {
  const groups = [1, 2, 3, 900]
  const { simulation, first, second } = start([{ groups }, { groups }])
  await connect(simulation, first, second)
  for (const group of groups) await deliver(simulation, first, second, group, group)
  const frames = recordFrames(second)
  for (let attempt = 0; frames.length === 0; attempt++) {
    expect(attempt).toBeLessThan(20)
    for (const group of [900, 1, 3]) first.send(question(1, 2, group * 10), group)
    first.send(question(1, 2, 11), 1)
    await simulation.runUntil(simulation.nowMs + 100)
  }
  const { messages } = decodeFrame(frames[0] as Uint8Array)
  const shown = messages.map(({ group, message }) => [group, message.type === 'readIndex' && message.id])
  expect(shown).toEqual([
    [900, 9000],
    [1, 10],
    [3, 30],
    [1, 11],
  ])
})

test('heartbeats that wait share a frame over the timers of one turn; what cannot wait takes them along at once', async () => {
  const groups = Array.from({ length: 100 }, (_, i) => i + 1)
  const { simulation, first, second } = start([{ groups }, { groups }])
  await connect(simulation, first, second)
  const frames = recordFrames(second)
  const beats = (): GroupMessage[] => frames.flatMap((frame) => [...decodeFrame(frame).messages])
  for (let attempt = 0; frames.length === 0; attempt++) {
    expect(attempt).toBeLessThan(20)
    for (const group of groups) {
      // Each in a callback of its own, as the timers of the groups are.
      first.world.timers.after(10, () => first.groups.get(group)?.send(question(1, 2, group), true))
    }
    await simulation.runUntil(simulation.nowMs + 100)
  }
  expect(beats().length % groups.length).toBe(0)
  expect((frames[0] as Uint8Array).byteLength).toBeLessThan(1_000)
  expect(decodeFrame(frames[0] as Uint8Array).messages.length).toBe(groups.length)
})

test('a peer is spoken to in version 1 until its greeting has shown version 2', async () => {
  const [first, second] = [new Node(1, { groups: [1, 2], protocol: 1 }), new Node(2, { groups: [1, 2] })]
  const simulation = startWith([first, second])
  await connect(simulation, first, second)
  expect(first.transport.protocolOf(2)).toBe(1)
  await deliver(simulation, first, second, 1)
  const frames = recordFrames(second)
  const joint = { voters: [1, 2], outgoingVoters: [1] }
  const snapshot = (configuration: { voters: number[] }): Message => ({
    type: 'installSnapshot',
    from: 1,
    to: 2,
    term: 1,
    snapshot: { index: 5, term: 1, configuration },
    transferId: 1,
    offset: 0,
    data: new Uint8Array(3),
    done: false,
    round: 1,
  })
  for (let attempt = 0; attempt < 5; attempt++) {
    first.send(question(1, 2, 7), 1)
    first.send(question(1, 2, 8), 2)
    first.send(snapshot(joint))
    first.send(snapshot({ voters: [1, 2] }))
    await simulation.runUntil(simulation.nowMs + 100)
  }
  const versions = new Set(frames.map((frame) => frame[1]))
  expect([...versions], 'the second item of each frame is the version').toEqual([1])
  const messages = frames.flatMap((frame) => decodeFrame(frame).messages)
  expect(messages.every(({ group }) => group === 1)).toBe(true)
  const configurations = messages.flatMap(({ message }) =>
    message.type === 'installSnapshot' ? [message.snapshot.configuration] : [],
  )
  expect(configurations.length).toBeGreaterThan(0)
  for (const configuration of configurations) expect(configuration).toEqual({ voters: [1, 2] })
})

test('messages for a group that is not hosted are reported, and harm nothing', async () => {
  const { simulation, first, second } = start([{ groups: [1, 5] }, {}])
  await connect(simulation, first, second)
  for (let attempt = 0; attempt < 20 && second.unknown.length === 0; attempt++) {
    first.send(question(1, 2, 1), 5)
    await simulation.runUntil(simulation.nowMs + 100)
  }
  expect(second.unknown[0]).toEqual([5, 1])
  second.host(5)
  await deliver(simulation, first, second, 2, 5)
  second.groups.get(5)?.close()
  const before = second.unknown.length
  for (let attempt = 0; attempt < 20 && second.unknown.length === before; attempt++) {
    first.send(question(1, 2, 3), 5)
    await simulation.runUntil(simulation.nowMs + 100)
  }
  expect(second.unknown.length).toBeGreaterThan(before)
  expect(second.receivedOf.get(5)).not.toContain(3)
  await deliver(simulation, first, second, 4)
})

test('members who come are dialled, those who leave are cut off, one that moves is dialled where it is', async () => {
  const nodes = [new Node(1), new Node(2), new Node(3, { members: [1, 2, 3] })]
  const [first, second, third] = nodes as [Node, Node, Node]
  const simulation = startWith(nodes)
  await connect(simulation, first, second)
  first.transport.setMembers([1, 2, 3].map(addressOf))
  await simulation.runUntil(() => first.transport.isConnected(3))
  await deliver(simulation, first, third, 1)
  let hasLeft = false
  first.accepted.at(-1)?.handle({ frame: () => {}, closed: () => (hasLeft = true) })
  first.transport.setMembers([1, 2].map(addressOf))
  expect(first.transport.isConnected(3)).toBe(false)
  expect(first.transport.protocolOf(3)).toBeUndefined()
  await simulation.runUntil(() => hasLeft || third.unreachable.includes(1))
  await deliver(simulation, first, second, 2)
  const accepted = third.accepted.length
  first.transport.setMembers([
    { id: 1, address: 'node1:7400' },
    { id: 2, address: 'node3:7400' },
  ])
  await simulation.runUntil(() => third.accepted.length > accepted)
})

test('past its bound of waiting bytes a peer is sent nothing more', async () => {
  const { simulation, first, second } = start()
  await connect(simulation, first, second)
  const entry = { index: 1, term: 1, kind: 'command' as const, data: new Uint8Array(1_000_000) }
  const frames = recordFrames(second)
  for (let i = 0; i < 100; i++) {
    first.send({
      type: 'appendEntries',
      from: 1,
      to: 2,
      term: 1,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [entry],
      leaderCommit: 0,
      round: i,
    })
  }
  await simulation.runUntil(simulation.nowMs + 60_000)
  expect(frames.length).toBeGreaterThan(5)
  expect(frames.length).toBeLessThan(45)
  for (const frame of frames) expect(frame.byteLength).toBeLessThan(2_200_000)
})
