import { invalidArgument } from '../contracts/errors.ts'
import type { Datagrams, DatagramSocket, Random } from '../contracts/world.ts'
import { type DatagramSeal, OpenDatagrams, SealedDatagrams } from './datagram-seal.ts'

/** Carries messages between members: each may be lost, doubled or overtaken. */
export interface MembershipTransport {
  /** Where other members reach this one. */
  readonly address: string
  /** No larger message is given to `send`. */
  readonly messageBytesMax: number
  /** Set once, before anything is sent. `from` is fit to be given to `send`. */
  handle(handler: (message: Uint8Array, from: string) => void): void
  /** Never throws, and tells nobody whether it arrived. */
  send(message: Uint8Array, to: string): void
  /** Idempotent. */
  close(): Promise<void>
}

export interface DatagramTransportOptions {
  /** `host:port` of UDP; port 0 takes a free one. */
  readonly listen: string
  /** Where others reach it, when that is not what it listens on (default: as bound). */
  readonly advertise?: string
  /** Members of groups of different names pass each other over (default `'default'`). */
  readonly group?: string
  /** Packets are encrypted and authenticated with it: see {@link SealedDatagrams}. Needed on any but this machine's own addresses. */
  readonly secret?: string
  /** Goes without a secret on other addresses: anybody who reaches the port can then take part in the group, and forge what is said in it. */
  readonly isInsecure?: boolean
}

/** What a packet may be to travel in one piece on any usual network. */
const packetBytesMax = 1_400
const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):/

/** Over UDP. Rejects with `invalid-argument`, or `unavailable` when the address is taken. */
export async function openDatagramTransport(
  { datagrams, random }: { readonly datagrams: Datagrams; readonly random: Random },
  options: DatagramTransportOptions,
): Promise<MembershipTransport> {
  const { listen, advertise, group = 'default', secret, isInsecure = false } = options
  if (secret === undefined && !isInsecure && !loopback.test(listen))
    throw invalidArgument('secret', undefined, `a secret, where it listens on ${listen}; or isInsecure: true`)
  const seal = secret === undefined ? new OpenDatagrams(group) : new SealedDatagrams(secret, group, random)
  const socket = await datagrams.bind(listen)
  return new DatagramTransport(socket, seal, advertise)
}

class DatagramTransport implements MembershipTransport {
  readonly address: string
  readonly messageBytesMax: number
  readonly #socket: DatagramSocket
  readonly #seal: DatagramSeal

  constructor(socket: DatagramSocket, seal: DatagramSeal, advertise: string | undefined) {
    this.#socket = socket
    this.#seal = seal
    this.address = advertise ?? socket.address
    this.messageBytesMax = packetBytesMax - seal.overheadBytes
  }

  handle(handler: (message: Uint8Array, from: string) => void): void {
    this.#socket.handle((packet, from) => {
      const message = this.#seal.open(packet)
      if (message !== undefined) handler(message, from)
    })
  }

  send(message: Uint8Array, to: string): void {
    this.#socket.send(this.#seal.seal(message), to)
  }

  close(): Promise<void> {
    return this.#socket.close()
  }
}
