import net from 'node:net'
import tls from 'node:tls'
import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type {
  Connection,
  ConnectionIdentity,
  ConnectOptions,
  Listener,
  Logger,
  Network,
} from '../contracts/world.ts'
import { formatAddress, parseAddress } from './address.ts'
import { NodeConnection } from './connection.ts'
import type { TransportSecurity } from './transport-security.ts'

const connectTimeoutMsDefault = 5_000
/** Connections that have not yet shown what they are; more are turned away. */
export const handshakesMax = 1_024

/** Frames over TCP, or over TLS where connections are secured. */
export class NodeNetwork implements Network {
  readonly #logger: Logger
  readonly #security: TransportSecurity | undefined

  constructor(logger: Logger, security?: TransportSecurity) {
    this.#logger = logger
    this.#security = security
  }

  get isSecured(): boolean {
    return this.#security !== undefined
  }

  /** Looks now whether certificates or secrets have changed, not only at one of the next connections. */
  reload(): void {
    this.#security?.reload()
  }

  async listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    const { host, port } = parseAddress(address)
    const listener = new NodeListener(this.#logger, accept, this.#security)
    await listener.listen(host, port)
    return listener
  }

  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const { host, port } = parseAddress(address)
    const { signal, timeoutMs = connectTimeoutMsDefault } = options
    if (signal?.aborted === true) throw aborted(address)
    const security = this.#security
    const secured = security?.clientOptions(host, options.as ?? 'client')
    return new Promise((resolve, reject) => {
      const socket =
        secured === undefined
          ? net.connect({ host, port, noDelay: true })
          : tls.connect({ host, port, ...secured })
      const end = (error?: AlthingError, connection?: NodeConnection): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        socket.removeListener('error', refuse)
        if (connection !== undefined) return resolve(connection)
        socket.on('error', () => {})
        socket.destroy()
        reject(error as AlthingError)
      }
      const abort = (): void => end(aborted(address))
      const refuse = (error: Error): void => end(unreachable(address, error, secured !== undefined))
      const timer = setTimeout(() => {
        end(new AlthingError('timeout', `no connection with ${address} within ${timeoutMs} ms`))
      }, timeoutMs)
      signal?.addEventListener('abort', abort, { once: true })
      socket.once('error', refuse)
      socket.once(secured === undefined ? 'connect' : 'secureConnect', () => {
        const identity = security?.dialled(socket as tls.TLSSocket, options.as ?? 'client')
        const opened = (connection: NodeConnection): void => end(undefined, connection)
        const connection = new NodeConnection(socket, this.#logger, opened, identity)
        connection.onEnd((error) => end(unreachable(address, error, secured !== undefined)))
      })
    })
  }
}

class NodeListener implements Listener {
  readonly #server: net.Server
  readonly #security: TransportSecurity | undefined
  /** Makes the handshakes; it listens on nothing itself. */
  readonly #tls: tls.Server | undefined
  readonly #logger: Logger
  readonly #accept: (connection: Connection) => void
  readonly #connections = new Set<NodeConnection>()
  /** By remote address: those that have not yet shown what they are. */
  readonly #greeting = new Set<string>()
  /** What lies below secured connections. */
  readonly #raw = new Set<net.Socket>()
  #handshakes = 0
  #address = ''
  #closing: Promise<void> | undefined

  constructor(logger: Logger, accept: (connection: Connection) => void, security?: TransportSecurity) {
    this.#logger = logger
    this.#accept = accept
    this.#security = security
    this.#tls = security === undefined ? undefined : this.#createTls(security)
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#admit(socket))
  }

  get address(): string {
    return this.#address
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(unreachable(formatAddress(host, port), error)))
      this.#server.listen({ host, port }, resolve)
    })
    // Such an error (too many open files) concerns one connection; the listener goes on.
    this.#server.on('error', (error) => {
      this.#logger.log('warn', 'a connection could not be accepted', { error })
    })
    const bound = this.#server.address() as net.AddressInfo
    this.#address = formatAddress(bound.address, bound.port)
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const connection of this.#connections) connection.close()
      // Those still in their handshake have no connection yet.
      for (const socket of this.#raw) if (this.#greeting.has(nameOf(socket))) socket.destroy()
    })
    return this.#closing
  }

  #createTls(security: TransportSecurity): tls.Server {
    const server = tls.createServer(security.serverOptions(), (socket) => {
      const identity = security.identify(socket)
      if (typeof identity !== 'string') this.#greet(socket, identity)
      else this.#turnAway(socket, identity)
    })
    server.on('tlsClientError', (error, socket) => this.#turnAway(socket, reasonOf(error, callerHint)))
    security.refresh(server)
    return server
  }

  #turnAway(socket: net.Socket, reason: string): void {
    this.#logger.log('warn', 'a connection was refused before its greeting', {
      remoteAddress: formatAddress(socket.remoteAddress, socket.remotePort),
      reason,
    })
    socket.on('error', () => {})
    socket.destroy()
  }

  #admit(socket: net.Socket): void {
    if (this.#handshakes >= handshakesMax || this.#closing !== undefined) {
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    this.#handshakes++
    const name = nameOf(socket)
    this.#greeting.add(name)
    socket.once('close', () => this.#greeted(name))
    if (this.#tls === undefined) this.#greet(socket)
    else {
      this.#security?.refresh(this.#tls)
      this.#raw.add(socket)
      socket.once('close', () => this.#raw.delete(socket))
      this.#tls.emit('connection', socket)
    }
  }

  #greet(socket: net.Socket, identity?: ConnectionIdentity): void {
    const opened = (connection: NodeConnection): void => {
      this.#greeted(connection.remoteAddress)
      this.#accept(connection)
    }
    const connection = new NodeConnection(socket, this.#logger, opened, identity)
    this.#connections.add(connection)
    connection.onEnd(() => this.#connections.delete(connection))
  }

  #greeted(name: string): void {
    if (this.#greeting.delete(name)) this.#handshakes--
  }
}

function nameOf(socket: net.Socket): string {
  return formatAddress(socket.remoteAddress, socket.remotePort)
}

function unreachable(address: string, cause: Error | undefined, isSecured = false): AlthingError {
  const hint = isSecured ? 'does it accept this certificate or secret?' : 'does it ask for TLS or a secret?'
  const reason = cause === undefined ? `the other side closed the connection: ${hint}` : reasonOf(cause, hint)
  const isRefused = (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
  const isForeign = isAlthingError(cause, 'corrupt')
  return new AlthingError('unavailable', `${address}: ${reason}`, {
    cause,
    ...(isRefused && { details: { isRefused } }),
    ...(isForeign && { details: { isForeign } }),
  })
}

const callerHint = 'has it another secret, or no certificate that counts here, or does it not speak TLS?'

/** What TLS itself says of a failed handshake names its own source files, and not what to look at. */
function reasonOf(error: Error, hint: string): string {
  const { code = '' } = error as NodeJS.ErrnoException
  return code.startsWith('ERR_SSL') || code === 'EPROTO'
    ? `the secure handshake failed (${code}): ${hint}`
    : error.message
}

function aborted(address: string): AlthingError {
  return new AlthingError('aborted', `the connection with ${address} was given up by the caller`)
}
