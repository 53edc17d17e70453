import { SlotTable } from '../../base/slot-table.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Connection, Timer, World } from '../../contracts/world.ts'
import type { Member } from '../../replication/peer-transport.ts'
import {
  decodeError,
  decodeMembers,
  decodeReply,
  decodeWelcome,
  encodeHello,
  encodeRequest,
  type Hello,
  type Method,
  methods,
  replyStatus,
  type Welcome,
} from './protocol.ts'

/** Gets the replies of one request. `done` is called once, last. */
export interface ReplyHandler {
  more?(body: unknown): void
  /** With `error`, or with the body of the last reply. */
  done(error: AlthingError | undefined, body: unknown): void
}

export interface RpcConnectionOptions {
  readonly world: World
  readonly address: string
  readonly hello: Hello
  /** As whom to show up where connections are secured (default: as a client). */
  readonly as?: 'client' | 'node'
  /** Requests under way past which more are refused (default 20 000). */
  readonly requestsMax?: number
  /** The node says who leads now; 0: nobody known. */
  onLeader?(leader: number): void
  /** The node says who the members are now; `version` grows with each change. */
  onMembers?(members: readonly Member[], version: number): void
  onClosed?(connection: RpcConnection, error: Error | undefined): void
}

/** While replies are awaited and nothing comes, the node is asked this often whether it still answers ... */
const pingMs = 1_000
/** ... and taken for lost after so many questions without an answer: a stopped process keeps its connections open. */
const unansweredPingsMax = 3

/** The calling end of the protocol, on one connection to one node. */
export class RpcConnection {
  readonly address: string
  readonly welcome: Welcome
  readonly #connection: Connection
  readonly #options: RpcConnectionOptions
  readonly #handlers = new SlotTable<ReplyHandler>()
  #pingTimer: Timer | undefined
  #unansweredPings = 0
  #hasReceived = false
  #isClosed = false

  /** Rejects with `unavailable`, `timeout`, `aborted` or `incompatible-peer`. */
  static async open(
    options: RpcConnectionOptions,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<RpcConnection> {
    const { world, address, hello, as = 'client' } = options
    const connection = await world.network.connect(address, { signal, timeoutMs, as })
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        timer.cancel()
        signal.removeEventListener('abort', abort)
      }
      const fail = (error: AlthingError): void => {
        finish()
        connection.close()
        reject(error)
      }
      const abort = (): void =>
        fail(new AlthingError('aborted', `the greeting of ${address} was given up by the caller`))
      const timer = world.timers.after(timeoutMs, () => {
        fail(new AlthingError('timeout', `${address} did not answer the greeting within ${timeoutMs} ms`))
      })
      connection.handle({
        frame: (frame) => {
          let welcome: Welcome
          try {
            welcome = decodeWelcome(frame)
          } catch (error) {
            fail(error as AlthingError)
            return
          }
          finish()
          // Made here and not after an await: the next frame may be in the same turn.
          resolve(new RpcConnection(options, connection, welcome))
        },
        closed: (cause) =>
          fail(
            new AlthingError('unavailable', `${address} closed the connection during the greeting`, {
              cause,
            }),
          ),
      })
      connection.send(encodeHello(hello))
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  private constructor(options: RpcConnectionOptions, connection: Connection, welcome: Welcome) {
    this.address = options.address
    this.welcome = welcome
    this.#options = options
    this.#connection = connection
    connection.handle({
      frame: (frame) => this.#receive(frame),
      closed: (error) => this.#closed(error),
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get requestsUnderWay(): number {
    return this.#handlers.size
  }

  /** Sends a request. Returns its id, for {@link forget} and for `cancel`; 0 when it was refused (`handler.done` has been called). */
  request(method: Method, timeoutMs: number, flags: number, body: unknown, handler: ReplyHandler): number {
    if (this.#isClosed) {
      handler.done(
        new AlthingError('unavailable', `not connected to ${this.address}`, { outcome: 'none' }),
        undefined,
      )
      return 0
    }
    if (this.#handlers.size >= (this.#options.requestsMax ?? 20_000)) {
      handler.done(
        new AlthingError('overloaded', `${this.#handlers.size} requests are under way`, { outcome: 'none' }),
        undefined,
      )
      return 0
    }
    const id = this.#handlers.add(handler)
    this.#connection.send(encodeRequest(id, method, timeoutMs, flags, body))
    this.#armPing()
    return id
  }

  /** Nobody waits for the replies of `id` any more. */
  forget(id: number): void {
    this.#handlers.take(id)
  }

  /** Ends a watch at the node too. */
  cancel(id: number): void {
    if (this.#handlers.take(id) === undefined || this.#isClosed) return
    this.#connection.send(encodeRequest(this.#handlers.skip(), methods.cancel, 0, 0, id))
  }

  close(): void {
    this.#connection.close()
    this.#closed(undefined)
  }

  #armPing(): void {
    if (this.#pingTimer !== undefined || this.#isClosed) return
    this.#pingTimer = this.#options.world.timers.after(pingMs, () => {
      this.#pingTimer = undefined
      this.#ping()
    })
  }

  /** Counts its own questions and not the time: after a stall of this process the answers may just not have been read yet. */
  #ping(): void {
    const isAlive = this.#hasReceived || this.#handlers.size === 0
    this.#hasReceived = false
    if (isAlive) this.#unansweredPings = 0
    else if (this.#unansweredPings++ >= unansweredPingsMax) {
      this.#connection.close()
      this.#closed(new AlthingError('timeout', `${this.address} does not answer`))
      return
    }
    if (this.#handlers.size === 0) return
    if (!isAlive) this.#connection.send(encodeRequest(this.#handlers.skip(), methods.ping, 0, 0, null))
    this.#armPing()
  }

  #receive(frame: Uint8Array): void {
    this.#hasReceived = true
    let reply: ReturnType<typeof decodeReply>
    try {
      reply = decodeReply(frame)
      if (reply[0] === 0) {
        this.#hear(reply[1], reply[2])
        return
      }
    } catch (error) {
      this.#options.world.logger.log('warn', 'closing a connection: malformed reply', {
        address: this.address,
      })
      this.#connection.close()
      this.#closed(error as Error)
      return
    }
    const [id, status, body] = reply
    const handler = this.#handlers.get(id)
    if (handler === undefined) return
    if (status === replyStatus.more) {
      handler.more?.(body)
      return
    }
    this.#handlers.take(id)
    if (status === replyStatus.ok) handler.done(undefined, body)
    else handler.done(decodeError(body), undefined)
  }

  /** What the node says unasked. Kinds of news that a later version brings are passed over. */
  #hear(status: number, body: unknown): void {
    if (status === replyStatus.leader) this.#options.onLeader?.(Number(body))
    else if (status === replyStatus.members) {
      const { members, version } = decodeMembers(body)
      this.#options.onMembers?.(members, version)
    }
  }

  #closed(cause: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#pingTimer?.cancel()
    const handlers = this.#handlers.takeAll()
    const error = new AlthingError('unavailable', `the connection to ${this.address} was lost`, {
      outcome: 'unknown',
      cause,
    })
    for (const handler of handlers) handler.done(error, undefined)
    this.#options.onClosed?.(this, cause)
  }
}
