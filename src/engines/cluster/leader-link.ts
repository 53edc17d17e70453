import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { Credentials } from '../../access/access-control.ts'
import { anonymous, type PrincipalRef } from '../../access/principal.ts'
import { forwardedFlag, type Hello, type Method, speaksForFlag } from './protocol.ts'
import { type ReplyHandler, RpcConnection } from './rpc-connection.ts'

/** Requests that wait for a connection to the leader past which more are refused. */
const waitingMax = 10_000
const connectTimeoutMs = 1_000

export interface LeaderLinkOptions {
  readonly clusterId: string
  /** The group whose leader it goes to; absent: the cluster's own. */
  readonly group?: string
  /** `undefined`: that member is not known. */
  addressOf(member: NodeId): string | undefined
  /** What this node shows of itself where the transport does not prove that it is one. */
  credentials?(): Credentials
}

/** A node's way to the one that leads, for what its own clients ask and only the leader can do. */
export class LeaderLink {
  readonly #world: World
  readonly #options: LeaderLinkOptions
  readonly #abort = new AbortController()
  #leader: NodeId = 0
  #connection: RpcConnection | undefined
  #opening: Promise<RpcConnection> | undefined
  #waiting = 0

  constructor(world: World, options: LeaderLinkOptions) {
    this.#world = world
    this.#options = options
  }

  /** Hands on a request of `principal` (default: nobody in particular). `outcome` of an error tells whether the leader may have got the request. */
  forward(
    leader: NodeId,
    method: Method,
    timeoutMs: number,
    body: unknown,
    handler: ReplyHandler,
    principal: PrincipalRef = anonymous,
  ): void {
    if (this.#leader !== leader) this.#turnTo(leader)
    // Nodes of the first version know no principals, and while access control is off nobody needs one.
    const isNamed = principal[0] !== 'anonymous'
    const flags = isNamed ? forwardedFlag | speaksForFlag : forwardedFlag
    const owned = isNamed ? [principal, body] : body
    const connection = this.#connection
    if (connection !== undefined && !connection.isClosed) {
      connection.request(method, timeoutMs, flags, owned, handler)
      return
    }
    if (this.#waiting >= waitingMax) {
      handler.done(
        new AlthingError('overloaded', 'too many requests wait for a connection to the leader', {
          outcome: 'none',
        }),
        undefined,
      )
      return
    }
    this.#waiting++
    this.#open().then(
      (opened) => {
        this.#waiting--
        opened.request(method, timeoutMs, flags, owned, handler)
      },
      (cause: unknown) => {
        this.#waiting--
        handler.done(
          new AlthingError('unavailable', `the leader (node ${leader}) cannot be reached`, {
            outcome: 'none',
            cause,
          }),
          undefined,
        )
      },
    )
  }

  close(): void {
    this.#abort.abort()
    this.#connection?.close()
    this.#connection = undefined
  }

  #turnTo(leader: NodeId): void {
    this.#leader = leader
    this.#connection?.close()
    this.#connection = undefined
    this.#opening = undefined
  }

  #open(): Promise<RpcConnection> {
    if (this.#opening !== undefined) return this.#opening
    const opening = this.#dial(this.#leader)
    this.#opening = opening
    const isWanted = (): boolean => this.#opening === opening && !this.#abort.signal.aborted
    opening.then(
      (connection) => {
        // Leadership may have moved on meanwhile, and even back: then another connection serves, or is being made.
        if (isWanted()) this.#connection = connection
        else connection.close()
        if (this.#opening === opening) this.#opening = undefined
      },
      () => {
        if (this.#opening === opening) this.#opening = undefined
      },
    )
    return opening
  }

  async #dial(leader: NodeId): Promise<RpcConnection> {
    const { clusterId, group, addressOf, credentials } = this.#options
    const address = addressOf(leader)
    if (address === undefined) throw new AlthingError('unavailable', 'no leader is known')
    const shown = credentials?.()
    const hello: Hello = {
      kind: 'client',
      clusterId,
      from: 0,
      ...(group === undefined ? {} : { group }),
      ...(shown === undefined ? {} : { credentials: shown }),
    }
    const options = { world: this.#world, address, hello, as: 'node' } as const
    return RpcConnection.open(options, this.#abort.signal, connectTimeoutMs)
  }
}
