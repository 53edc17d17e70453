export const pageBytes = 16 * 1024

/** Bytes of which long stretches are zero: only pages that were written to take memory and time. Nothing behind `size` can be read. */
export class SparseBytes {
  #size = 0
  /** What lies behind `size` in the last of them is zero. */
  #pages = new Map<number, Uint8Array>()

  get size(): number {
    return this.#size
  }

  /** A copy; shorter than `length` where the end comes first. */
  read(offset: number, length: number): Uint8Array {
    const start = Math.min(offset, this.#size)
    const found = new Uint8Array(Math.min(offset + length, this.#size) - start)
    for (const { number, from, to, at } of piecesOf(start, start + found.byteLength)) {
      const page = this.#pages.get(number)
      if (page !== undefined) found.set(page.subarray(from, to), at)
    }
    return found
  }

  /** Grows to hold them. */
  write(offset: number, bytes: Uint8Array): void {
    this.resize(Math.max(this.#size, offset + bytes.byteLength))
    for (const { number, from, to, at } of piecesOf(offset, offset + bytes.byteLength))
      this.#page(number).set(bytes.subarray(at, at + to - from), from)
  }

  /** Takes over what `source` has in the same place, within the present size; what `source` lacks becomes zero. */
  overwriteFrom(source: SparseBytes, offset: number, length: number): void {
    for (const { number, from, to } of piecesOf(offset, Math.min(offset + length, this.#size))) {
      const page = source.#pages.get(number)
      if (page !== undefined) this.#page(number).set(page.subarray(from, to), from)
      else this.#pages.get(number)?.fill(0, from, to)
    }
  }

  /** What is new is zero. */
  resize(size: number): void {
    if (size < this.#size) {
      const last = Math.floor(size / pageBytes)
      for (const number of this.#pages.keys()) if (number > last) this.#pages.delete(number)
      this.#pages.get(last)?.fill(0, size - last * pageBytes)
    }
    this.#size = size
  }

  copyFrom(other: SparseBytes): void {
    this.#size = other.#size
    this.#pages = new Map([...other.#pages].map(([number, page]) => [number, page.slice()]))
  }

  flipBit(offset: number, bit: number): void {
    if (offset >= this.#size) return
    const page = this.#page(Math.floor(offset / pageBytes))
    const at = offset % pageBytes
    page[at] = (page[at] as number) ^ (1 << bit)
  }

  #page(number: number): Uint8Array {
    const known = this.#pages.get(number)
    if (known !== undefined) return known
    const page = new Uint8Array(pageBytes)
    this.#pages.set(number, page)
    return page
  }
}

/** The part of a stretch that lies in one page. */
interface Piece {
  readonly number: number
  /** Within the page. */
  readonly from: number
  readonly to: number
  /** From the start of the stretch. */
  readonly at: number
}

function piecesOf(start: number, end: number): Piece[] {
  const pieces: Piece[] = []
  for (let position = start; position < end; ) {
    const number = Math.floor(position / pageBytes)
    const from = position - number * pageBytes
    const to = Math.min(pageBytes, end - number * pageBytes)
    pieces.push({ number, from, to, at: position - start })
    position += to - from
  }
  return pieces
}
