import { assert } from '../../base/assert.ts'
import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'

/** An array of up to so many bytes lies within V8's own heap: a memory block of its own would cost more than the copy. */
const copiedInLoopMax = 64

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Writes numbers, texts and bytes in a compact form, in a buffer that grows. Unsigned integers take 7 bits a byte, lowest first (LEB128); all that has a
 * length stands after its length.
 */
export class BinaryWriter {
  #buffer: Buffer
  #length = 0

  /** `bytesExpected` saves growing; more is possible. */
  constructor(bytesExpected = 256) {
    this.#buffer = Buffer.allocUnsafe(bytesExpected)
  }

  get length(): number {
    return this.#length
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  /** An integer from 0 to 2^53-1. */
  uint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'not an unsigned integer', { value })
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest
  }

  byteString(value: ByteString): void {
    this.uint(value.length)
    this.#reserve(value.length)
    this.#length += this.#buffer.write(value, this.#length, 'latin1')
  }

  text(value: string): void {
    const bytes = Buffer.byteLength(value)
    this.uint(bytes)
    this.#reserve(bytes)
    this.#length += this.#buffer.write(value, this.#length, 'utf8')
  }

  bytes(value: Uint8Array): void {
    this.uint(value.byteLength)
    this.raw(value)
  }

  /** Without a length. */
  raw(value: Uint8Array): void {
    this.#reserve(value.byteLength)
    this.#buffer.set(value, this.#length)
    this.#length += value.byteLength
  }

  /** What was written; the writer must not be used any more. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

/**
 * Reads what {@link BinaryWriter} wrote. Anything else throws `corrupt`, with the offset. Nothing is allocated by a length before as many bytes have been
 * seen to be there.
 */
export class BinaryReader {
  readonly #buffer: Buffer
  readonly #what: string
  #at = 0

  /** `what` names the input in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  byte(): number {
    const value = this.#buffer[this.#at]
    if (value === undefined) throw this.corrupt('ends too early')
    this.#at++
    return value
  }

  uint(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return this.#checkedUint(value, byte, i)
      factor *= 0x80
    }
    throw this.corrupt('has an integer that is too long')
  }

  /** A number of things that each take `bytesEach` or more bytes, all still to come. */
  count(bytesEach = 1): number {
    const count = this.uint()
    if (count * bytesEach > this.#buffer.length - this.#at) throw this.corrupt('ends too early')
    return count
  }

  byteString(): ByteString {
    const length = this.count()
    const start = this.#at
    this.#at += length
    return this.#buffer.toString('latin1', start, this.#at)
  }

  text(): string {
    const length = this.count()
    const start = this.#at
    this.#at += length
    try {
      return utf8.decode(this.#buffer.subarray(start, this.#at))
    } catch {
      throw this.corrupt('has a text that is not UTF-8')
    }
  }

  /** A view of the input, not a copy. */
  bytes(): Uint8Array {
    const length = this.count()
    const start = this.#at
    this.#at += length
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset + start, length)
  }

  /** A copy that holds on to nothing else. */
  ownBytes(): Uint8Array {
    const length = this.count()
    const start = this.#at
    this.#at += length
    if (length > copiedInLoopMax) {
      const from = this.#buffer.byteOffset + start
      return new Uint8Array(this.#buffer.buffer.slice(from, from + length) as ArrayBuffer)
    }
    const copy = new Uint8Array(length)
    for (let i = 0; i < length; i++) copy[i] = this.#buffer[start + i] as number
    return copy
  }

  end(): void {
    if (this.#at !== this.#buffer.length) throw this.corrupt('goes on after its end')
  }

  corrupt(why: string): AlthingError {
    return new AlthingError('corrupt', `${this.#what} ${why} (at byte ${this.#at} of ${this.#buffer.length})`)
  }

  /** One number has one form: a needless zero at the end is refused, and so is a number that is not exact. */
  #checkedUint(value: number, lastByte: number, index: number): number {
    if (lastByte === 0 && index > 0) throw this.corrupt('has an integer that is longer than needed')
    if (!Number.isSafeInteger(value)) throw this.corrupt('has an integer that is too large')
    return value
  }
}
