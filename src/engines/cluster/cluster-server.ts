import type { AccessControl } from '../../access/access-control.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import type { RateLimits } from '../../access/rate-limits.ts'
import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { Connection, Listener, World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { GroupId } from '../../replication/group-id.ts'
import { peerVersionMin } from '../../replication/message-codec.ts'
import type { PeerTransport } from '../../replication/peer-transport.ts'
import { ClientSession } from './client-session.ts'
import type { ServedGroup, ServedGroups } from './groups/served-groups.ts'
import type { NodeStatus } from './node-status.ts'
import type { OperatorCalls } from './operator-calls.ts'
import { decodeHello, encodeRefusal, type Hello } from './protocol.ts'
import { refOf, SessionAccess } from './session-access.ts'

export interface ClusterServerOptions {
  readonly world: World
  readonly groups: ServedGroups
  readonly transport: PeerTransport
  readonly clusterId: string
  readonly nodeId: NodeId
  readonly operators: OperatorCalls
  readonly access: AccessControl
  readonly limits: RateLimits
  status(): NodeStatus
  /** Whether a node may take part as a peer; throws what it is to be told otherwise. */
  admitPeer(hello: Hello): void
  /** Calls back when what this node knows of the groups is as new as the call. */
  catchUp(done: (error?: AlthingError) => void): void
  /** Client connections past which more are closed at once (default 10 000). */
  readonly clientsMax?: number
}

/** A caller that has not greeted by then is cut off. */
const helloTimeoutMs = 5_000
/** Callers that have not greeted yet, past which more are cut off at once. */
const greetingsMax = 1_024

const answered: ReadonlySet<string> = new Set([
  'not-member',
  'not-found',
  'unavailable',
  'unauthenticated',
  'overloaded',
])

/** The listening end of a node: peers are handed to the transport, clients get a session. */
export class ClusterServer {
  readonly #options: ClusterServerOptions
  readonly #sessions = new Map<ClientSession, ServedGroup>()
  #listener: Listener | undefined
  #greetings = 0
  #isDraining = false

  constructor(options: ClusterServerOptions) {
    this.#options = options
    options.access.onChange(() => {
      for (const session of [...this.#sessions.keys()]) session.accessChanged()
    })
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

  /** New clients are told to go elsewhere, for as long as that holds. */
  drain(isDraining: boolean): void {
    this.#isDraining = isDraining
  }

  leaderChanged(group: GroupId, leader: NodeId): void {
    for (const [session, served] of this.#sessions) if (served.id() === group) session.leaderChanged(leader)
  }

  /** Tells all clients where their groups are served now. */
  membersChanged(): void {
    for (const [session, served] of this.#sessions)
      session.membersChanged(served.members(), served.membersVersion())
  }

  /** Its clients connect anew, and find where the group is served now. */
  closeGroup(isGone: (group: ServedGroup) => boolean): void {
    for (const [session, served] of [...this.#sessions]) if (isGone(served)) session.close()
  }

  async close(): Promise<void> {
    this.#options.groups.close()
    for (const session of [...this.#sessions.keys()]) session.close()
    await this.#listener?.close()
  }

  #greet(connection: Connection): void {
    if (this.#greetings >= greetingsMax) {
      this.#refuse(connection, new AlthingError('overloaded', `${greetingsMax} callers have not greeted yet`))
      return
    }
    this.#greetings++
    const timer = this.#options.world.timers.after(helloTimeoutMs, () =>
      this.#refuse(connection, new AlthingError('timeout', 'no greeting')),
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
          this.#refuse(connection, asAlthingError(error))
        }
      },
      closed: finish,
    })
  }

  /** The caller is told why, where that is an answer it can use: one that is no Althing at all gets none. */
  #refuse(connection: Connection, error: AlthingError): void {
    const reason = error.message
    this.#options.world.logger.log('warn', 'connection refused', { remote: connection.remoteAddress, reason })
    if (answered.has(error.code)) connection.send(encodeRefusal(error))
    connection.close()
  }

  #admit(connection: Connection, hello: Hello): void {
    const { clusterId, transport } = this.#options
    if (hello.clusterId !== clusterId && (hello.kind === 'peer' || hello.clusterId !== '')) {
      throw new AlthingError(
        'incompatible-peer',
        `the caller belongs to cluster ${hello.clusterId}, this node to ${clusterId}`,
      )
    }
    if (hello.kind === 'peer') {
      if (connection.identity?.isNode === false)
        throw new AlthingError(
          'unauthenticated',
          'the caller has not shown that it is a node of this cluster',
        )
      this.#options.admitPeer(hello)
      transport.accept(hello.from, hello.peerVersion ?? peerVersionMin, connection)
      return
    }
    if (this.#sessions.size >= (this.#options.clientsMax ?? 10_000))
      throw new AlthingError('overloaded', 'too many clients')
    this.#signIn(connection, hello)
  }

  #signIn(connection: Connection, hello: Hello): void {
    const { access, groups } = this.#options
    const signedIn = (ref: PrincipalRef): void => {
      const group = groups.find(hello.group)
      if (group !== undefined) this.#startSession(connection, group, hello, ref)
      else this.#startSessionLater(connection, hello, ref)
    }
    const ref = refOf(access, connection, hello.credentials ?? {}, hello.as)
    if (!(ref instanceof Promise)) {
      signedIn(ref)
      return
    }
    // One that has not signed in yet counts as one that has not greeted: checking a password takes time.
    this.#greetings++
    ref
      .then(signedIn)
      .catch((error: unknown) => this.#refuse(connection, asAlthingError(error)))
      .finally(() => this.#greetings--)
  }

  /** The group may have been created a moment ago, and this node be behind. */
  #startSessionLater(connection: Connection, hello: Hello, ref: PrincipalRef): void {
    const name = hello.group ?? ''
    this.#options.catchUp((error) => {
      const group = this.#options.groups.find(name)
      if (group !== undefined) this.#startSession(connection, group, hello, ref)
      else if (error !== undefined) this.#refuse(connection, error)
      else
        this.#refuse(
          connection,
          new AlthingError('not-found', `there is no group ${name}`, { outcome: 'none' }),
        )
    })
  }

  #startSession(connection: Connection, group: ServedGroup, hello: Hello, ref: PrincipalRef): void {
    const { clusterId, nodeId, transport, world, operators, status, access: control, limits } = this.#options
    const isTooLate = this.#isDraining
    const named =
      hello.group === undefined || group === this.#options.groups.own ? {} : { group: hello.group }
    const isCountedElsewhere = hello.as !== undefined && control.isNode(hello.credentials ?? {}, connection)
    const session: ClientSession = new ClientSession({
      connection,
      access: new SessionAccess({ control, limits, origin: connection, ref, isCountedElsewhere, ...named }),
      logger: world.logger,
      host: () => {
        if (isTooLate) throw draining()
        return group.host()
      },
      leader: group.link,
      operators,
      status,
      block: (peers) => transport.block(peers),
      ended: () => this.#sessions.delete(session),
    })
    this.#sessions.set(session, group)
    session.welcome({
      clusterId,
      nodeId,
      members: group.members(),
      membersVersion: group.membersVersion(),
      leader: group.leader(),
    })
  }
}

/** A client that comes now would have to go again at once; status and operators' calls are answered all the same. */
function draining(): AlthingError {
  return new AlthingError('unavailable', 'this node is being drained: use another', { outcome: 'none' })
}
