import type { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { errorOf } from './etcd-errors.ts'
import {
  type GrpcClient,
  type GrpcCredentials,
  type GrpcFailure,
  type GrpcLibrary,
  type GrpcMetadata,
  type GrpcStream,
  ready,
} from './grpc-library.ts'
import type { Method } from './messages.ts'

/** What a call brings along besides its message. */
export interface CallHeaders {
  readonly token?: string | undefined
  /** A member that knows no leader refuses at once, in place of waiting for one. */
  readonly needsLeader: boolean
}

export interface StreamHandler<Response> {
  message(response: Response): void
  /** Once; nothing comes after it. Without an error the server has ended the stream in good order. */
  ended(error?: AlthingError): void
}

export interface OpenStream<Request> {
  write(request: Request): void
  /** Nothing more will be written. */
  finish(): void
  /** The handler hears nothing more. */
  cancel(): void
}

const channelOptions = {
  // A connection that was given up must not come back from a pool that all channels of the process share.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  // The bound on what is sent is the server's.
  'grpc.max_send_message_length': -1,
  'grpc.enable_http_proxy': 0,
} as const

/** One member as the client knows it: an address, and a connection that is made again as often as it breaks. */
export class Endpoint {
  readonly address: string
  /** Monotonic time until which others are asked first. */
  avoidedUntilMs = 0
  /** When it last said anything, on any connection. */
  lastHeardMs = 0
  /** Grows when a connection is given up: what was opened before is on a dead one. */
  generation = 1
  readonly #world: World
  readonly #grpc: GrpcLibrary
  readonly #credentials: GrpcCredentials
  readonly #serverName: string | undefined
  readonly #listeners = new Set<() => void>()
  #client: GrpcClient
  #isFollowed = false
  #isClosed = false

  constructor(
    world: World,
    grpc: GrpcLibrary,
    options: {
      readonly address: string
      readonly credentials: GrpcCredentials
      readonly serverName: string | undefined
    },
  ) {
    this.#world = world
    this.#grpc = grpc
    this.address = options.address
    this.#credentials = options.credentials
    this.#serverName = options.serverName
    this.#client = this.#connect()
  }

  get isReady(): boolean {
    return !this.#isClosed && this.#client.getChannel().getConnectivityState(false) === ready
  }

  /** Connects, if it is not, and calls `listener` each time that it is; until the function returned is called. */
  onReady(listener: () => void): () => void {
    this.#listeners.add(listener)
    this.#follow()
    return () => this.#listeners.delete(listener)
  }

  /** Gives the connection up: one that answers nothing may be dead without a sign of it. Calls under way are left to their own end. */
  reconnect(): void {
    if (this.#isClosed) return
    this.generation++
    this.#client.close()
    this.#client = this.#connect()
    this.#isFollowed = false
    if (this.#listeners.size > 0) this.#follow()
  }

  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
    this.#client.close()
  }

  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    headers: CallHeaders,
    done: (error: AlthingError | undefined, response?: Response) => void,
  ): () => void {
    const call = this.#client.makeUnaryRequest(
      method.path,
      method.encode,
      method.decode,
      request,
      this.#metadata(headers),
      (failure, response) => {
        if (failure === null) {
          this.#heard()
          done(undefined, response as Response)
        } else done(this.#errorOf(failure))
      },
    )
    return () => call.cancel()
  }

  stream<Request, Response>(
    method: Method<Request, Response>,
    headers: CallHeaders,
    handler: StreamHandler<Response>,
  ): OpenStream<Request> {
    const call: GrpcStream<Request, Response> = this.#client.makeBidiStreamRequest(
      method.path,
      method.encode,
      method.decode,
      this.#metadata(headers),
    )
    let isOver = false
    const end = (error?: AlthingError): void => {
      if (isOver) return
      isOver = true
      handler.ended(error)
    }
    call.on('data', (response) => {
      this.#heard()
      if (!isOver) handler.message(response)
    })
    call.on('error', (failure) => end(this.#errorOf(failure)))
    call.on('end', () => end())
    return {
      write: (request) => {
        if (!isOver) call.write(request)
      },
      finish: () => {
        if (!isOver) call.end()
      },
      cancel: () => {
        isOver = true
        call.cancel()
      },
    }
  }

  #errorOf(failure: GrpcFailure): AlthingError {
    const error = errorOf(failure, this.address)
    // A refusal is an answer too; a broken connection, or our own cancel, is none.
    if (error.outcome === 'none') this.#heard()
    return error
  }

  #heard(): void {
    this.lastHeardMs = this.#world.clock.monotonicMs()
  }

  #metadata({ token, needsLeader }: CallHeaders): GrpcMetadata {
    const metadata = new this.#grpc.Metadata()
    if (token !== undefined) metadata.set('token', token)
    if (needsLeader) metadata.set('hasleader', 'true')
    return metadata
  }

  #connect(): GrpcClient {
    const names =
      this.#serverName === undefined
        ? {}
        : {
            'grpc.ssl_target_name_override': this.#serverName,
            'grpc.default_authority': this.#serverName,
          }
    return new this.#grpc.Client(this.address, this.#credentials, { ...channelOptions, ...names })
  }

  /** One watcher of the channel at a time, whatever the number of those who wait. */
  #follow(): void {
    if (this.#isFollowed || this.#isClosed || this.#listeners.size === 0) return
    const client = this.#client
    const channel = client.getChannel()
    const state = channel.getConnectivityState(true)
    if (state === ready) {
      for (const listener of [...this.#listeners]) listener()
      if (this.#listeners.size === 0) return
    }
    this.#isFollowed = true
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      if (client !== this.#client) return
      this.#isFollowed = false
      this.#follow()
    })
  }
}
