import type { Credentials } from '../../access/access-control.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { SlotTable } from '../../base/slot-table.ts'
import { AlthingError, type ErrorCode, isAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { KnownEndpoints, troubleMs } from './known-endpoints.ts'
import { NodeLoad } from './node-load.ts'
import type { Hello } from './protocol.ts'
import { RpcConnection } from './rpc-connection.ts'
import { dialStaggered } from './staggered-dial.ts'

export type Greeting = Omit<Hello, 'kind' | 'clusterId' | 'from'>

/** A node that makes calls of its own, or in the name of a caller that it has told apart itself. */
export interface NodeSpeaker {
  readonly principal: PrincipalRef
  credentials(): Credentials
}

export interface EndpointPoolOptions {
  readonly world: World
  /** `host:port` of one or more nodes; the others are learnt from them. */
  readonly endpoints: readonly string[]
  /** Checked against the nodes' own; empty: any. */
  readonly clusterId: string
  /** What each node is shown besides: the group wanted, and so on. */
  readonly greeting?: Greeting
  /** For a node that speaks for a caller: what it shows of itself, asked for at each dial. */
  readonly node?: NodeSpeaker
}

interface OpenEndpoint {
  readonly connection: RpcConnection
  readonly load: NodeLoad
}

const connectTimeoutMs = 1_500
/** Whoever speaks something else than Althing (the HTTP face of a node, for one) is not called again for so long. */
const foreignRestMs = 5_000

/** What one node says to a caller that the others would say too: it tells more than that another could not be reached. */
const telling: readonly ErrorCode[] = [
  'incompatible-peer',
  'unauthenticated',
  'permission-denied',
  'not-found',
]

/**
 * A client's connections to the nodes of a cluster: at most one each, opened when first needed. Follows the membership: who joins is dialled when needed,
 * the connection to who leaves is closed.
 */
export class EndpointPool {
  readonly #options: EndpointPoolOptions
  readonly #world: World
  readonly #abort = new AbortController()
  readonly #known: KnownEndpoints
  readonly #open = new Map<string, OpenEndpoint>()
  readonly #opening = new Map<string, Promise<RpcConnection>>()
  readonly #foreign = new Map<string, { readonly error: AlthingError; readonly atMs: number }>()
  readonly #closeListeners = new SlotTable<() => void>()
  #connecting: Promise<RpcConnection> | undefined
  /** Some call may be served by any node: then there should be a choice. */
  #wantsAll = false

  constructor(options: EndpointPoolOptions) {
    this.#options = options
    this.#world = options.world
    this.#known = new KnownEndpoints(options.endpoints)
  }

  get leader(): number {
    return this.#known.leader
  }

  /** In the order in which they would be tried now. */
  get addresses(): readonly string[] {
    return this.#known.inOrder(this.#nowMs)
  }

  get isClosed(): boolean {
    return this.#abort.signal.aborted
  }

  get #nowMs(): number {
    return this.#world.clock.monotonicMs()
  }

  /** Calls `listener` once when the pool is closed. Returns a number for {@link offClose}. */
  onClose(listener: () => void): number {
    return this.#closeListeners.add(listener)
  }

  offClose(id: number): void {
    this.#closeListeners.take(id)
  }

  /**
   * The open connection for a call, if there is one: the leader's where it is known, else that of a node not known to be in trouble, else that
   * of the one whose trouble is oldest. A better node is dialled meanwhile, for the next calls.
   */
  ready(): RpcConnection | undefined {
    const nowMs = this.#nowMs
    const { leaderAddress } = this.#known
    if (leaderAddress !== undefined && !this.#known.isTroubled(leaderAddress, nowMs)) {
      const leader = this.#open.get(leaderAddress)
      if (leader !== undefined) return leader.connection
      this.#dialInBackground(leaderAddress)
    }
    let oldest: RpcConnection | undefined
    let oldestMs = Number.POSITIVE_INFINITY
    for (const [address, { connection }] of this.#open) {
      const atMs = this.#known.troubleAtMs(address, nowMs)
      if (atMs === Number.NEGATIVE_INFINITY) return connection
      if (atMs >= oldestMs) continue
      oldest = connection
      oldestMs = atMs
    }
    if (oldest !== undefined) this.#dialUntried(nowMs)
    return oldest
  }

  /**
   * The open connection for a call that any node can serve from its own copy, even one cut off from the others: that which will probably answer
   * first. All nodes are dialled in the background, so that there is a choice.
   */
  nearest(): RpcConnection | undefined {
    this.#wantsAll = true
    const nowMs = this.#nowMs
    let best: RpcConnection | undefined
    let bestCost = Number.POSITIVE_INFINITY
    for (const { connection, load } of this.#open.values()) {
      const cost = load.cost(connection.requestsUnderWay, nowMs)
      if (cost >= bestCost) continue
      best = connection
      bestCost = cost
    }
    if (best !== undefined) this.#dialUntried(nowMs)
    return best
  }

  /** A call to the nearest node was answered after `latencyMs`. */
  answered(connection: RpcConnection, latencyMs: number): void {
    this.#open.get(connection.address)?.load.answered(latencyMs, this.#nowMs)
  }

  /** Opens a connection to the first node that answers. Rejects with the most telling failure when none does. Shared by all who wait for one. */
  connect(): Promise<RpcConnection> {
    this.#connecting ??= this.#connectAny().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  /** The node cannot serve now (it knows no leader): others are asked first for a while. The connection stays, for what the node can still do. */
  avoid(connection: RpcConnection): void {
    this.#known.troubled(connection.address, this.#nowMs)
    this.answered(connection, troubleMs)
  }

  /** The connection gave no answer, or the node said that it serves no more: use another. */
  distrust(connection: RpcConnection): void {
    this.#known.troubled(connection.address, this.#nowMs)
    connection.close()
  }

  close(): void {
    if (this.isClosed) return
    this.#abort.abort()
    for (const listener of this.#closeListeners.takeAll()) listener()
    for (const { connection } of [...this.#open.values()]) connection.close()
  }

  async #connectAny(): Promise<RpcConnection> {
    const addresses = this.#known.inOrder(this.#nowMs)
    const open = addresses.map((address) => this.#open.get(address)).find((found) => found !== undefined)
    if (open !== undefined) return open.connection
    try {
      return await dialStaggered(this.#world.timers, addresses, (address) => this.#dialOrNote(address))
    } catch (cause) {
      throw failureOf(cause as AggregateError, addresses)
    }
  }

  #dialUntried(nowMs: number): void {
    for (const address of this.#known.inOrder(nowMs)) {
      if (this.#open.has(address) || this.#known.isTroubled(address, nowMs)) continue
      if (!this.#known.isWanted(address)) continue
      this.#dialInBackground(address)
    }
  }

  #dialInBackground(address: string): void {
    if (this.#opening.has(address)) return
    this.#dialOrNote(address).catch(() => undefined)
  }

  async #dialOrNote(address: string): Promise<RpcConnection> {
    try {
      this.#assertNotForeign(address)
      return await this.#dial(address)
    } catch (error) {
      this.#known.troubled(address, this.#nowMs)
      if (isForeign(error) && !this.#foreign.has(address))
        this.#foreign.set(address, { error, atMs: this.#nowMs })
      throw error
    }
  }

  #assertNotForeign(address: string): void {
    const found = this.#foreign.get(address)
    if (found === undefined) return
    if (this.#nowMs - found.atMs < foreignRestMs) throw found.error
    this.#foreign.delete(address)
  }

  #hello(): Hello {
    const { clusterId, greeting, node } = this.#options
    const spoken = node === undefined ? {} : { credentials: node.credentials(), as: node.principal }
    return { kind: 'client', clusterId, from: 0, ...greeting, ...spoken }
  }

  #dial(address: string): Promise<RpcConnection> {
    const under = this.#opening.get(address)
    if (under !== undefined) return under
    const startMs = this.#nowMs
    const opening = RpcConnection.open(
      {
        world: this.#world,
        address,
        hello: this.#hello(),
        as: this.#options.node === undefined ? 'client' : 'node',
        onLeader: (leader) => this.#known.leaderIs(leader, address),
        onMembers: (members, version) => this.#learnMembers(members, version),
        onClosed: (connection) => {
          if (this.#open.get(address)?.connection === connection) this.#open.delete(address)
        },
      },
      this.#abort.signal,
      connectTimeoutMs,
    ).then((connection) => {
      if (this.#abort.signal.aborted) {
        connection.close()
        throw new AlthingError('closed', 'the store has been closed')
      }
      this.#opened(connection, startMs)
      return connection
    })
    this.#opening.set(address, opening)
    const settled = (): void => void this.#opening.delete(address)
    opening.then(settled, settled)
    return opening
  }

  #opened(connection: RpcConnection, startMs: number): void {
    const nowMs = this.#nowMs
    const load = new NodeLoad(nowMs - startMs, nowMs)
    if (!connection.isClosed) this.#open.set(connection.address, { connection, load })
    const { members, membersVersion = 0, leader } = connection.welcome
    this.#learnMembers(members, membersVersion)
    this.#known.leaderIs(leader, connection.address)
    if (this.#wantsAll) this.#dialUntried(nowMs)
  }

  #learnMembers(members: Parameters<KnownEndpoints['learn']>[0], version: number): void {
    if (!this.#known.learn(members, version)) return
    for (const address of this.#foreign.keys())
      if (!this.#known.isWanted(address)) this.#foreign.delete(address)
    for (const [address, { connection }] of [...this.#open])
      if (!this.#known.isWanted(address)) connection.close()
  }
}

function failureOf({ errors }: AggregateError, addresses: readonly string[]): AlthingError {
  const found = (errors as unknown[]).find(
    (error): error is AlthingError => isAlthingError(error) && telling.includes(error.code),
  )
  if (found !== undefined) return found
  const foreign = (errors as unknown[]).find(isForeign)
  const hint = foreign === undefined ? '' : `; ${foreign.message}: is it the address for HTTP?`
  const problem = `no node of the cluster can be reached (tried ${addresses.join(', ')}${hint})`
  return new AlthingError('unavailable', problem, { outcome: 'none', cause: errors.at(-1) })
}

/** What answered there does not speak the protocol; see `NodeNetwork`. */
function isForeign(error: unknown): error is AlthingError {
  return isAlthingError(error, 'unavailable') && error.details?.['isForeign'] === true
}
