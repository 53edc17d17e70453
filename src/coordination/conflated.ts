import { createDeferred, type Deferred } from '../base/deferred.ts'

/**
 * A value that changes, and its readers. A reader that is slow misses what lies between and gets the newest: nothing is queued,
 * whatever the number of changes.
 */
export class Conflated<T> implements AsyncIterable<T> {
  readonly #listeners = new Set<(value: T) => void>()
  #latest: { readonly value: T; readonly version: number } | undefined
  #version = 0
  #changed: Deferred<void> = createDeferred()
  #end: { readonly error: unknown } | undefined

  get latest(): T | undefined {
    return this.#latest?.value
  }

  set(value: T): void {
    if (this.#end !== undefined) return
    this.#version += 1
    this.#latest = { value, version: this.#version }
    this.#wake()
    for (const listener of [...this.#listeners]) listener(value)
  }

  /** Ends the readers, with an error if there is one. Idempotent. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#listeners.clear()
    this.#wake()
  }

  /** Calls `listener` at once if there is a value, and with each later one. Returns the way to stop. */
  subscribe(listener: (value: T) => void): () => void {
    const own = (value: T): void => listener(value)
    if (this.#latest !== undefined) own(this.#latest.value)
    if (this.#end === undefined) this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let seen = 0
    for (;;) {
      if (this.#latest !== undefined && this.#latest.version > seen) {
        seen = this.#latest.version
        yield this.#latest.value
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error
        return
      } else {
        await this.#changed.promise
      }
    }
  }

  #wake(): void {
    const changed = this.#changed
    this.#changed = createDeferred()
    changed.resolve()
  }
}
