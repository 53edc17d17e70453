import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { Pool } from 'undici'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type {
  HttpProxyHost,
  HttpProxyOptions,
  HttpProxyServer,
  ProxyExchange,
  ProxyHandler,
} from '../contracts/http.ts'
import { refuseConnection, refuseRequest } from './http-proxy-refusal.ts'
import { PlainRequest } from './http-proxy-request.ts'
import { Tunnel } from './http-proxy-tunnel.ts'

export const httpProxyDefaults = {
  requestBodyBytesMax: 16 * 1024 * 1024,
  replayBytesMax: 64 * 1024,
  clientConnectionsMax: 65_536,
  instanceConnectionsMax: 256,
  connectTimeoutMs: 2_000,
  replyTimeoutMs: 30_000,
  bodyTimeoutMs: 300_000,
  requestTimeoutMs: 60_000,
} as const

type Bounds = Required<Omit<HttpProxyOptions, 'address'>>

const requestHeadBytesMax = 16 * 1024
const keepAliveMs = 60_000

/** The data path on Node's own HTTP server and `undici`'s client; WebSocket over bare sockets. */
export class NodeHttpProxyHost implements HttpProxyHost {
  async listen(options: HttpProxyOptions, handler: ProxyHandler): Promise<HttpProxyServer> {
    const { address, ...given } = options
    const { host, port } = parseListenAddress(address)
    const bounds: Bounds = { ...httpProxyDefaults, ...given }
    const server = new NodeHttpProxyServer(bounds, handler)
    await server.listen(host, port)
    return server
  }
}

/** What is under way and can be cut. */
interface Abortable {
  abort(): void
}

class NodeHttpProxyServer implements HttpProxyServer {
  readonly #server: Server
  readonly #bounds: Bounds
  readonly #handler: ProxyHandler
  readonly #pools = new Map<string, Pool>()
  readonly #open = new Set<Abortable>()
  /** Connections on which a reply is under way: bytes that are no request may not be answered in its middle. */
  readonly #replying = new WeakSet<Duplex>()
  #address = ''
  #isDraining = false
  #drained: Promise<void> | undefined
  #onceIdle: (() => void) | undefined

