import { AlthingError } from '../../contracts/errors.ts'
import type { Connection, Listener, World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import { peerVersionMin } from '../../replication/message-codec.ts'
import type { Member, PeerTransport } from '../../replication/peer-transport.ts'
import type { StoreHost } from '../local/store-host.ts'
import { ClientSession } from './client-session.ts'
import { LeaderLink } from './leader-link.ts'
import type { NodeStatus } from './node-status.ts'
import type { OperatorCalls } from './operator-calls.ts'
import { decodeHello, type Hello } from './protocol.ts'

export interface ClusterServerOptions {
  readonly world: World
  readonly host: StoreHost
  readonly transport: PeerTransport
  readonly clusterId: string
  readonly nodeId: NodeId
  readonly members: readonly Member[]
  readonly operators: OperatorCalls
  status(): NodeStatus
  /** Client connections past which more are closed at once (default 10 000). */
  readonly clientsMax?: number
}

/** A caller that has not greeted by then is cut off. */
const helloTimeoutMs = 5_000
/** Callers that have not greeted yet, past which more are cut off at once. */
const greetingsMax = 1_024

/** The listening end of a node: peers are handed to the transport, clients get a session. */
export class ClusterServer {
  readonly #options: ClusterServerOptions
  readonly #sessions = new Set<ClientSession>()
  readonly #leader: LeaderLink
  #listener: Listener | undefined
  #greetings = 0

  constructor(options: ClusterServerOptions) {
    this.#options = options
    const { clusterId, members } = options
    const addressOf = (id: NodeId): string | undefined => members.find((member) => member.id === id)?.address
    this.#leader = new LeaderLink(options.world, { clusterId, addressOf })
  }

  /** Rejects with `unavailable` when the address is taken. */
  async listen(address: string): Promise<string> {
    this.#listener = await this.#options.world.network.listen(address, (connection) =>
      this.#greet(connection),
    )
    return this.#listener.address
  }

  get clients(): number {
    return this.#sessions.size
  }

  leaderChanged(leader: NodeId): void {
    for (const session of this.#sessions) session.leaderChanged(leader)
  }

  async close(): Promise<void> {
    this.#leader.close()
    for (const session of this.#sessions) session.close()
    await this.#listener?.close()
  }

  #greet(connection: Connection): void {
    if (this.#greetings >= greetingsMax) {
      this.#refuse(connection, `${greetingsMax} callers have not greeted yet`)
      return
    }
    this.#greetings++
    const timer = this.#options.world.timers.after(helloTimeoutMs, () =>
      this.#refuse(connection, 'no greeting'),
    )
    let isWaiting = true
    const finish = (): void => {
      if (!isWaiting) return
      isWaiting = false
      this.#greetings--
      timer.cancel()
    }
    connection.handle({
      frame: (frame) => {
        if (!isWaiting) return
        finish()
        try {
          this.#admit(connection, decodeHello(frame))
        } catch (error) {
          this.#refuse(connection, error instanceof Error ? error.message : String(error))
        }
      },
      closed: finish,
    })
  }

  #refuse(connection: Connection, reason: string): void {
    this.#options.world.logger.log('warn', 'connection refused', { remote: connection.remoteAddress, reason })
    connection.close()
  }

  #admit(connection: Connection, hello: Hello): void {
    const { clusterId, members, transport, nodeId } = this.#options
    if (hello.clusterId !== clusterId && (hello.kind === 'peer' || hello.clusterId !== '')) {
      throw new AlthingError(
        'incompatible-peer',
        `the caller belongs to cluster ${hello.clusterId}, this node to ${clusterId}`,
      )
    }
    if (hello.kind === 'peer') {
      const isMember = hello.from !== nodeId && members.some((member) => member.id === hello.from)
      if (!isMember)
        throw new AlthingError('incompatible-peer', `${hello.from} is not another member of this cluster`)
      transport.accept(hello.from, hello.peerVersion ?? peerVersionMin, connection)
      return
    }
    if (this.#sessions.size >= (this.#options.clientsMax ?? 10_000))
      throw new AlthingError('overloaded', 'too many clients')
    this.#startSession(connection)
  }

  #startSession(connection: Connection): void {
    const { clusterId, nodeId, members, host, transport, world, operators, status } = this.#options
    const session = new ClientSession({
      connection,
      logger: world.logger,
      host: () => host,
      leader: this.#leader,
      operators,
      status,
      block: (peers) => transport.block(peers),
      ended: () => this.#sessions.delete(session),
    })
    this.#sessions.add(session)
    session.welcome({ clusterId, nodeId, members, leader: host.group.leader })
  }
}
