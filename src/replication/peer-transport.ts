import { assert } from '../base/assert.ts'
import type { Connection, World } from '../contracts/world.ts'
import type { Message, NodeId } from '../protocols/raft/types.ts'
import { checkGroupId, type GroupId } from './group-id.ts'
import { decodeGossipFrame, encodeGossipFrame, type GossipFrame, isGossipFrame } from './gossip-frame.ts'
import type { GroupTransport, GroupTransportHandler } from './group-transport.ts'
import {
  decodeFrame,
  type GroupMessage,
  type PeerFrame,
  peerVersion,
  peerVersionMin,
} from './message-codec.ts'
import { PeerLink, type PeerLinkOptions } from './peer-link.ts'

/** A member of a cluster and where it listens. */
export interface Member {
  readonly id: NodeId
  /** `host:port` */
  readonly address: string
}

/** The first version of the messages between nodes with gossip among them. */
export const gossipVersion = 3

export interface PeerTransportOptions extends PeerLinkOptions {
  /** Those to dial at first; see {@link PeerTransport.setMembers}. */
  readonly members: readonly Member[]
  /** Told of every message for a group that this node does not host. Called once for each message: what it does, it should do rarely. */
  readonly unknownGroup?: (group: GroupId, from: NodeId) => void
  /** Told of what a peer's other parts tell this node's: see {@link PeerTransport.gossip}. */
  readonly gossiped?: (from: NodeId, message: Uint8Array) => void
  /** Told of a frame that a peer has sent in answer to this node's greeting: a refusal. */
  readonly answered?: (peer: NodeId, frame: Uint8Array) => void
}

/**
 * Carries the raft messages of all groups of a node: at most once each, in any order, over one connection a direction. Each node dials every other and
 * sends on the connection it dialled; it receives on those it accepted. A message that cannot leave is dropped: raft is built for that, and a queue of
 * old messages would only delay the new ones.
 */
export class PeerTransport {
  readonly #options: PeerTransportOptions
  readonly #world: World
  readonly #links = new Map<NodeId, PeerLink>()
  readonly #accepted = new Map<NodeId, Connection>()
  /** By what each peer's last greeting said. */
  readonly #protocols = new Map<NodeId, number>()
  readonly #groups = new Map<GroupId, HostedGroup>()
  #blocked: ReadonlySet<NodeId> = new Set()
  #isStarted = false
  #isClosed = false

  constructor(options: PeerTransportOptions) {
    this.#options = options
    this.#world = options.world
    this.setMembers(options.members)
  }

