import dgram from 'node:dgram'
import { isIPv6 } from 'node:net'
import { AlthingError } from '../contracts/errors.ts'
import {
  type Datagrams,
  type DatagramSocket,
  datagramQueueBytesMax,
  type Logger,
  maxDatagramBytes,
} from '../contracts/world.ts'
import { formatAddress, parseAddress } from './address.ts'

/** UDP. */
export class NodeDatagrams implements Datagrams {
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  async bind(address: string): Promise<DatagramSocket> {
    const { host, port } = parseAddress(address)
    const socket = dgram.createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      recvBufferSize: datagramQueueBytesMax,
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) => {
        socket.close()
        reject(new AlthingError('unavailable', `cannot bind ${address}: ${cause.message}`, { cause }))
      })
      socket.bind({ address: host, port, exclusive: true }, resolve)
    })
    socket.removeAllListeners('error')
    return new NodeDatagramSocket(socket, this.#logger)
  }
}

class NodeDatagramSocket implements DatagramSocket {
  readonly address: string
  readonly #socket: dgram.Socket
  #handler: ((packet: Uint8Array, from: string) => void) | undefined
  #closing: Promise<void> | undefined
  #droppedCount = 0

  constructor(socket: dgram.Socket, logger: Logger) {
    this.#socket = socket
    const bound = socket.address()
    this.address = formatAddress(bound.address, bound.port)
    socket.on('message', (packet, from) => this.#handler?.(packet, formatAddress(from.address, from.port)))
    socket.on('error', (error) => {
      logger.log('warn', 'a datagram socket failed', { address: this.address, error })
    })
  }

  get droppedCount(): number {
    return this.#droppedCount
  }

  handle(handler: (packet: Uint8Array, from: string) => void): void {
    this.#handler = handler
  }

  send(packet: Uint8Array, to: string): void {
    if (packet.byteLength > maxDatagramBytes) {
      const message = `a datagram of ${packet.byteLength} bytes is over the limit of ${maxDatagramBytes}`
      throw new AlthingError('too-large', message, { outcome: 'none' })
    }
    if (this.#closing !== undefined) return
    const { host, port } = parseAddress(to)
    if (this.#socket.getSendQueueSize() + packet.byteLength > datagramQueueBytesMax) {
      this.#droppedCount++
      return
    }
    // What the system says of a packet (no route, port unreachable) is one of the ways of being lost.
    this.#socket.send(packet, port, host, () => {})
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#socket.close(() => resolve()))
    return this.#closing
  }
}
