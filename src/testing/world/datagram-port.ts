import { AlthingError } from '../../contracts/errors.ts'
import {
  type Datagrams,
  type DatagramSocket,
  datagramQueueBytesMax,
  maxDatagramBytes,
} from '../../contracts/world.ts'
import { digest } from './event-log.ts'
import { machineAddress } from './machine-address.ts'
import { drawDelayUs, type LinkConditions } from './network-links.ts'
import type { SimulatedLoop } from './simulated-loop.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

const reorderUsMax = 50_000

/** Datagrams as one loop of a process sees them: under the conditions of the links between the machines. */
export class DatagramPort implements Datagrams {
  readonly #loop: SimulatedLoop
  readonly #network: SimulatedNetwork
  readonly #host: string

  constructor(loop: SimulatedLoop, network: SimulatedNetwork, host: string) {
    this.#loop = loop
    this.#network = network
    this.#host = host
  }

  async bind(address: string): Promise<DatagramSocket> {
    const { host, port } = machineAddress(address, this.#host)
    if (this.#loop.isEnded) return new Promise(() => {})
    const bound = port === 0 ? this.#network.freePort(host) : port
    const socket = new SimulatedDatagramSocket(this.#loop, this.#network, host, `${host}:${bound}`)
    this.#loop.ref()
    return new Promise((resolve, reject) => {
      this.#loop.dispatchAfter(10, 'bind', this, () => {
        this.#loop.unref()
        if (host === this.#host && this.#network.bind(socket)) resolve(socket.opened())
        else {
          const message = `cannot bind ${address}: the address is taken or not of this machine`
          reject(new AlthingError('unavailable', message))
        }
      })
    })
  }
}

export class SimulatedDatagramSocket implements DatagramSocket {
  readonly address: string
  readonly droppedCount = 0
  readonly #loop: SimulatedLoop
  readonly #network: SimulatedNetwork
  readonly #host: string
  #handler: ((packet: Uint8Array, from: string) => void) | undefined
  #waitingBytes = 0
  #linkFreeUs = 0
  #isClosed = false
  #forgetEnd: () => unknown = () => {}

  constructor(loop: SimulatedLoop, network: SimulatedNetwork, host: string, address: string) {
    this.#loop = loop
    this.#network = network
    this.#host = host
    this.address = address
  }

  opened(): this {
    this.#loop.ref()
    this.#forgetEnd = this.#loop.onEnd(() => this.#network.unbind(this))
    return this
  }

  handle(handler: (packet: Uint8Array, from: string) => void): void {
    this.#handler = handler
  }

  send(packet: Uint8Array, to: string): void {
    if (packet.byteLength > maxDatagramBytes) {
      const message = `a datagram of ${packet.byteLength} bytes is over the limit of ${maxDatagramBytes}`
      throw new AlthingError('too-large', message, { outcome: 'none' })
    }
    if (this.#isClosed || this.#loop.isEnded) return
    const target = machineAddress(to, this.#host)
    const link = this.#network.link(this.#host, target.host)
    const { random } = this.#network
    const departUs = this.#departUs(packet.byteLength, link)
    const copies = random.chance(link.duplicateRate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const heldUs = random.chance(link.reorderRate) ? random.integer(0, reorderUsMax) : 0
      const isLost = random.chance(link.lossRate)
      // A copy, as from a socket: neither side sees what the other does to its bytes.
      const bytes = new Uint8Array(packet)
      const { simulation } = this.#loop
      simulation.schedule(departUs + drawDelayUs(link, random) + heldUs, () => {
        const isCut = this.#network.link(this.#host, target.host).isBlocked
        const socket =
          isLost || isCut ? undefined : this.#network.datagramSocketAt(`${target.host}:${target.port}`)
        if (socket === undefined) simulation.record('lost', this.#loop.name, bytes.byteLength)
        else socket.receive(bytes, this.address)
      })
    }
  }

  receive(packet: Uint8Array, from: string): void {
    if (this.#waitingBytes + packet.byteLength > datagramQueueBytesMax) {
      this.#loop.simulation.record('lost', this.#loop.name, packet.byteLength)
      return
    }
    this.#waitingBytes += packet.byteLength
    this.#loop.dispatch('datagram', this, digest(packet), () => {
      this.#waitingBytes -= packet.byteLength
      if (!this.#isClosed) this.#handler?.(packet, from)
    })
  }

  close(): Promise<void> {
    if (this.#loop.isEnded) return new Promise(() => {})
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#loop.unref()
      this.#forgetEnd()
      this.#network.unbind(this)
    }
    return new Promise((resolve) => {
      this.#loop.dispatchAfter(1, 'bind', this, resolve)
    })
  }

  /** From now until the packet has left the machine. */
  #departUs(byteCount: number, link: LinkConditions): number {
    if (link.bytesPerMs === Number.POSITIVE_INFINITY) return 0
    const { nowUs } = this.#loop.simulation
    this.#linkFreeUs = Math.max(nowUs, this.#linkFreeUs) + Math.ceil((byteCount / link.bytesPerMs) * 1000)
    return this.#linkFreeUs - nowUs
  }
}
