import { expect, test } from 'vitest'
import type { Connection, World } from '../contracts/world.ts'
import type { Message } from '../protocols/raft/types.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { encodeMessage } from './message-codec.ts'
import { PeerTransport } from './peer-transport.ts'

const members = [1, 2].map((id) => ({ id, address: `node${id}:7400` }))
const hello = new Uint8Array([1])

function question(from: number, to: number, id: number): Message {
  return { type: 'readIndex', from, to, term: 1, id }
}

class Member {
  readonly id: number
  readonly received: number[] = []
  readonly unreachable: number[] = []
  readonly accepted: Connection[] = []
  transport!: PeerTransport
  world!: World

  constructor(id: number) {
    this.id = id
  }

  async run(world: World): Promise<void> {
    this.world = world
    this.transport = new PeerTransport({ world, self: this.id, members, hello })
    await world.network.listen(`node${this.id}:7400`, (connection) => {
      this.accepted.push(connection)
      // The first frame is the greeting, which the listener reads.
      connection.handle({ frame: () => this.transport.accept(3 - this.id, connection), closed: () => {} })
    })
    this.transport.start({
      receive: (message) => {
        if (message.type === 'readIndex') this.received.push(message.id)
      },
      unreachable: (peer) => this.unreachable.push(peer),
    })
  }
}

function start(seed = 1): { simulation: Simulation; first: Member; second: Member } {
  const simulation = new Simulation({ seed })
  const [first, second] = [new Member(1), new Member(2)]
  for (const member of [first, second]) simulation.process(`node${member.id}`, (world) => member.run(world))
  return { simulation, first, second }
}

/** Messages may be lost, or overtake the greeting: raft sends again, and so does this. */
async function deliver(simulation: Simulation, from: Member, to: Member, id: number): Promise<void> {
  for (let attempt = 0; attempt < 20 && !to.received.includes(id); attempt++) {
    from.transport.send(question(from.id, to.id, id))
    await simulation.runUntil(simulation.nowMs + 100)
  }
  expect(to.received).toContain(id)
}

test('carries messages, and connects again after a break and after a restart of the peer', async () => {
  const { simulation, first, second } = start()
  await simulation.runUntil(() => first.transport?.isConnected(2) && second.transport?.isConnected(1))
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
  await simulation.runUntil(() => first.transport?.isConnected(2) && second.transport?.isConnected(1))
  first.transport.block([2])
  expect([...first.transport.blocked]).toEqual([2])
  first.transport.send(question(1, 2, 1))
  second.transport.send(question(2, 1, 1))
  await simulation.runUntil(simulation.nowMs + 1_000)
  expect([first.received, second.received]).toEqual([[], []])
  first.transport.block([])
  second.transport.send(question(2, 1, 2))
  await simulation.runUntil(() => first.received.includes(2))
})

test('a connection that brings a malformed message, or one for others, is closed; the peer comes again', async () => {
  const { simulation, first, second } = start()
  await simulation.runUntil(() => first.transport?.isConnected(2) && second.transport?.isConnected(1))
  for (const frame of [
    new Uint8Array([9, 9]),
    encodeMessage(question(5, 2, 1)),
    encodeMessage(question(1, 7, 1)),
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
  await simulation.runUntil(() => first.transport?.isConnected(2) && second.transport?.isConnected(1))
  const accepted = second.accepted.length
  const every100ms = async (ms: number, isAnswering: boolean) => {
    for (let at = 0; at < ms; at += 100) {
      first.transport.send(question(1, 2, at))
      if (isAnswering) second.transport.send(question(2, 1, at))
      await simulation.runUntil(simulation.nowMs + 100)
    }
  }
  await every100ms(10_000, true)
  expect(second.accepted.length).toBe(accepted)
  await every100ms(10_000, false)
  expect(second.accepted.length).toBeGreaterThanOrEqual(accepted + 2)
})

test('after close nothing is dialled, held or delivered', async () => {
  const { simulation, first, second } = start()
  await simulation.runUntil(() => first.transport?.isConnected(2) && second.transport?.isConnected(1))
  first.transport.close()
  await simulation.runUntil(simulation.nowMs + 10)
  const count = second.accepted.length
  second.transport.send(question(2, 1, 5))
  await simulation.runUntil(simulation.nowMs + 20_000)
  expect(second.accepted.length).toBe(count)
  expect(first.received).toEqual([])
})
