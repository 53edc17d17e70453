import { crc32 } from 'node:zlib'
import { maxFrameBytes } from '../contracts/world.ts'

/**
 * What travels over a connection: once, in each direction, eight bytes that say "Althing, version 1"; then frames.
 *
 *     u32 length of the payload    u32 CRC-32 of the payload    payload
 *
 * Little-endian.
 */
export const preface = Buffer.from('ALTHING\u0001', 'latin1')
export const frameHeaderBytes = 8

export function encodeFrameHeader(target: Buffer, offset: number, frame: Uint8Array): void {
  target.writeUInt32LE(frame.byteLength, offset)
  target.writeUInt32LE(crc32(frame), offset + 4)
}

/**
 * Cuts a stream of bytes into frames. A frame that came in one piece is a view of it; one that did not is copied once. Holds at most the bytes received of one
 * frame. After an error it takes nothing more.
 */
export class FrameDecoder {
  /** Pieces of what is not yet a whole preface or frame. */
  #pieces: Buffer[] = []
  #held = 0
  /** Bytes that must be there before anything more can be decided. */
  #needed = preface.length
  #hasPreface = false

  get hasPreface(): boolean {
    return this.#hasPreface
  }

  /** Gives every whole frame to `deliver`, which returns false to stop. A text says what is wrong with the stream. */
  push(chunk: Buffer, deliver: (frame: Buffer) => boolean): string | undefined {
    let bytes = chunk
    if (this.#held > 0) {
      this.#pieces.push(chunk)
      this.#held += chunk.length
      if (this.#held < this.#needed) return undefined
      bytes = Buffer.concat(this.#pieces, this.#held)
      this.#pieces = []
      this.#held = 0
    }
    return this.#decode(bytes, deliver)
  }

  #decode(bytes: Buffer, deliver: (frame: Buffer) => boolean): string | undefined {
    let at = 0
    if (!this.#hasPreface) {
      const length = Math.min(preface.length, bytes.length)
      if (bytes.compare(preface, 0, length, 0, length) !== 0)
        return "it does not speak Althing's protocol, version 1"
      if (length < preface.length) return this.#hold(bytes, preface.length)
      this.#hasPreface = true
      at = preface.length
    }
    for (;;) {
      if (bytes.length - at < frameHeaderBytes) return this.#hold(bytes.subarray(at), frameHeaderBytes)
      const length = bytes.readUInt32LE(at)
      if (length > maxFrameBytes)
        return `it announced a frame of ${length} bytes; ${maxFrameBytes} are allowed`
      const end = at + frameHeaderBytes + length
      if (bytes.length < end) return this.#hold(bytes.subarray(at), end - at)
      const frame = bytes.subarray(at + frameHeaderBytes, end)
      if (crc32(frame) !== bytes.readUInt32LE(at + 4)) return 'a frame failed its checksum'
      at = end
      if (!deliver(frame)) return undefined
    }
  }

  #hold(rest: Buffer, needed: number): undefined {
    this.#needed = needed
    if (rest.length > 0) {
      this.#pieces.push(rest)
      this.#held = rest.length
    }
    return undefined
  }
}
