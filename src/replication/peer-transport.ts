import type { Connection, Logger, Timer, World } from '../contracts/world.ts'
import type { Message, NodeId } from '../protocols/raft/types.ts'
import { decodeMessage, encodeMessage } from './message-codec.ts'

/** A member of a group and where it listens. */
export interface Member {
  readonly id: NodeId
  /** `host:port` */
  readonly address: string
}

export interface PeerTransportHandler {
  receive(message: Message): void
  /** What was under way to `peer` may be lost. */
  unreachable(peer: NodeId): void
}

export interface PeerTransportOptions {
  readonly world: World
  readonly self: NodeId
  readonly members: readonly Member[]
  /** The first frame on a connection to a peer: it says who is calling. */
  readonly hello: Uint8Array
  /** Bytes waiting for one peer past which messages to it are dropped: raft sends again what matters (default 32 MiB). */
  readonly queuedBytesMax?: number
  /** Bounds of the back-off between attempts to connect (default 20 to 1000 ms, doubling, with jitter). */
  readonly reconnectMsMin?: number
  readonly reconnectMsMax?: number
  /**
   * When messages have been sent to a peer for so long and none has come from it, the connection to it is made anew: one to a machine that lost power hangs
   * for minutes after that machine is back (default 3000).
   */
  readonly silenceMsMax?: number
}

/**
 * Carries raft messages between the members of a group: at most once each, in any order, over one connection a direction. Each node
 * dials every other and sends on the connection it dialled; it receives on those it accepted. A message that cannot leave is
 * dropped: raft is built for that, and a queue of old messages would only delay the new ones.
 */
export class PeerTransport {
  readonly #world: World
  readonly #self: NodeId
  readonly #links = new Map<NodeId, PeerLink>()
  readonly #accepted = new Map<NodeId, Connection>()
  #handler: PeerTransportHandler | undefined
  #blocked: ReadonlySet<NodeId> = new Set()
  #isClosed = false

  constructor(options: PeerTransportOptions) {
    this.#world = options.world
    this.#self = options.self
    for (const member of options.members) {
      if (member.id === options.self) continue
      this.#links.set(member.id, new PeerLink(options, member, () => this.#handler?.unreachable(member.id)))
    }
  }

  start(handler: PeerTransportHandler): void {
    this.#handler = handler
    for (const link of this.#links.values()) link.start()
  }

  send(message: Message): void {
    if (this.#blocked.has(message.to)) return
    const link = this.#links.get(message.to)
    if (link === undefined) {
      this.#world.logger.log('warn', 'message to an unknown member dropped', { to: message.to })
      return
    }
    link.send(encodeMessage(message))
  }

  /** Takes over a connection whose hello named member `peer`. A peer sends on one connection: the one before is closed. */
  accept(peer: NodeId, connection: Connection): void {
    if (this.#isClosed) {
      connection.close()
      return
    }
    const before = this.#accepted.get(peer)
    this.#accepted.set(peer, connection)
    before?.close()
    connection.handle({
      frame: (frame) => this.#receive(peer, connection, frame),
      closed: () => {
        if (this.#accepted.get(peer) === connection) this.#accepted.delete(peer)
      },
    })
  }

  /** Cuts this node off from `peers`, both ways, until called again: for fault drills on a local cluster. */
  block(peers: Iterable<NodeId>): void {
    this.#blocked = new Set(peers)
  }

  get blocked(): ReadonlySet<NodeId> {
    return this.#blocked
  }

  isConnected(peer: NodeId): boolean {
    return this.#links.get(peer)?.isConnected ?? false
  }

  close(): void {
    this.#isClosed = true
    for (const link of this.#links.values()) link.close()
    for (const connection of [...this.#accepted.values()]) connection.close()
  }

  #receive(peer: NodeId, connection: Connection, frame: Uint8Array): void {
    if (this.#blocked.has(peer)) return
    let message: Message
    try {
      message = decodeMessage(frame)
      if (message.from !== peer || message.to !== this.#self)
        throw new Error('the message names other members')
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.#world.logger.log('warn', 'closing a peer connection: malformed message', {
        peer,
        remote: connection.remoteAddress,
        reason,
      })
      connection.close()
      return
    }
    this.#links.get(peer)?.heard()
    this.#handler?.receive(message)
  }
}

/** The connection that this node dialled to one peer, made anew whenever it breaks. */
class PeerLink {
  readonly #world: World
  readonly #logger: Logger
  readonly #member: Member
  readonly #options: PeerTransportOptions
  readonly #broken: () => void
  readonly #abort = new AbortController()
  #connection: Connection | undefined
  #retry: Timer | undefined
  #attempts = 0
  /** When the first message left since the last one came from the peer. */
  #unansweredSinceMs: number | undefined

  constructor(options: PeerTransportOptions, member: Member, broken: () => void) {
    this.#world = options.world
    this.#logger = options.world.logger
    this.#options = options
    this.#member = member
    this.#broken = broken
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  start(): void {
    void this.#dial()
  }

  send(frame: Uint8Array): void {
    const connection = this.#connection
    if (
      connection === undefined ||
      connection.queuedBytes > (this.#options.queuedBytesMax ?? 32 * 1024 * 1024)
    )
      return
    const nowMs = this.#world.clock.monotonicMs()
    this.#unansweredSinceMs ??= nowMs
    if (nowMs - this.#unansweredSinceMs > (this.#options.silenceMsMax ?? 3_000)) {
      this.#lost(connection, new Error('the peer is silent'))
      connection.close()
      return
    }
    connection.send(frame)
  }

  heard(): void {
    this.#unansweredSinceMs = undefined
  }

  close(): void {
    this.#abort.abort()
    this.#retry?.cancel()
    this.#connection?.close()
    this.#connection = undefined
  }

  async #dial(): Promise<void> {
    const { address } = this.#member
    try {
      const connection = await this.#world.network.connect(address, {
        delivery: 'datagram',
        timeoutMs: 1_000,
        signal: this.#abort.signal,
      })
      if (this.#abort.signal.aborted) {
        connection.close()
        return
      }
      connection.handle({ frame: () => {}, closed: (error) => this.#lost(connection, error) })
      connection.send(this.#options.hello)
      this.#connection = connection
      this.#attempts = 0
      this.#logger.log('debug', 'connected to peer', { peer: this.#member.id, address })
      // What raft believed to be in flight on the connection before may never have left.
      this.#broken()
    } catch {
      this.#retryLater()
    }
  }

  #lost(connection: Connection, error: Error | undefined): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#unansweredSinceMs = undefined
    this.#logger.log('debug', 'connection to peer lost', { peer: this.#member.id, reason: error?.message })
    this.#broken()
    this.#retryLater()
  }

  #retryLater(): void {
    if (this.#abort.signal.aborted) return
    const { reconnectMsMin = 20, reconnectMsMax = 1_000 } = this.#options
    const ceiling = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(this.#attempts++, 10))
    const delayMs = ceiling * (0.5 + this.#world.random.float() / 2)
    this.#retry = this.#world.timers.after(delayMs, () => void this.#dial())
  }
}