  constructor(bounds: Bounds, handler: ProxyHandler) {
    this.#bounds = bounds
    this.#handler = handler
    this.#server = createServer({
      maxHeaderSize: requestHeadBytesMax,
      requestTimeout: bounds.requestTimeoutMs,
      headersTimeout: Math.min(20_000, bounds.requestTimeoutMs),
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: keepAliveMs,
      noDelay: true,
      // Whatever the process was started with: a lenient parser lets requests be smuggled past this one.
      insecureHTTPParser: false,
    })
    this.#server.maxConnections = bounds.clientConnectionsMax
    this.#server
      .on('request', (request, response) => this.#onRequest(request, response, false))
      .on('checkContinue', (request, response) => this.#onRequest(request, response, true))
      .on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head))
      .on('connect', (_request, socket) => {
        socket.on('error', () => socket.destroy())
        refuseConnection(
          socket,
          405,
          invalidArgument('method', 'CONNECT', 'another: this is no forward proxy'),
        )
      })
      .on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket))
  }

  get address(): string {
    return this.#address
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void =>
        reject(
          new AlthingError('unavailable', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }),
        )
      this.#server.once('error', onError)
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        this.#server.off('error', onError)
        const bound = this.#server.address() as AddressInfo
        const boundHost = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
        this.#address = `${boundHost}:${bound.port}`
        // Such as a lack of file descriptors at one accept: the connections there are go on.
        this.#server.on('error', () => {})
        resolve()
      })
    })
  }

  retain(addresses: ReadonlySet<string>): void {
    for (const [address, pool] of this.#pools) {
      if (addresses.has(address)) continue
      this.#pools.delete(address)
      pool.close().catch(() => {})
    }
  }

  drain(withinMs: number): Promise<void> {
    this.#drained ??= this.#drain(withinMs)
    return this.#drained
  }

  async close(): Promise<void> {
    const drained = this.drain(0)
    this.#cut()
    await drained
  }

  async #drain(withinMs: number): Promise<void> {
    this.#isDraining = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const idle = new Promise<void>((resolve) => {
      this.#onceIdle = resolve
      if (this.#open.size === 0) resolve()
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs)
    })
    await Promise.race([idle, late])
    clearTimeout(timer)
    this.#cut()
    await Promise.all([closed, idle])
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()))
    this.#pools.clear()
  }

  #cut(): void {
    for (const exchange of this.#open) exchange.abort()
    this.#server.closeIdleConnections()
    // A reply that has been handed to the system in full is still sent: only what cannot end by itself is cut.
    if (this.#open.size === 0) setImmediate(() => this.#server.closeAllConnections())
    else this.#server.closeAllConnections()
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const exchange = this.#begin(request, false)
    if (exchange === undefined) {
      refuseRequest(response, 400, badTarget(request.url), {}, false)
      return
    }
    const { socket } = request
    this.#replying.add(socket)
    response.once('close', () => this.#replying.delete(socket))
    const plain = new PlainRequest(
      {
        bounds: this.#bounds,
        poolOf: (address) => this.#poolOf(address),
        isDraining: () => this.#isDraining,
      },
      request,
      response,
      exchange,
      () => this.#ended(plain),
    )
    this.#open.add(plain)
    if (awaitsContinue && plain.isAcceptable) response.writeContinue()
    void plain.run()
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refusal = refusalOfUpgrade(request)
    if (refusal !== undefined) {
      refuseConnection(socket, 400, refusal)
      return
    }
    const exchange = this.#begin(request, true)
    if (exchange === undefined) {
      refuseConnection(socket, 400, badTarget(request.url))
      return
    }
    const tunnel = new Tunnel(request, socket, head, exchange, this.#bounds, () => this.#ended(tunnel))
    this.#open.add(tunnel)
    tunnel.start()
  }

  /** `undefined`: the target is not of the form a reverse proxy serves, or it is not clear for which host it is meant (RFC 9112, 3.2). */
  #begin(request: IncomingMessage, isUpgrade: boolean): ProxyExchange | undefined {
    const target = request.url ?? ''
    if (!/^\/[\x21-\xff]*$/.test(target) || countOf(request.rawHeaders, 'host') > 1) return undefined
    return this.#handler.begin({
      method: request.method ?? 'GET',
      target,
      headers: request.headers,
      remoteAddress: request.socket.remoteAddress ?? '',
      isUpgrade,
    })
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || this.#replying.has(socket)) {
      socket.destroy()
      return
    }
    const status = statusOfClientError(error.code)
    refuseConnection(socket, status, invalidArgument('request', error.code ?? error.message, 'HTTP/1.1'))
  }

  #poolOf(address: string): Pool {
    const known = this.#pools.get(address)
    if (known !== undefined) return known
    const pool = new Pool(`http://${address}`, {
      connections: this.#bounds.instanceConnectionsMax,
      pipelining: 1,
      connectTimeout: this.#bounds.connectTimeoutMs,
      headersTimeout: this.#bounds.replyTimeoutMs,
      bodyTimeout: this.#bounds.bodyTimeoutMs,
    })
    this.#pools.set(address, pool)
    return pool
  }

  #ended(exchange: Abortable): void {
    this.#open.delete(exchange)
    if (this.#open.size === 0) this.#onceIdle?.()
  }
}

function countOf(rawHeaders: readonly string[], lowerName: string): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() === lowerName) count++
  }
  return count
}

function badTarget(target: string | undefined): AlthingError {
  const allowed = 'a path that starts with / and has no blanks, for one host'
  return invalidArgument('request target', target ?? '', allowed)
}

function refusalOfUpgrade(request: IncomingMessage): AlthingError | undefined {
  const { upgrade, 'content-length': length, 'transfer-encoding': coding } = request.headers
  if (upgrade?.toLowerCase() !== 'websocket') return invalidArgument('upgrade', upgrade, 'websocket')
  if (request.method !== 'GET')
    return invalidArgument('method', request.method, 'GET for a WebSocket handshake')
  if (coding !== undefined || (length !== undefined && length !== '0'))
    return invalidArgument('content-length', length ?? coding, 'absent in a WebSocket handshake')
  return undefined
}

function statusOfClientError(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}

function parseListenAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/i.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw invalidArgument('listen', address, 'host:port, such as 127.0.0.1:8080')
  return { host: (match[1] ?? match[2]) as string, port }
}