  /** The transport of one group; it is asked for once, until it is closed. */
  group(id: GroupId): GroupTransport {
    checkGroupId(id)
    assert(!this.#groups.has(id), 'the transport of the group is in use', { group: id })
    const group = new HostedGroup(id, {
      started: () => this.start(),
      send: (item, canWait) => this.#send(item, canWait),
      isConnected: (peer) => this.isConnected(peer),
      closed: () => this.#groups.delete(id),
    })
    this.#groups.set(id, group)
    return group
  }

  /**
   * A message of no group, lost when the connection does not stand. Only to a peer whose greeting said that it understands such (version
   * {@link gossipVersion}): others never see it.
   */
  gossip(to: NodeId, message: Uint8Array): void {
    if (this.#isClosed || this.#blocked.has(to) || (this.#protocols.get(to) ?? 0) < gossipVersion) return
    this.#links.get(to)?.sendFrame(encodeGossipFrame({ from: this.#options.self, to, message }))
  }

  /** Begins to dial; the start of the first group does so too. Idempotent. */
  start(): void {
    if (this.#isStarted || this.#isClosed) return
    this.#isStarted = true
    for (const link of this.#links.values()) link.start()
  }

  /** From now on messages go to these (this node may be among them): new ones are dialled, connections with those who left, or who moved, are closed. */
  setMembers(members: readonly Member[]): void {
    if (this.#isClosed) return
    const addresses = new Map(members.map(({ id, address }) => [id, address]))
    addresses.delete(this.#options.self)
    for (const [peer, link] of [...this.#links]) {
      if (addresses.get(peer) === link.address) continue
      link.close()
      this.#links.delete(peer)
      if (!addresses.has(peer)) this.#forget(peer)
    }
    for (const [peer, address] of addresses) if (!this.#links.has(peer)) this.#link(peer, address)
  }

  /** The version of the messages that `peer` understands, by its last greeting; `undefined` while it has not greeted this node. */
  protocolOf(peer: NodeId): number | undefined {
    return this.#protocols.get(peer)
  }

  /**
   * Takes over a connection whose greeting named the node `peer` and the newest `protocol` that it speaks. A peer sends on one connection: the one
   * before is closed.
   */
  accept(peer: NodeId, protocol: number, connection: Connection): void {
    if (this.#isClosed) {
      connection.close()
      return
    }
    this.#protocols.set(peer, protocol)
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

  /** Closes the connection that `peer` made, if it is here; it may call again. */
  disconnect(peer: NodeId): void {
    this.#accepted.get(peer)?.close()
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

  #link(peer: NodeId, address: string): void {
    const link = new PeerLink(this.#options, peer, address, {
      answered: (frame) => this.#options.answered?.(peer, frame),
      protocol: () => Math.min(this.#protocols.get(peer) ?? peerVersionMin, peerVersion),
      broken: () => {
        for (const group of [...this.#groups.values()]) group.handler?.unreachable(peer)
      },
      gone: () => {
        for (const group of [...this.#groups.values()]) group.handler?.unreachable(peer, true)
      },
    })
    this.#links.set(peer, link)
    if (this.#isStarted) link.start()
  }

  #forget(peer: NodeId): void {
    this.#protocols.delete(peer)
    this.#accepted.get(peer)?.close()
  }

  #send(item: GroupMessage, canWait: boolean): void {
    const { to } = item.message
    if (this.#blocked.has(to)) return
    const link = this.#links.get(to)
    if (link !== undefined) link.send(item, canWait)
    // A member may leave while messages to it are on their way here.
    else this.#world.logger.log('debug', 'message to an unknown member dropped', { to, group: item.group })
  }

  #receive(peer: NodeId, connection: Connection, bytes: Uint8Array): void {
    if (this.#blocked.has(peer)) return
    let frame: PeerFrame | GossipFrame
    try {
      frame = isGossipFrame(bytes) ? decodeGossipFrame(bytes) : decodeFrame(bytes)
      if (frame.from !== peer || frame.to !== this.#options.self)
        throw new Error('the messages name other members')
    } catch (cause) {
      this.#refuse(peer, connection, cause)
      return
    }
    this.#links.get(peer)?.heard()
    if ('message' in frame) this.#options.gossiped?.(peer, frame.message)
    else for (const { group, message } of frame.messages) this.#deliver(group, message)
  }

  #deliver(group: GroupId, message: Message): void {
    if (this.#isClosed) return
    const hosted = this.#groups.get(group)
    if (hosted === undefined) this.#options.unknownGroup?.(group, message.from)
    // Until its raft machine has started, the group is as good as not reached.
    else hosted.handler?.receive(message)
  }

  #refuse(peer: NodeId, connection: Connection, cause: unknown): void {
    this.#world.logger.log('warn', 'closing a peer connection: malformed message', {
      peer,
      remote: connection.remoteAddress,
      reason: cause instanceof Error ? cause.message : String(cause),
    })
    connection.close()
  }
}

interface HostedGroupCalls {
  started(): void
  send(item: GroupMessage, canWait: boolean): void
  isConnected(peer: NodeId): boolean
  closed(): void
}

class HostedGroup implements GroupTransport {
  handler: GroupTransportHandler | undefined
  readonly #id: GroupId
  readonly #calls: HostedGroupCalls
  #isClosed = false

  constructor(id: GroupId, calls: HostedGroupCalls) {
    this.#id = id
    this.#calls = calls
  }

  start(handler: GroupTransportHandler): void {
    if (this.#isClosed) return
    this.handler = handler
    this.#calls.started()
  }

  send(message: Message, canWait = false): void {
    if (!this.#isClosed) this.#calls.send({ group: this.#id, message }, canWait)
  }

  isConnected(peer: NodeId): boolean {
    return this.#calls.isConnected(peer)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.handler = undefined
    this.#calls.closed()
  }
}
