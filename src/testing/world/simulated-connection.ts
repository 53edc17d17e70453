import { AlthingError } from '../../contracts/errors.ts'
import { type Connection, type ConnectionHandler, maxFrameBytes } from '../../contracts/world.ts'
import { digest } from './event-log.ts'
import { drawDelayUs, drawRetransmissionUs, type LinkConditions } from './network-links.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { EndCause, SimulatedLoop } from './simulated-loop.ts'

/** What a connection needs of the network it runs over. */
export interface Carrier {
  link(from: string, to: string): LinkConditions
  readonly random: SeededRandom
  /** Called once both ends have closed. */
  forget(side: SimulatedConnection): void
}

/** Frames that left in one write, or the end of the stream (`frames` is empty then). */
interface Packet {
  /** Packets of a stream arrive in this order. */
  readonly number: number
  readonly frames: Uint8Array[]
  byteCount: number
  /** Lost by a break of the connection. */
  isLost: boolean
}

/** What the kernel takes off the sender's hands before `queuedBytes` begins to count. */
export const socketBufferBytes = 256 * 1024
const drainedThresholdBytes = 64 * 1024

export interface SideOptions {
  readonly localHost: string
  readonly remoteHost: string
  readonly remoteAddress: string
  readonly delivery: 'stream' | 'datagram'
}

/** One end of a connection. */
export class SimulatedConnection implements Connection {
  readonly options: SideOptions
  readonly #loop: SimulatedLoop
  readonly #carrier: Carrier
  #peer: SimulatedConnection | undefined
  #handler: ConnectionHandler | undefined
  #state: 'open' | 'severed' | 'closed' = 'open'
  #isMute = false
  #hasSaidGoodbye = false
  #inbox: (() => void)[] = []
  #inFlight: Packet[] = []
  #stalled: Packet[] = []
  #gathering: Packet | undefined
  #gatheringTurn = -1
  #nextPacket = 0
  #outstandingBytes = 0
  #hasGrownOver = false
  #lastArrivalUs = 0
  #linkFreeUs = 0
  #forgetEnd: () => unknown

  constructor(loop: SimulatedLoop, carrier: Carrier, options: SideOptions) {
    this.#loop = loop
    this.#carrier = carrier
    this.options = options
    loop.ref()
    this.#forgetEnd = loop.onEnd((cause) => this.#die(cause))
  }

  get remoteAddress(): string {
    return this.options.remoteAddress
  }

