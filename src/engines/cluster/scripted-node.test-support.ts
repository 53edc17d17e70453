import type { Connection, World } from '../../contracts/world.ts'
import type { StoreCommand } from '../../models/store/types.ts'
import { decodeCommand } from '../../models/store/codec.ts'
import { encodeStoreReply } from '../../models/store/wire.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Member } from '../../replication/peer-transport.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import {
  decodeHello,
  decodeRequest,
  encodeError,
  encodeMembers,
  encodeRefusal,
  encodeReply,
  encodeWelcome,
  methods,
  type Request,
  replyStatus,
} from './protocol.ts'

/** `undefined`: no answer. An error is sent as one. */
export type Answer = (request: Request, command: StoreCommand | undefined) => unknown

/** The node's end of the protocol, with answers by the test. */
export class ScriptedNode {
  readonly requests: Request[] = []
  readonly connections: Connection[] = []
  readonly open = new Set<Connection>()
  answer: Answer = () => undefined
  /** Told in the welcome. */
  leader = 0
  /** Told in the welcome; default: one for each scripted node. */
  members: readonly Member[] | undefined
  membersVersion = 0
  isGreeting = true
  /** Answers every greeting with this. */
  refusal: AlthingError | undefined

  async listen(world: World, id: number, size: number, clusterId = 'test'): Promise<void> {
    const members = Array.from({ length: size }, (_, i) => ({ id: i + 1, address: `node${i + 1}:7400` }))
    await world.network.listen(`node${id}:7400`, (connection) => {
      this.connections.push(connection)
      this.open.add(connection)
      connection.handle({
        frame: (frame) => {
          if (!this.isGreeting) return
          decodeHello(frame)
          if (this.refusal !== undefined) {
            connection.send(encodeRefusal(this.refusal))
            return
          }
          const { leader, membersVersion } = this
          const told = this.members ?? members
          connection.send(encodeWelcome({ clusterId, nodeId: id, members: told, leader, membersVersion }))
          connection.handle({
            frame: (next) => this.#serve(connection, next),
            closed: () => this.open.delete(connection),
          })
        },
        closed: () => this.open.delete(connection),
      })
    })
  }

  /** Says to all its clients who the members are now. */
  tellMembers(members: readonly Member[], version: number): void {
    this.members = members
    this.membersVersion = version
    const body = encodeMembers(members, version)
    for (const connection of this.open) connection.send(encodeReply(0, replyStatus.members, body))
  }

  /** Greets nobody any more and drops its clients. */
  die(): void {
    this.isGreeting = false
    for (const connection of [...this.open]) connection.close()
  }

  count(method: number): number {
    return this.requests.filter((request) => request.method === method).length
  }

  #serve(connection: Connection, frame: Uint8Array): void {
    const request = decodeRequest(frame)
    this.requests.push(request)
    const isCommand = request.method === methods.mutate
    const reply = this.answer(request, isCommand ? decodeCommand(request.body as Uint8Array) : undefined)
    if (reply === undefined) return
    const isError = reply instanceof AlthingError
    const status = isError ? replyStatus.error : replyStatus.ok
    connection.send(encodeReply(request.id, status, isError ? encodeError(reply) : reply))
  }
}

/** Runs `body` as a client of so many scripted nodes, `node1:7400` and so on. */
export async function withScriptedNodes(
  size: number,
  body: (world: World, nodes: readonly ScriptedNode[], simulation: Simulation) => Promise<void>,
): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  const nodes = Array.from({ length: size }, () => new ScriptedNode())
  for (const [i, node] of nodes.entries())
    simulation.process(`node${i + 1}`, (world) => node.listen(world, i + 1, size))
  let isDone = false
  simulation.process('client', async (world) => {
    await new Promise<void>((resolve) => world.timers.after(100, resolve))
    await body(world, nodes, simulation)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 600_000 })
}

export const unavailable = (): AlthingError =>
  new AlthingError('unavailable', 'no leader is known', { outcome: 'none' })

/** Opens sessions 1, 2, ... and answers transactions with revision 2. */
export function commandAnswers(session: { last: number } = { last: 0 }): Answer {
  return (_, command) => {
    if (command?.type === 'openSession')
      return encodeStoreReply({ ok: true, type: 'openSession', session: ++session.last })
    return encodeStoreReply({ ok: true, type: 'txn', reply: { revision: 2, succeeded: true, replies: [] } })
  }
}
