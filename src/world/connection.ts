import type net from 'node:net'
import { AlthingError } from '../contracts/errors.ts'
import {
  type Connection,
  type ConnectionHandler,
  type ConnectionIdentity,
  type Logger,
  maxFrameBytes,
} from '../contracts/world.ts'
import { assert } from '../base/assert.ts'
import { formatAddress } from './address.ts'
import { encodeFrameHeader, FrameDecoder, frameHeaderBytes, preface } from './framing.ts'

/** How long the other side has for its preface. */
export const prefaceMsMax = 5_000
/** `drained` is called when what waited has been over this. */
const drainedBytesMin = 64 * 1024
/** Smaller frames are copied together into one buffer: cheaper than a system vector of many pieces. */
const copiedBytesMax = 32 * 1024
/** What was sent before `close` may take this long to leave. */
const lingerMs = 1_000
/** After so long without a byte the system asks whether the other machine is still there. */
const keepAliveMs = 30_000

/** A TCP connection that carries frames. Exists from the first byte on; `opened` says that the other side has shown its preface. */
export class NodeConnection implements Connection {
  readonly remoteAddress: string
  readonly identity?: ConnectionIdentity
  readonly #socket: net.Socket
  readonly #logger: Logger
  readonly #decoder = new FrameDecoder()
  readonly #opened: (connection: NodeConnection) => void
  readonly #prefaceTimer: NodeJS.Timeout
  #onEnd: ((error?: Error) => void) | undefined
  #handler: ConnectionHandler | undefined
  /** Frames that came together with the preface. */
  #early: Buffer[] = []
  #frames: Uint8Array[] = []
  #frameBytes = 0
  #writtenBytes = 0
  #wasFull = false
  #isClosing = false
  #hasEnded = false
  #error: Error | undefined

  constructor(
    socket: net.Socket,
    logger: Logger,
    opened: (connection: NodeConnection) => void,
    identity?: ConnectionIdentity,
  ) {
    if (identity !== undefined) this.identity = identity
    this.#socket = socket
    this.#logger = logger
    this.#opened = opened
    this.remoteAddress = formatAddress(socket.remoteAddress, socket.remotePort)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveMs)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => {
      this.#error ??= error
    })
    socket.on('close', () => this.#end())
    this.#prefaceTimer = setTimeout(() => this.#reject('it sent no preface in time'), prefaceMsMax)
    socket.write(preface)
  }

  get queuedBytes(): number {
    return this.#frameBytes + this.#writtenBytes
  }

  handle(handler: ConnectionHandler): void {
    this.#handler = handler
    if (this.#hasEnded) queueMicrotask(() => handler.closed(this.#error))
    else setImmediate(() => this.#deliverEarly())
  }

  /** Called when the connection has ended, whether there is a handler or not. */
  onEnd(callback: (error?: Error) => void): void {
    this.#onEnd = callback
  }

  send(frame: Uint8Array): void {
    if (this.#isClosing || this.#hasEnded) return
    assert(frame.byteLength <= maxFrameBytes, 'the frame is too large', { bytes: frame.byteLength })
    if (this.#frames.length === 0) setImmediate(() => this.#flush())
    this.#frames.push(frame)
    this.#frameBytes += frameHeaderBytes + frame.byteLength
    if (this.queuedBytes > drainedBytesMin) this.#wasFull = true
  }

  close(): void {
    if (this.#isClosing || this.#hasEnded) return
    this.#flush()
    this.#isClosing = true
    this.#socket.destroySoon()
    const linger = setTimeout(() => this.#socket.destroy(), lingerMs)
    this.#socket.once('close', () => clearTimeout(linger))
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosing || this.#hasEnded) return
    const wasOpen = this.#decoder.hasPreface
    const problem = this.#decoder.push(chunk, (frame) => this.#deliver(frame))
    if (!wasOpen && this.#decoder.hasPreface) {
      clearTimeout(this.#prefaceTimer)
      if (problem === undefined) {
        // Until the owner has set its handler the system holds what comes.
        this.#socket.pause()
        this.#opened(this)
      }
    }
    if (problem !== undefined) this.#reject(problem)
  }

  #deliver(frame: Buffer): boolean {
    if (this.#handler === undefined || this.#early.length > 0) this.#early.push(frame)
    else this.#handler.frame(frame)
    return !this.#isClosing
  }

  #deliverEarly(): void {
    const early = this.#early
    this.#early = []
    for (const frame of early) {
      if (this.#isClosing || this.#hasEnded) return
      this.#handler?.frame(frame)
    }
    this.#socket.resume()
  }

  /** The one line for a stream that is not ours, or is damaged; nobody else is harmed. */
  #reject(reason: string): void {
    if (this.#isClosing || this.#hasEnded) return
    this.#error = new AlthingError(
      'corrupt',
      `the connection with ${this.remoteAddress} was closed: ${reason}`,
    )
    this.#logger.log('warn', 'a connection was closed because of what the other side sent', {
      remoteAddress: this.remoteAddress,
      reason,
    })
    this.#isClosing = true
    this.#socket.destroy()
  }

  #flush(): void {
    const frames = this.#frames
    if (frames.length === 0 || this.#isClosing || this.#hasEnded) return
    const bytes = this.#frameBytes
    this.#frames = []
    this.#frameBytes = 0
    this.#writtenBytes += bytes
    const pieces = joinFrames(frames)
    const last = pieces.pop()
    this.#socket.cork()
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.write(last as Buffer, () => this.#written(bytes))
    this.#socket.uncork()
  }

  #written(bytes: number): void {
    this.#writtenBytes -= bytes
    if (!this.#wasFull || this.queuedBytes > 0 || this.#hasEnded || this.#isClosing) return
    this.#wasFull = false
    this.#handler?.drained?.()
  }

  #end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    clearTimeout(this.#prefaceTimer)
    this.#frames = []
    this.#frameBytes = 0
    this.#writtenBytes = 0
    this.#handler?.closed(this.#error)
    this.#onEnd?.(this.#error)
  }
}

/** Headers and frames in few pieces: small ones copied together, large ones as they are. */
export function joinFrames(frames: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let first = 0; first < frames.length; ) {
    let end = first
    let bytes = 0
    for (; end < frames.length; end++) {
      const { byteLength } = frames[end] as Uint8Array
      bytes += frameHeaderBytes
      if (byteLength > copiedBytesMax) break
      bytes += byteLength
    }
    const joined = Buffer.allocUnsafe(bytes)
    let at = 0
    for (const frame of frames.slice(first, end)) {
      encodeFrameHeader(joined, at, frame)
      joined.set(frame, at + frameHeaderBytes)
      at += frameHeaderBytes + frame.byteLength
    }
    const large = frames[end]
    if (large !== undefined) encodeFrameHeader(joined, at, large)
    pieces.push(joined)
    if (large !== undefined) pieces.push(large)
    first = end + 1
  }
  return pieces
}