  get queuedBytes(): number {
    return Math.max(0, this.#outstandingBytes - socketBufferBytes)
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get peer(): SimulatedConnection | undefined {
    return this.#peer
  }

  /** True while a blocked link holds up what this end has sent. */
  get hasStalled(): boolean {
    return this.#stalled.length > 0
  }

  /** True when this end's machine lost power and can say nothing. */
  get isMute(): boolean {
    return this.#isMute
  }

  join(peer: SimulatedConnection, notBeforeUs: number): void {
    this.#peer = peer
    this.#lastArrivalUs = notBeforeUs
  }

  handle(handler: ConnectionHandler): void {
    this.#handler = handler
    const inbox = this.#inbox
    this.#inbox = []
    for (const deliver of inbox) this.#loop.dispatchAfter(0, 'frame', this, deliver)
  }

  send(frame: Uint8Array): void {
    if (this.#state === 'closed' || this.#loop.isEnded) return
    this.#outstandingBytes += frame.byteLength
    if (this.queuedBytes > drainedThresholdBytes) this.#hasGrownOver = true
    if (this.#state === 'severed') return
    const link = this.#outgoingLink()
    const simulation = this.#loop.simulation
    const canGather = this.options.delivery === 'stream' && link.bytesPerMs === Number.POSITIVE_INFINITY
    if (canGather && this.#gathering !== undefined && this.#gatheringTurn === simulation.turn) {
      this.#gathering.frames.push(frame)
      this.#gathering.byteCount += frame.byteLength
      return
    }
    const packet = this.#packet([frame], frame.byteLength)
    this.#gathering = canGather ? packet : undefined
    this.#gatheringTurn = simulation.turn
    if (this.options.delivery === 'stream') this.#launch(packet, link)
    else this.#launchDatagram(packet, link)
  }

  close(): void {
    if (this.#state === 'closed' || this.#loop.isEnded) return
    const wasOpen = this.#state === 'open'
    this.#finish(undefined)
    if (!wasOpen) return
    this.#hasSaidGoodbye = true
    this.#launch(this.#packet([], 0), this.#outgoingLink())
  }

  /** The kernel learns that the connection is broken, after so long; the program hears of it when it runs. */
  learnBroken(delayUs: number, message: string): void {
    if (this.#state === 'closed') return
    const error = new AlthingError('unavailable', `connection to ${this.remoteAddress}: ${message}`)
    this.#loop.dispatchAfter(delayUs, 'closed', this, () => this.#finish(error))
  }

  /** Loses a seeded tail of what is under way from this end, and carries nothing more. Returns when the rest will have arrived. */
  sever(): number {
    if (this.#state === 'open') this.#state = 'severed'
    const packets = [...this.#inFlight, ...this.#stalled].toSorted((a, b) => a.number - b.number)
    const survivors = this.#carrier.random.integer(0, packets.length)
    for (const packet of packets.slice(survivors)) packet.isLost = true
    this.#stalled = this.#stalled.filter((packet) => !packet.isLost)
    return survivors === 0 ? 0 : this.#lastArrivalUs
  }

  /** The link is open again: what it held up is sent anew, in order. */
  resumeStalled(): void {
    if (this.#stalled.length === 0 || this.#outgoingLink().isBlocked) return
    const stalled = this.#stalled
    this.#stalled = []
    const random = this.#carrier.random
    const backoffUs = random.integer(0, 1_000_000)
    for (const packet of stalled) this.#launch(packet, this.#outgoingLink(), backoffUs)
  }

  #packet(frames: Uint8Array[], byteCount: number): Packet {
    return { number: this.#nextPacket++, frames, byteCount, isLost: false }
  }

  #launch(packet: Packet, link: LinkConditions, extraUs = 0): void {
    const { random } = this.#carrier
    const departUs = this.#departUs(packet, link)
    const delayUs = drawDelayUs(link, random) + drawRetransmissionUs(link, random) + extraUs
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, departUs + delayUs)
    this.#travel(packet, this.#lastArrivalUs)
  }

  /** `lastArrivalUs` stays the time of the hand-shake here: datagrams overtake each other, but not that. */
  #launchDatagram(packet: Packet, link: LinkConditions): void {
    const { random } = this.#carrier
    const departUs = this.#departUs(packet, link)
    const copies = random.chance(link.duplicateRate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const heldUs = random.chance(link.reorderRate) ? random.integer(0, 50_000) : 0
      const arrivalUs = Math.max(departUs + drawDelayUs(link, random) + heldUs, this.#lastArrivalUs)
      const isLost = random.chance(link.lossRate)
      const part: Packet = { ...packet, byteCount: copy === 0 ? packet.byteCount : 0, isLost }
      this.#travel(part, arrivalUs)
    }
  }

  #departUs(packet: Packet, link: LinkConditions): number {
    const nowUs = this.#loop.simulation.nowUs
    if (link.bytesPerMs === Number.POSITIVE_INFINITY) return nowUs
    const transferUs = Math.ceil((packet.byteCount / link.bytesPerMs) * 1000)
    this.#linkFreeUs = Math.max(nowUs, this.#linkFreeUs) + transferUs
    return this.#linkFreeUs
  }

  #travel(packet: Packet, arrivalUs: number): void {
    this.#inFlight.push(packet)
    const { simulation } = this.#loop
    simulation.schedule(Math.max(0, arrivalUs - simulation.nowUs), () => this.#arrive(packet))
  }

  /** What a blocked link had held up was sent before this one, and is still under way. */
  #isOvertaking({ number }: Packet): boolean {
    if (this.options.delivery !== 'stream') return false
    return this.#inFlight.some((other) => other.number < number && !other.isLost)
  }

  /** At the receiving machine: whether its process is held or not. */
  #arrive(packet: Packet): void {
    this.#inFlight.splice(this.#inFlight.indexOf(packet), 1)
    const isStream = this.options.delivery === 'stream' || packet.frames.length === 0
    const mustWait = isStream && (this.#outgoingLink().isBlocked || this.#stalled.length > 0)
    if (mustWait && !packet.isLost) {
      if (!this.#isMute) this.#stalled.push(packet)
    } else if (!packet.isLost && this.#isOvertaking(packet)) {
      this.#travel(packet, this.#lastArrivalUs)
    } else if (packet.isLost || this.#outgoingLink().isBlocked) {
      this.#loop.simulation.record('lost', this.#loop.name, packet.byteCount)
      this.#acknowledge(packet.byteCount)
    } else {
      this.#peer?.receive(packet, () => this.#acknowledge(packet.byteCount))
    }
  }

  receive(packet: { readonly frames: readonly Uint8Array[] }, acknowledge: () => void): void {
    if (this.#loop.isEnded || this.#state === 'closed') return this.#answerClosed(packet)
    const [first] = packet.frames
    if (first === undefined) {
      this.#loop.dispatch('closed', this, 'end', () => this.#finish(undefined))
      return
    }
    this.#loop.dispatch('frame', this, digest(first), () => {
      acknowledge()
      this.#deliver(packet.frames)
    })
  }

  /** A frame for a connection that is gone is answered with a reset. */
  #answerClosed(packet: { readonly frames: readonly Uint8Array[] }): void {
    const canAnswer = !this.#isMute && !this.#hasSaidGoodbye && !this.#outgoingLink().isBlocked
    if (canAnswer && packet.frames.length > 0)
      this.#peer?.learnBroken(drawDelayUs(this.#outgoingLink(), this.#carrier.random), 'reset by the peer')
  }

  #deliver(frames: readonly Uint8Array[]): void {
    if (this.#handler === undefined) {
      this.#inbox.push(() => this.#deliver(frames))
      return
    }
    for (const frame of frames) {
      if (this.#state === 'closed') return
      if (frame.byteLength > maxFrameBytes) return this.#refuseFrame(frame.byteLength)
      // A copy, as from a socket: neither side sees what the other does to its bytes.
      this.#handler.frame(new Uint8Array(frame))
    }
  }

  #refuseFrame(byteCount: number): void {
    const message = `a frame of ${byteCount} bytes from ${this.remoteAddress} is over the limit of ${maxFrameBytes}`
    this.#peer?.learnBroken(drawDelayUs(this.#outgoingLink(), this.#carrier.random), 'reset by the peer')
    this.#finish(new AlthingError('too-large', message))
  }

  #acknowledge(byteCount: number): void {
    this.#outstandingBytes -= byteCount
    if (!this.#hasGrownOver || this.queuedBytes > 0 || this.#state === 'closed') return
    this.#hasGrownOver = false
    this.#loop.dispatchAfter(0, 'drained', this, () => {
      if (this.#state !== 'closed') this.#handler?.drained?.()
    })
  }

  /** Closes this end and tells the program. */
  #finish(error: Error | undefined): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#outstandingBytes = 0
    this.#forgetEnd()
    this.#loop.dispatchAfter(0, 'closed', this, () => {
      this.#loop.unref()
      if (this.#handler !== undefined) this.#handler.closed(error)
      else this.#inbox.push(() => this.#handler?.closed(error))
    })
    this.#forgetWhenOver()
  }

