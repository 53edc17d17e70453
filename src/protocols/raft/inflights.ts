import { assert } from '../../base/assert.ts'

/** The messages with entries under way to one follower: a ring of their last indexes and sizes, bounded by count and by bytes. */
export class Inflights {
  readonly #bytesMax: number
  readonly #lastIndexes: Float64Array
  readonly #sizes: Float64Array
  #start = 0
  #count = 0
  #bytes = 0

  constructor(messagesMax: number, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#lastIndexes = new Float64Array(messagesMax)
    this.#sizes = new Float64Array(messagesMax)
  }

  get count(): number {
    return this.#count
  }

  /** The byte bound may be passed by the one message that reaches it. */
  get isFull(): boolean {
    return this.#count === this.#sizes.length || this.#bytes >= this.#bytesMax
  }

  /** A message whose last entry is `lastIndex` has been sent. */
  add(lastIndex: number, bytes: number): void {
    assert(!this.isFull, 'sends only into an open window', { count: this.#count, bytes: this.#bytes })
    const slot = (this.#start + this.#count) % this.#sizes.length
    this.#lastIndexes[slot] = lastIndex
    this.#sizes[slot] = bytes
    this.#count++
    this.#bytes += bytes
  }

  /** The follower has everything up to `index`. */
  freeThrough(index: number): void {
    while (this.#count > 0 && (this.#lastIndexes[this.#start] as number) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number
      this.#start = (this.#start + 1) % this.#sizes.length
      this.#count--
    }
  }

  clear(): void {
    this.#start = 0
    this.#count = 0
    this.#bytes = 0
  }
}
