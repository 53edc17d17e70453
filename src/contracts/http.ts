import type { AlthingError } from './errors.ts'

/**
 * The data path of an HTTP gateway, as part of the world: a reverse proxy for HTTP/1.1 and WebSocket that carries bytes and decides nothing.
 * Where a request goes, whether a failure is tried again and what a refusal says is decided by a {@link ProxyHandler}, which does no I/O.
 *
 *     client <-> HttpProxyServer <-> instance
 *                  |      ^
 *          begin, failed, |
 *         answered, ended | forward | refuse
 *                  v      |
 *                ProxyExchange (one per request)
 *
 * What the data path sees to by itself: hop-by-hop fields are not passed on (RFC 9110, 7.6.1), bodies and heads are bounded, both sides' pace is
 * kept (a slow reader stops the writer), a message that is not well formed is answered with 400 and its connection closed, and a reply that breaks off is
 * seen by the client as broken off.
 */
export interface HttpProxyHost {
  /** Rejects with `unavailable` when the address cannot be taken. */
  listen(options: HttpProxyOptions, handler: ProxyHandler): Promise<HttpProxyServer>
}

export interface HttpProxyOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  /** A request's body over this is refused with 413. Default 16 MiB. */
  readonly requestBodyBytesMax?: number
  /** Bodies up to this are held until the reply's head has come, so that they can be sent again. Default 64 KiB. */
  readonly replayBytesMax?: number
  /** Client connections at once; past it new ones are closed. Default 65,536. */
  readonly clientConnectionsMax?: number
  /** Connections to one instance for plain requests; past it requests wait (the handler bounds how many). Default 256. */
  readonly instanceConnectionsMax?: number
  /** Default 2000. */
  readonly connectTimeoutMs?: number
  /** From the last byte of the request to the head of the reply. Default 30,000. */
  readonly replyTimeoutMs?: number
  /** Longest silence inside a reply's body. Default 300,000 (a stream of server-sent events must send something that often). */
  readonly bodyTimeoutMs?: number
  /** For a client to send a whole request. Default 60,000. */
  readonly requestTimeoutMs?: number
}

export interface HttpProxyServer {
  /** `host:port` as bound. */
  readonly address: string
  /** Instances that may still be called. Idle connections to all others are closed; busy ones when they are done. */
  retain(addresses: ReadonlySet<string>): void
  /**
   * Takes no new connections, tells kept ones to close with their reply, and waits for requests and tunnels under way; what is left after
   * `withinMs` is cut. Idempotent.
   */
  drain(withinMs: number): Promise<void>
  /** Cuts everything. Idempotent. */
  close(): Promise<void>
}

/** Fields by lower-case name; several of one name are joined by `, ` (`set-cookie`: a list). */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export interface ProxyRequest {
  readonly method: string
  /** Path and query; starts with `/`. */
  readonly target: string
  readonly headers: HttpHeaders
  /** Address of the connection's other end, without port; `''` when it is gone already. */
  readonly remoteAddress: string
  /** A WebSocket handshake: after status 101 the bytes of both sides are carried until one ends. */
  readonly isUpgrade: boolean
}

export interface ProxyHandler {
  /** Called once per well-formed request. Must not throw. */
  begin(request: ProxyRequest): ProxyExchange
}

/** Called in this order: `next`, then (`failed`, `next`)*, then `answered` at most once, then `ended` exactly once. None may throw. */
export interface ProxyExchange {
  /** Where to send the request now, or what to refuse it with. */
  next(): ProxyStep
  /** The last attempt failed before any byte of a reply was passed on. */
  failed(failure: AttemptFailure): void
  /** The head of a reply came and is being passed on. 101 for a tunnel that is up. */
  answered(status: number): void
  ended(end: ExchangeEnd): void
}

export type ProxyStep =
  | {
      readonly kind: 'forward'
      /** `host:port` of the instance. */
      readonly address: string
      /** Set on the request to the instance, instead of the client's fields of the same (lower-case) name; `undefined` removes. */
      readonly requestHeaders: Readonly<Record<string, string | undefined>>
      /** Set on the reply to the client, instead of the instance's. */
      readonly replyHeaders: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'refuse'
      readonly status: number
      readonly error: AlthingError
      readonly replyHeaders: Readonly<Record<string, string>>
    }

export interface AttemptFailure {
  /** `connect`: nothing was sent, so the instance cannot have acted. `reply`: the request was sent, in part or whole, and no reply's head came. */
  readonly phase: 'connect' | 'reply'
  readonly kind: 'refused' | 'timeout' | 'reset' | 'malformed'
  readonly message: string
  /** The request, body included, can be sent again. */
  readonly canReplay: boolean
}

/**
 * `replied`: the whole reply was passed on, or the tunnel ended. `refused`: the handler's, or the data path's own refusal (too large, malformed).
 * `broken`: the instance broke off inside the reply. `abandoned`: the client went away first.
 */
export type ExchangeEnd = 'replied' | 'refused' | 'broken' | 'abandoned'
