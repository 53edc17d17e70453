import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { Conflated } from '../conflated.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { followRange } from '../range-follower.ts'

export interface PrimitiveServiceOptions {
  readonly store: Store
  readonly world: World
  /** Missing guarantees of the store that the caller can live without. */
  readonly accept?: readonly Guarantee[]
}

/** What counters, latches and atomic values have in common: a store, an end, and keys that can be followed. */
export abstract class PrimitiveService {
  protected readonly store: Store
  protected readonly world: World
  readonly #name: string
  readonly #closing = new AbortController()

  constructor(requirements: Requirements, options: PrimitiveServiceOptions) {
    assertGuarantees(options.store, requirements, options)
    this.store = options.store
    this.world = options.world
    this.#name = requirements.recipe
  }

  /** Ends waits and watches (`closed`). Idempotent. */
  close(): Promise<void> {
    this.#closing.abort(
      new AlthingError('closed', `the ${this.#name} service was closed`, { outcome: 'none' }),
    )
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  protected get closing(): AbortSignal {
    return this.#closing.signal
  }

  protected assertOpen(): void {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
  }

  /** The key now and after each change, as `read` makes of it; a slow reader skips to the newest. Ends with the signal. */
  protected follow<T>(
    key: string,
    read: (kv: KeyValue | undefined) => T,
    signal: AbortSignal | undefined,
  ): AsyncIterable<T> {
    const { store, world, closing } = this
    return {
      async *[Symbol.asyncIterator]() {
        const reading = new AbortController()
        const states = new Conflated<T>()
        const signals = [closing, reading.signal, ...(signal === undefined ? [] : [signal])]
        let modRevision: number | undefined
        const onState = ({ kvs }: { readonly kvs: ReadonlyMap<string, KeyValue> }): void => {
          const kv = kvs.get(key)
          if (modRevision === (kv?.modRevision ?? 0)) return
          modRevision = kv?.modRevision ?? 0
          states.set(read(kv))
        }
        const range = { key, end: `${key}\u0000` }
        const following = followRange({ store, world, range, signal: AbortSignal.any(signals), onState })
        following.then(
          () => states.end(),
          (error: unknown) => states.end(error),
        )
        try {
          yield* states
        } finally {
          reading.abort()
        }
      },
    }
  }
}
