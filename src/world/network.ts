import net from 'node:net'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Connection, ConnectOptions, Listener, Logger, Network } from '../contracts/world.ts'
import { formatAddress, NodeConnection } from './connection.ts'

const connectTimeoutMsDefault = 5_000
/** Connections that have not yet shown what they are; more are turned away. */
export const handshakesMax = 1_024

/** Frames over TCP. */
export class NodeNetwork implements Network {
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  async listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    const { host, port } = parseAddress(address)
    const listener = new NodeListener(this.#logger, accept)
    await listener.listen(host, port)
    return listener
  }

  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const { host, port } = parseAddress(address)
    const { signal, timeoutMs = connectTimeoutMsDefault } = options
    if (signal?.aborted === true) throw aborted(address)
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port, noDelay: true })
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
      const refuse = (error: Error): void => end(unreachable(address, error))
      const timer = setTimeout(() => {
        end(new AlthingError('timeout', `no connection with ${address} within ${timeoutMs} ms`))
      }, timeoutMs)
      signal?.addEventListener('abort', abort, { once: true })
      socket.once('error', refuse)
      socket.once('connect', () => {
        const connection = new NodeConnection(socket, this.#logger, (opened) => end(undefined, opened))
        connection.onEnd((error) => end(unreachable(address, error)))
      })
    })
  }
}

class NodeListener implements Listener {
  readonly #server: net.Server
  readonly #logger: Logger
  readonly #accept: (connection: Connection) => void
  readonly #connections = new Set<NodeConnection>()
  #handshakes = 0
  #address = ''
  #closing: Promise<void> | undefined

  constructor(logger: Logger, accept: (connection: Connection) => void) {
    this.#logger = logger
    this.#accept = accept
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
    })
    return this.#closing
  }

  #admit(socket: net.Socket): void {
    if (this.#handshakes >= handshakesMax || this.#closing !== undefined) {
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    this.#handshakes++
    let isOpen = false
    const connection = new NodeConnection(socket, this.#logger, (opened) => {
      isOpen = true
      this.#handshakes--
      this.#accept(opened)
    })
    this.#connections.add(connection)
    connection.onEnd(() => {
      this.#connections.delete(connection)
      if (!isOpen) this.#handshakes--
    })
  }
}

function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    throw invalidArgument('address', address, '`host:port`, with an IPv6 host in brackets')
  }
  return { host, port }
}

function unreachable(address: string, cause: Error | undefined): AlthingError {
  const reason = cause === undefined ? 'the other side closed the connection' : cause.message
  return new AlthingError('unavailable', `${address}: ${reason}`, { cause })
}

function aborted(address: string): AlthingError {
  return new AlthingError('aborted', `the connection with ${address} was given up by the caller`)
}
