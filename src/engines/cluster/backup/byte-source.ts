/** Bytes taken in lengths of the taker's choice from a stream that comes in lengths of its own. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>
  #gathered: Uint8Array[] = []
  #length = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** The next `length` bytes; fewer only at the end. */
  async take(length: number): Promise<Buffer> {
    while (this.#length < length) {
      const next = await this.#chunks.next()
      if (next.done === true) break
      this.#gathered.push(next.value)
      this.#length += next.value.byteLength
    }
    const all = this.#gathered.length === 1 ? asBuffer(this.#gathered[0]) : Buffer.concat(this.#gathered)
    const taken = all.subarray(0, length)
    const rest = all.subarray(length)
    this.#gathered = rest.length === 0 ? [] : [rest]
    this.#length = rest.length
    return taken
  }
}

function asBuffer(bytes: Uint8Array | undefined): Buffer {
  return bytes === undefined ? Buffer.alloc(0) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
