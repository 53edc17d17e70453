import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Watch, WatchBatch } from '../../contracts/store.ts'

/** Events, and bytes of them, held for a consumer past which its source is told to wait. */
const eventsMax = 10_000
const bytesMax = 16 * 1024 * 1024
/** What an event or a key counts besides its key and value. */
const overheadBytes = 64

export interface WatchStreamSource {
  /** The consumer has read what was held: more is welcome. */
  resume(): void
  /** Nobody listens any more. */
  stop(): void
}

/** The consumer's end of a watch: a bounded hand-over between a source that pushes and a loop that pulls. */
export class WatchStream implements Watch {
  readonly #source: WatchStreamSource
  #held: WatchBatch[] = []
  #heldEvents = 0
  #heldBytes = 0
  #isFull = false
  #waiting: ((result: IteratorResult<WatchBatch>) => void) | undefined
  #refuse: ((error: Error) => void) | undefined
  #ended = false
  #error: AlthingError | undefined
  readonly #removeAbort: (() => void) | undefined

  constructor(source: WatchStreamSource, signal?: AbortSignal) {
    this.#source = source
    if (signal === undefined) return
    const onAbort = (): void => this.close()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#removeAbort = () => signal.removeEventListener('abort', onAbort)
    // The source is not ready to be stopped before the constructor has returned.
    if (signal.aborted) queueMicrotask(onAbort)
  }

  get isEnded(): boolean {
    return this.#ended
  }

  /** `false` when the consumer has enough to read; `resume` of the source is called when it has read it. */
  push(batch: WatchBatch): boolean {
    if (this.#ended) return false
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = this.#refuse = undefined
      waiting({ done: false, value: batch })
      return true
    }
    this.#held.push(batch)
    this.#count(batch, 1)
    this.#isFull = this.#heldEvents >= eventsMax || this.#heldBytes >= bytesMax
    return !this.#isFull
  }

  /** Ends the stream with an error, after what is held has been read. */
  fail(error: AlthingError): void {
    if (this.#ended) return
    this.#error = error
    this.#end()
  }

  close(): void {
    if (this.#ended) return
    this.#held = []
    this.#end()
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchBatch> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  #next(): Promise<IteratorResult<WatchBatch>> {
    const batch = this.#held.shift()
    if (batch !== undefined) {
      this.#count(batch, -1)
      if (this.#isFull && this.#held.length === 0) {
        this.#isFull = false
        this.#source.resume()
      }
      return Promise.resolve({ done: false, value: batch })
    }
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    if (this.#waiting !== undefined) {
      return Promise.reject(
        new AlthingError('conflict', 'another reader already waits for the next batch of this watch'),
      )
    }
    return new Promise((resolve, reject) => {
      this.#waiting = resolve
      this.#refuse = reject
    })
  }

  #count(batch: WatchBatch, sign: 1 | -1): void {
    const { events, bytes } = sizeOf(batch)
    this.#heldEvents += sign * events
    this.#heldBytes += sign * bytes
  }

  #end(): void {
    this.#ended = true
    this.#removeAbort?.()
    const waiting = this.#waiting
    const refuse = this.#refuse
    this.#waiting = this.#refuse = undefined
    if (waiting !== undefined) {
      const error = this.#error
      this.#error = undefined
      if (error === undefined) waiting({ done: true, value: undefined })
      else refuse?.(error)
    }
    this.#source.stop()
  }
}

function sizeOf(batch: WatchBatch): { readonly events: number; readonly bytes: number } {
  let bytes = 0
  if (batch.kind === 'resync') {
    for (const kv of batch.kvs) bytes += bytesOf(kv)
    return { events: batch.kvs.length, bytes }
  }
  if (batch.kind !== 'events') return { events: 1, bytes: overheadBytes }
  for (const event of batch.events) {
    bytes += event.type === 'put' ? bytesOf(event.kv) : event.key.length + overheadBytes
    if (event.previous !== undefined) bytes += bytesOf(event.previous)
  }
  return { events: batch.events.length, bytes }
}

function bytesOf(kv: KeyValue): number {
  return kv.key.length + kv.value.byteLength + overheadBytes
}
