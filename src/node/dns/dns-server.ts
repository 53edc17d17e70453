import net from 'node:net'
import { AlthingError } from '../../contracts/errors.ts'
import type { DatagramSocket, World } from '../../contracts/world.ts'
import { formatAddress, parseAddress } from '../../world/address.ts'
import { answerDns, type DnsDirectory } from './dns-answer.ts'

export interface DnsServerOptions {
  readonly world: World
  readonly directory: DnsDirectory
  /** `host:port`, over UDP and TCP; port 0 takes a free one. */
  readonly listen: string
  /** Seconds for which answers may be kept. Default 5. */
  readonly ttlS?: number
}

export const dnsDefaults = { ttlS: 5 } as const

/** Connections past which more are closed at once. */
const connectionsMax = 128
const idleMs = 10_000
const lengthBytes = 2

/** Answers for the services of the registry over DNS (RFC 1035, 2782, 6891, 7766): authoritative for `althing.`, and for nothing else. */
export class DnsServer {
  /** `host:port` as bound. */
  readonly address: string
  readonly #socket: DatagramSocket
  readonly #server: net.Server
  readonly #connections = new Set<net.Socket>()
  #closing: Promise<void> | undefined

  /** Rejects with `unavailable` when the address is taken. */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const { world, listen, directory, ttlS = dnsDefaults.ttlS } = options
    const { host } = parseAddress(listen)
    const answer = (query: Uint8Array, over: 'udp' | 'tcp'): Uint8Array | undefined =>
      answerDns(query, { directory, random: world.random, ttlS, over })
    // The TCP port must be the UDP port: when that is a free one it may be taken for TCP.
    for (let attempt = 0; ; attempt++) {
      const socket = await world.datagrams.bind(listen)
      const { port } = parseAddress(socket.address)
      try {
        const server = await listenTcp(host, port)
        return new DnsServer(socket, server, answer)
      } catch (error) {
        await socket.close()
        if (attempt >= 5 || parseAddress(listen).port !== 0) throw error
      }
    }
  }

  private constructor(
    socket: DatagramSocket,
    server: net.Server,
    answer: (query: Uint8Array, over: 'udp' | 'tcp') => Uint8Array | undefined,
  ) {
    this.#socket = socket
    this.#server = server
    this.address = socket.address
    socket.handle((packet, from) => {
      const reply = answer(packet, 'udp')
      if (reply !== undefined) socket.send(reply, from)
    })
    server.maxConnections = connectionsMax
    server.on('connection', (connection) => this.#serve(connection, (query) => answer(query, 'tcp')))
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    await Promise.all([closed, this.#socket.close()])
  }

  /** Each message has its length before it; an answer that is not read stops the reading of questions. */
  #serve(connection: net.Socket, answer: (query: Uint8Array) => Uint8Array | undefined): void {
    let rest: Buffer = Buffer.alloc(0)
    this.#connections.add(connection)
    connection.setTimeout(idleMs, () => connection.destroy())
    connection.on('error', () => {})
    connection.on('close', () => this.#connections.delete(connection))
    connection.on('drain', () => connection.resume())
    connection.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      while (rest.length >= lengthBytes) {
        const end = lengthBytes + rest.readUInt16BE(0)
        if (rest.length < end) break
        const reply = answer(rest.subarray(lengthBytes, end))
        rest = rest.subarray(end)
        // Who sends what cannot be answered does not speak DNS.
        if (reply === undefined) return connection.destroy()
        const length = Buffer.alloc(lengthBytes)
        length.writeUInt16BE(reply.byteLength)
        if (!connection.write(Buffer.concat([length, reply]))) connection.pause()
      }
    })
  }
}

function listenTcp(host: string, port: number): Promise<net.Server> {
  const server = net.createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const address = formatAddress(host, port)
      reject(new AlthingError('unavailable', `cannot listen on ${address}: ${cause.message}`, { cause }))
    })
    server.listen({ host, port }, () => {
      server.removeAllListeners('error')
      // Such an error concerns one connection; the listener goes on.
      server.on('error', () => {})
      resolve(server)
    })
  })
}