  #die(cause: EndCause): void {
    if (this.#state === 'closed') return
    const arrivedUs = this.sever()
    this.#state = 'closed'
    this.#isMute = cause === 'power'
    if (cause === 'power') this.#loseStalled()
    else this.#tellPeer(arrivedUs)
    this.#forgetWhenOver()
  }

  /** Nobody is left to send it again, nor what came after it. */
  #loseStalled(): void {
    const [first] = this.#stalled
    this.#stalled = []
    if (first === undefined) return
    for (const packet of this.#inFlight) if (packet.number > first.number) packet.isLost = true
  }

  /** The kernel of a killed process closes its connections: in good order or by a reset, as it happens. */
  #tellPeer(arrivedUs: number): void {
    const peer = this.#peer
    if (peer === undefined) return
    const nowUs = this.#loop.simulation.nowUs
    const link = this.#outgoingLink()
    const delayUs = Math.max(arrivedUs - nowUs, 0) + drawDelayUs(link, this.#carrier.random)
    // Behind a partition the peer finds out by itself.
    if (!link.isBlocked) peer.learnBroken(delayUs, 'reset by the peer')
  }

  #forgetWhenOver(): void {
    if (this.#peer === undefined || this.#peer.isClosed) this.#carrier.forget(this)
  }

  #outgoingLink(): LinkConditions {
    return this.#carrier.link(this.options.localHost, this.options.remoteHost)
  }
}
