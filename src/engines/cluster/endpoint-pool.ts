import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { RpcConnection } from './rpc-connection.ts'

export interface EndpointPoolOptions {
  readonly world: World
  /** `host:port` of one or more nodes; the others are learnt from them. */
  readonly endpoints: readonly string[]
  /** Checked against the nodes' own; empty: any. */
  readonly clusterId: string
  onLeader?(): void
}

const connectTimeoutMs = 1_500

/** A client's connections to the nodes of a cluster: at most one each, opened when first needed. */
export class EndpointPool {
  readonly #options: EndpointPoolOptions
  readonly #abort = new AbortController()
  readonly #open = new Map<string, RpcConnection>()
  readonly #opening = new Map<string, Promise<RpcConnection>>()
  /** Addresses in the order they will be tried; one that failed goes to the end. */
  #addresses: string[]
  readonly #addressOf = new Map<number, string>()
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

  /** The open connection for a call, if there is one: the leader's where it is known, else any. */
  ready(): RpcConnection | undefined {
    const leaderAddress = this.#addressOf.get(this.#leader)
    if (leaderAddress !== undefined) {
      const connection = this.#open.get(leaderAddress)
      if (connection !== undefined) return connection
      // Others serve meanwhile (they forward); the leader's connection is for the next calls.
      if (!this.#opening.has(leaderAddress)) this.#dial(leaderAddress).catch(() => {})
    }
    for (const connection of this.#open.values()) return connection
    return undefined
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
        this.#moveToEnd(address)
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

  /** The connection gave no answer, or the node said that it cannot serve: use another. */
  distrust(connection: RpcConnection): void {
    this.#moveToEnd(connection.address)
    if (this.#addressOf.get(this.#leader) === connection.address) this.#leader = 0
    connection.close()
  }

  close(): void {
    this.#abort.abort()
    for (const connection of [...this.#open.values()]) connection.close()
  }

  #moveToEnd(address: string): void {
    this.#addresses = [...this.#addresses.filter((other) => other !== address), address]
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
        onLeader: (leader) => this.#leaderIs(leader),
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
    if (connection.welcome.leader !== 0) this.#leaderIs(connection.welcome.leader)
  }

  #leaderIs(leader: number): void {
    if (leader === 0 || leader === this.#leader) return
    this.#leader = leader
    this.#options.onLeader?.()
  }
}
