import { connect, type Socket } from 'node:net'
import { encodeFrameHeader, frameHeaderBytes, preface } from '../../../src/world/framing.ts'

export { preface }

/** A connection on which a test sends whatever bytes it likes. */
export class Attacker {
  /** As the attacked sees it: `127.0.0.1:PORT`. */
  readonly address: string
  /** Resolves when the other side has closed the connection, in whatever way. */
  readonly closed: Promise<void>
  #isClosed = false
  #received = Buffer.alloc(0)
  readonly #socket: Socket

  static connect(address: string): Promise<Attacker> {
    const split = address.lastIndexOf(':')
    const socket = connect({ host: address.slice(0, split), port: Number(address.slice(split + 1)) })
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Attacker(socket)))
    })
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    this.address = `127.0.0.1:${socket.localPort}`
    // A reset is one way to be closed.
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
    })
    socket.setNoDelay(true)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true
        resolve()
      })
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get received(): Buffer {
    return this.#received
  }

  send(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#socket.write(piece)
  }

  /** No more comes from this side. */
  end(): void {
    this.#socket.end()
  }

  abandon(): void {
    this.#socket.destroy()
  }
}

/** A frame with the right length and checksum. */
export function frame(payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.byteLength)
  encodeFrameHeader(bytes, 0, payload)
  bytes.set(payload, frameHeaderBytes)
  return bytes
}

/** The head of a frame that announces so many bytes. */
export function frameHead(length: number): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes)
  bytes.writeUInt32LE(length, 0)
  return bytes
}
