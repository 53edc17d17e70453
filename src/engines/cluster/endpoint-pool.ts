import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { RpcConnection } from './rpc-connection.ts'

export interface EndpointPoolOptions {
  readonly world: World
  /** `host:port` of one or more nodes; the others are learnt from them. */
  readonly endpoints: readonly string[]
  /** Checked against the nodes' own; empty: any. */
  readonly clusterId: string
}

const connectTimeoutMs = 1_500
/** A node that said that it cannot serve is asked again after this, or sooner when all others say the same. */
const troubleMs = 2_000

/** A client's connections to the nodes of a cluster: at most one each, opened when first needed. */
export class EndpointPool {
  readonly #options: EndpointPoolOptions
  readonly #abort = new AbortController()
  readonly #open = new Map<string, RpcConnection>()
  readonly #opening = new Map<string, Promise<RpcConnection>>()
  /** Addresses in the order they will be tried; one that failed goes to the end. */
  #addresses: string[]
  readonly #addressOf = new Map<number, string>()
  /** When an address was last found unable to serve; only while that is less than {@link troubleMs} ago. */
  readonly #troubledAtMs = new Map<string, number>()
  readonly #closeListeners = new Set<() => void>()
  #leader = 0

  constructor(options: EndpointPoolOptions) {
    this.#options = options
    this.#addresses = [...new Set(options.endpoints)]
  }

  get leader(): number {
    return this.#leader
  }

  get addresses(): readonly string[] {
    return this.#addresses
  }

  get isClosed(): boolean {
    return this.#abort.signal.aborted
  }

  /** Calls `listener` once when the pool is closed. Returns what takes it back. */
  onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener)
    return () => this.#closeListeners.delete(listener)
  }

  /**
   * The open connection for a call, if there is one: the leader's where it is known, else that of a node not known to be in trouble, else that
   * of the one whose trouble is oldest. A better node is dialled meanwhile, for the next calls.
   */
  ready(): RpcConnection | undefined {
    const leaderAddress = this.#addressOf.get(this.#leader)
    if (leaderAddress !== undefined && !this.#isTroubled(leaderAddress)) {
      const connection = this.#open.get(leaderAddress)
      if (connection !== undefined) return connection
      this.#dialInBackground(leaderAddress)
    }
    let oldest: RpcConnection | undefined
    for (const connection of this.#open.values()) {
      if (!this.#isTroubled(connection.address)) return connection
      if (oldest === undefined || this.#troubleOf(connection) < this.#troubleOf(oldest)) oldest = connection
    }
    if (oldest === undefined) return undefined
    const untried = this.#addresses.find((address) => !this.#open.has(address) && !this.#isTroubled(address))
    if (untried !== undefined) this.#dialInBackground(untried)
    return oldest
  }

  /** Opens a connection to the first node that answers. Rejects with the last failure when none does. */
  async connect(): Promise<RpcConnection> {
    let last: unknown
    for (const address of [...this.#addresses]) {
      if (this.#abort.signal.aborted) break
      const open = this.#open.get(address)
      if (open !== undefined) return open
      try {
        return await this.#dial(address)
      } catch (error) {
        last = error
        this.#troubled(address)
      }
    }
    throw last instanceof AlthingError && last.code === 'incompatible-peer'
      ? last
      : new AlthingError(
          'unavailable',
          `no node of the cluster can be reached (tried ${this.#addresses.join(', ')})`,
          {
            outcome: 'none',
            cause: last,
          },
        )
  }

  /** The node cannot serve now (it knows no leader): others are asked first for a while. The connection stays, for what the node can still do. */
  avoid(connection: RpcConnection): void {
    this.#troubled(connection.address)
  }

  /** The connection gave no answer, or the node said that it serves no more: use another. */
  distrust(connection: RpcConnection): void {
    this.#troubled(connection.address)
    connection.close()
  }

  close(): void {
    if (this.isClosed) return
    this.#abort.abort()
    const listeners = [...this.#closeListeners]
    this.#closeListeners.clear()
    for (const listener of listeners) listener()
    for (const connection of [...this.#open.values()]) connection.close()
  }

  #troubled(address: string): void {
    this.#troubledAtMs.set(address, this.#options.world.clock.monotonicMs())
    if (this.#addressOf.get(this.#leader) === address) this.#leader = 0
    this.#addresses = [...this.#addresses.filter((other) => other !== address), address]
  }

  #isTroubled(address: string): boolean {
    const atMs = this.#troubledAtMs.get(address)
    if (atMs === undefined) return false
    if (this.#options.world.clock.monotonicMs() - atMs < troubleMs) return true
    this.#troubledAtMs.delete(address)
    return false
  }

  #troubleOf(connection: RpcConnection): number {
    return this.#troubledAtMs.get(connection.address) ?? Number.NEGATIVE_INFINITY
  }

  #dialInBackground(address: string): void {
    if (this.#opening.has(address)) return
    this.#dial(address).catch(() => this.#troubled(address))
  }

  #dial(address: string): Promise<RpcConnection> {
    const under = this.#opening.get(address)
    if (under !== undefined) return under
    const { world, clusterId } = this.#options
    const opening = RpcConnection.open(
      {
        world,
        address,
        hello: { kind: 'client', clusterId, from: 0 },
        onLeader: (leader) => this.#leaderIs(leader, address),
        onClosed: (connection) => {
          if (this.#open.get(address) === connection) this.#open.delete(address)
        },
      },
      this.#abort.signal,
      connectTimeoutMs,
    ).then((connection) => {
      if (this.#abort.signal.aborted) {
        connection.close()
        throw new AlthingError('closed', 'the store has been closed')
      }
      this.#learn(connection)
      return connection
    })
    this.#opening.set(address, opening)
    const settled = (): void => void this.#opening.delete(address)
    opening.then(settled, settled)
    return opening
  }

  #learn(connection: RpcConnection): void {
    if (!connection.isClosed) this.#open.set(connection.address, connection)
    for (const { id, address } of connection.welcome.members) {
      this.#addressOf.set(id, address)
      if (!this.#addresses.includes(address)) this.#addresses.push(address)
    }
    this.#leaderIs(connection.welcome.leader, connection.address)
  }

  /** Told by the node at `address`. That it knows none (0) is news only of itself: it leads no more. */
  #leaderIs(leader: number, address: string): void {
    if (leader === 0 && this.#addressOf.get(this.#leader) !== address) return
    this.#leader = leader
  }
}
