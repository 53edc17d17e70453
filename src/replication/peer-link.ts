import { isAlthingError } from '../contracts/errors.ts'
import { type Connection, maxFrameBytes, type Timer, type World } from '../contracts/world.ts'
import type { NodeId } from '../protocols/raft/types.ts'
import { encodeFrame, encodeFrameVersion1, type GroupMessage, messageBytes } from './message-codec.ts'

export interface PeerLinkOptions {
  readonly world: World
  readonly self: NodeId
  /** The first frame on the connection: it says who is calling. */
  readonly hello: Uint8Array
  /** Bytes waiting for the peer past which messages to it are dropped: raft sends again what matters (default 32 MiB). */
  readonly queuedBytesMax?: number
  /** Bounds of the back-off between attempts to connect (default 20 to 1000 ms, doubling, with jitter). */
  readonly reconnectMsMin?: number
  readonly reconnectMsMax?: number
  /**
   * When messages have been sent to the peer for so long and none has come from it, the connection to it is made anew: one to a machine that lost power hangs
   * for minutes after that machine is back (default 3000).
   */
  readonly silenceMsMax?: number
}

export interface PeerLinkState {
  /** The version of the messages that the peer is known to understand. */
  protocol(): number
  /** What was under way may be lost. */
  broken(): void
  /** The peer has sent something on the connection that this side dialled: it says why it will not have us. */
  answered(frame: Uint8Array): void
  /** The peer's machine answers that nobody listens there any more. */
  gone(): void
}

const reconnectMsMaxDefault = 1_000
/** Bytes of messages, about, past which a frame is sent without waiting for more. */
const frameBytesFull = 1024 * 1024

/**
 * The connection that this node dialled to one peer, made anew whenever it breaks. Messages that are sent by one piece of work share a frame: it leaves when the microtasks
 * of that work have run, which costs an append nothing; only what can wait is left to the end of the turn of the loop, where the timers of all groups have run.
 */
export class PeerLink {
  readonly address: string
  readonly #peer: NodeId
  readonly #options: PeerLinkOptions
  readonly #world: World
  readonly #state: PeerLinkState
  readonly #abort = new AbortController()
  #connection: Connection | undefined
  #retry: Timer | undefined
  #attempts = 0
  #connectedMs = 0
  /** When the first message left since the last one came from the peer. */
  #unansweredSinceMs: number | undefined
  #waiting: GroupMessage[] = []
  #waitingBytes = 0
  #isFlushSoon = false
  #isFlushLater = false

  constructor(options: PeerLinkOptions, peer: NodeId, address: string, state: PeerLinkState) {
    this.#options = options
    this.#world = options.world
    this.#peer = peer
    this.address = address
    this.#state = state
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  start(): void {
    void this.#dial()
  }

  send(item: GroupMessage, canWait: boolean): void {
    const connection = this.#connection
    if (connection === undefined || !this.#canTake(connection)) return
    const bytes = messageBytes(item.message)
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > frameBytesFull) this.#flush()
    this.#waiting.push(item)
    this.#waitingBytes += bytes
    this.#armFlush(canWait)
  }

  /** One frame by itself, for a peer that is known to understand it. */
  sendFrame(frame: Uint8Array): void {
    const connection = this.#connection
    if (connection !== undefined && this.#canTake(connection)) connection.send(frame)
  }

  /** Something came from the peer. */
  heard(): void {
    this.#unansweredSinceMs = undefined
  }

  close(): void {
    this.#flush()
    this.#abort.abort()
    this.#retry?.cancel()
    this.#connection?.close()
    this.#connection = undefined
  }

  #canTake(connection: Connection): boolean {
    const { queuedBytesMax = 32 * 1024 * 1024 } = this.#options
    if (connection.queuedBytes + this.#waitingBytes > queuedBytesMax) return false
    if (!this.#isSilent()) return true
    this.#lost(connection, new Error('the peer is silent'))
    connection.close()
    return false
  }

  #isSilent(): boolean {
    const nowMs = this.#world.clock.monotonicMs()
    this.#unansweredSinceMs ??= nowMs
    return nowMs - this.#unansweredSinceMs > (this.#options.silenceMsMax ?? 3_000)
  }

  #armFlush(canWait: boolean): void {
    if (this.#isFlushSoon || (canWait && this.#isFlushLater)) return
    if (canWait) {
      this.#isFlushLater = true
      this.#world.timers.immediate(() => {
        this.#isFlushLater = false
        this.#flush()
      })
    } else {
      this.#isFlushSoon = true
      void Promise.resolve().then(() => {
        this.#isFlushSoon = false
        this.#flush()
      })
    }
  }

  #flush(): void {
    const messages = this.#waiting
    if (messages.length === 0) return
    this.#waiting = []
    this.#waitingBytes = 0
    if (this.#connection === undefined) return
    for (const frame of this.#framesOf(messages)) {
      if (frame.byteLength <= maxFrameBytes) this.#connection.send(frame)
      else this.#logTooLarge(frame.byteLength)
    }
  }

  #framesOf(messages: readonly GroupMessage[]): Uint8Array[] {
    if (this.#state.protocol() >= 2)
      return [encodeFrame({ from: this.#options.self, to: this.#peer, messages })]
    return messages.map(encodeFrameVersion1).filter((frame) => frame !== undefined)
  }

  #logTooLarge(bytes: number): void {
    this.#world.logger.log('error', 'a message to a peer is larger than a frame: dropped', {
      peer: this.#peer,
      bytes,
    })
  }

  async #dial(): Promise<void> {
    try {
      const connection = await this.#world.network.connect(this.address, {
        delivery: 'datagram',
        as: 'node',
        timeoutMs: 1_000,
        signal: this.#abort.signal,
      })
      if (this.#abort.signal.aborted) {
        connection.close()
        return
      }
      connection.handle({
        frame: (frame) => this.#state.answered(frame),
        closed: (error) => this.#lost(connection, error),
      })
      connection.send(this.#options.hello)
      this.#connection = connection
      this.#connectedMs = this.#world.clock.monotonicMs()
      this.#log('connected to peer', { address: this.address })
      // What raft believed to be in flight on the connection before may never have left.
      this.#state.broken()
    } catch (error) {
      if (isAlthingError(error) && error.details?.['isRefused'] === true) this.#state.gone()
      this.#retryLater()
    }
  }

  #lost(connection: Connection, error: Error | undefined): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#unansweredSinceMs = undefined
    this.#waiting = []
    this.#waitingBytes = 0
    this.#log('connection to peer lost', { reason: error?.message })
    this.#state.broken()
    if (this.#abort.signal.aborted) return
    const livedMs = this.#world.clock.monotonicMs() - this.#connectedMs
    if (livedMs < (this.#options.reconnectMsMax ?? reconnectMsMaxDefault)) {
      // One that will not have this node closes at once, again and again.
      this.#retryLater()
      return
    }
    this.#attempts = 0
    // At once: a process that has ended is known by it.
    void this.#dial()
  }

  #retryLater(): void {
    if (this.#abort.signal.aborted) return
    const { reconnectMsMin = 20, reconnectMsMax = reconnectMsMaxDefault } = this.#options
    const ceiling = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(this.#attempts++, 10))
    const delayMs = ceiling * (0.5 + this.#world.random.float() / 2)
    this.#retry = this.#world.timers.after(delayMs, () => void this.#dial())
  }

  #log(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#world.logger.log('debug', message, { peer: this.#peer, ...fields })
  }
}
