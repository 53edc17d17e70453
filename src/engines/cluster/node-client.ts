import type { Credentials } from '../../access/access-control.ts'
import type { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { NodeStatus } from './node-status.ts'
import { type Hello, type Method, methods } from './protocol.ts'
import type { Plain } from './operator-calls.ts'
import { RpcConnection } from './rpc-connection.ts'

export interface NodeClientOptions {
  /** Default: any. */
  readonly clusterId?: string
  /** For the greeting and for each call (default 2000). */
  readonly timeoutMs?: number
  /** What the node is shown of who calls. */
  readonly credentials?: Credentials
  /** A node that calls another shows what only nodes have (default: a client). */
  readonly as?: 'client' | 'node'
}

/** A connection to one node, for what concerns that node alone. Unlike a store client it never turns to another. */
export class NodeClient {
  readonly #connection: RpcConnection
  readonly #world: World
  readonly #timeoutMs: number

  /** Rejects with `unavailable`, `timeout`, `unauthenticated` or `incompatible-peer`. */
  static async open(world: World, address: string, options: NodeClientOptions = {}): Promise<NodeClient> {
    const { clusterId = '', timeoutMs = 2_000, credentials, as = 'client' } = options
    const hello: Hello = {
      kind: 'client',
      clusterId,
      from: 0,
      ...(credentials === undefined ? {} : { credentials }),
    }
    const connection = await RpcConnection.open(
      { world, address, hello, as },
      new AbortController().signal,
      timeoutMs,
    )
    return new NodeClient(world, connection, timeoutMs)
  }

  private constructor(world: World, connection: RpcConnection, timeoutMs: number) {
    this.#world = world
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  async status(): Promise<NodeStatus> {
    return JSON.parse(String(await this.#call(methods.status, null))) as NodeStatus
  }

  /** Asks the node, if it leads, to hand over to member `to`. It shows in the status when that is done. */
  async transferLeadership(to: number): Promise<void> {
    await this.#call(methods.transferLeadership, to)
  }

  /** Cuts the node off from other members (none: heals). For drills on a local cluster. */
  async blockPeers(peers: readonly number[]): Promise<void> {
    await this.#call(methods.block, peers)
  }

  /** An operator call by name; see {@link OperatorCalls}. `timeoutMs` defaults to the client's. */
  async operate(name: string, argument: Plain = null, timeoutMs?: number): Promise<Plain> {
    return (await this.#call(methods.operate, [name, argument], timeoutMs)) as Plain
  }

  close(): void {
    this.#connection.close()
  }

  #call(method: Method, body: unknown, timeoutMs = this.#timeoutMs): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.#world.timers.after(timeoutMs, () => this.#connection.close())
      this.#connection.request(method, timeoutMs, 0, body, {
        done: (error: AlthingError | undefined, reply: unknown) => {
          timer.cancel()
          if (error === undefined) resolve(reply)
          else reject(error)
        },
      })
    })
  }
}
