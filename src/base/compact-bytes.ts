import { bytesFromText, textFromBytes } from './bytes.ts'

/** Writes unsigned integers of any size as LEB128 (seven bits a byte, least significant first) and texts with their length before them. */
export class CompactWriter {
  readonly #bytes: number[] = []

  unsigned(value: bigint | number): this {
    let rest = BigInt(value)
    if (rest < 0n) throw new RangeError(`${rest} is negative`)
    while (rest > 0x7fn) {
      this.#bytes.push(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.#bytes.push(Number(rest))
    return this
  }

  text(value: string): this {
    const bytes = bytesFromText(value)
    this.unsigned(bytes.byteLength)
    for (const byte of bytes) this.#bytes.push(byte)
    return this
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

/** Reads what {@link CompactWriter} wrote. Throws a `RangeError` on bytes that it cannot have written, and never reads past their end. */
export class CompactReader {
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.byteLength
  }

  /** At most `bitsMax` bits (default 64). */
  unsigned(bitsMax = 64): bigint {
    let value = 0n
    for (let shift = 0n; shift < bitsMax + 7; shift += 7n) {
      const byte = this.#bytes[this.#offset++]
      if (byte === undefined) throw new RangeError('the bytes end in the middle of a number')
      if (byte === 0 && shift > 0n) throw new RangeError('a number has a superfluous byte')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (value >> BigInt(bitsMax) !== 0n) break
        return value
      }
    }
    throw new RangeError(`a number has more than ${bitsMax} bits`)
  }

  /** A whole number that a JavaScript number holds exactly. */
  count(): number {
    return Number(this.unsigned(53))
  }

  text(): string {
    const length = this.count()
    const end = this.#offset + length
    if (end > this.#bytes.byteLength) throw new RangeError('the bytes end in the middle of a text')
    const text = textFromBytes(this.#bytes.subarray(this.#offset, end))
    this.#offset = end
    return text
  }
}
