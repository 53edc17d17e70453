/** Changes that one reader may be behind. */
const waitingMax = 1_024

/** Hands items to any number of readers, each at its own pace; one that is too far behind gets `restart()` in place of what it missed. */
export class ChangeFeed<T> {
  readonly #restart: () => T
  readonly #readers = new Set<Reader<T>>()
  #isEnded = false

  constructor(restart: () => T) {
    this.#restart = restart
  }

  push(item: T): void {
    for (const reader of this.#readers) reader.push(item)
  }

  /** Begins now: what is pushed from here on is read, whenever it is asked for. Ends with the feed, when `signal` fires, or when the reader stops. */
  read(signal?: AbortSignal): AsyncIterableIterator<T> {
    const reader: Reader<T> = new Reader(this.#restart, () => this.#readers.delete(reader))
    if (this.#isEnded || signal?.aborted === true) reader.end()
    else {
      this.#readers.add(reader)
      signal?.addEventListener('abort', () => reader.end(), { once: true })
    }
    return reader
  }

  end(): void {
    this.#isEnded = true
    for (const reader of [...this.#readers]) reader.end()
  }
}

class Reader<T> implements AsyncIterableIterator<T> {
  readonly #restart: () => T
  readonly #ended: () => void
  #waiting: T[] = []
  #isBehind = false
  #isOver = false
  #wake: (() => void) | undefined

  constructor(restart: () => T, ended: () => void) {
    this.#restart = restart
    this.#ended = ended
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  push(item: T): void {
    if (this.#waiting.length >= waitingMax) {
      this.#waiting = []
      this.#isBehind = true
    }
    if (!this.#isBehind) this.#waiting.push(item)
    this.#wake?.()
  }

  async next(): Promise<IteratorResult<T>> {
    for (;;) {
      if (this.#isBehind) {
        this.#isBehind = false
        return { done: false, value: this.#restart() }
      }
      const item = this.#waiting.shift()
      if (item !== undefined) return { done: false, value: item }
      if (this.#isOver) return { done: true, value: undefined }
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#waiting = []
    this.end()
    return { done: true, value: undefined }
  }

  end(): void {
    this.#isOver = true
    this.#ended()
    this.#wake?.()
  }
}
