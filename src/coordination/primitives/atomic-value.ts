import { equalBytes } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { CallOptions, KeyValue, Operation, ReadOptions, Store } from '../../contracts/store.ts'
import { type Codec, jsonCodec } from '../../store/typed-store.ts'
import { compareAndWrite, type WriteOptions } from './compare-and-write.ts'

/** What a Standard Schema (https://standardschema.dev, version 1) shows: validators such as zod, valibot and arktype. */
export interface ValueSchema<T> {
  readonly '~standard': {
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>
  }
}

type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

export interface AtomicOptions<T> {
  /** How it is written. Default: JSON. */
  readonly codec?: Codec<T>
  /** What it must be: checked before each write (`invalid-argument`) and after each read (`corrupt`). */
  readonly schema?: ValueSchema<T>
}

export interface AtomicState<T> {
  readonly value: T
  /** The store's revision at which it was written. */
  readonly revision: number
}

export interface AtomicContext {
  readonly store: Store
  readonly name: string
  readonly key: string
  assertOpen(): void
  follow<S>(read: (kv: KeyValue | undefined) => S, signal: AbortSignal | undefined): AsyncIterable<S>
}

/** One value under a name; each change is linearizable. Undefined while it is not set. */
export class AtomicValue<T> {
  readonly name: string
  readonly #context: AtomicContext
  readonly #codec: Codec<T>
  readonly #schema: ValueSchema<T> | undefined

  constructor(context: AtomicContext, options: AtomicOptions<T>) {
    this.name = context.name
    this.#context = context
    this.#codec = options.codec ?? (jsonCodec as Codec<T>)
    this.#schema = options.schema
  }

  async get(options?: ReadOptions): Promise<T | undefined> {
    return (await this.state(options))?.value
  }

  async state(options?: ReadOptions): Promise<AtomicState<T> | undefined> {
    const { store, key } = this.#context
    this.#context.assertOpen()
    const kv = (await store.range({ key }, options)).kvs[0]
    return kv === undefined ? undefined : { value: await this.#read(kv), revision: kv.modRevision }
  }

  /** Returns its revision. */
  async set(value: T, options?: WriteOptions): Promise<number> {
    const write = await this.#write(value)
    return (await this.#change(() => ({ write, result: undefined }), options)).revision
  }

  /** True when it was `expected` (by what is written, byte for byte; undefined: not set), and is `next` now. */
  async compareAndSet(expected: T | undefined, next: T, options?: WriteOptions): Promise<boolean> {
    const from = expected === undefined ? undefined : this.#codec.encode(expected)
    const write = await this.#write(next)
    const { result } = await this.#change((found) => {
      const isExpected =
        found === undefined || from === undefined ? found === from : equalBytes(found.value, from)
      return isExpected ? { write, result: true } : { result: false }
    }, options)
    return result
  }

  /** True when its revision was this (0: it was not set), and it is `next` now. Unlike a comparison of values it sees that it was changed there and back. */
  async setIfRevision(revision: number, next: T, options?: WriteOptions): Promise<boolean> {
    const write = await this.#write(next)
    const { result } = await this.#change(
      (found) => ((found?.modRevision ?? 0) === revision ? { write, result: true } : { result: false }),
      options,
    )
    return result
  }

  /**
   * Makes a new value of the present one, and writes it if nobody was faster; otherwise again, up to 100 times (`conflict`). `change` may be called several times, and
   * must have no effects of its own. Returns the new value.
   */
  async update(change: (current: T | undefined) => T | Promise<T>, options: WriteOptions = {}): Promise<T> {
    for (let attempt = 0; attempt < updatesMax; attempt++) {
      const state = await this.state(callOptions(options))
      const next = await change(state?.value)
      if (await this.setIfRevision(state?.revision ?? 0, next, options)) return next
    }
    throw new AlthingError('conflict', `"${this.name}" was changed by others each of ${updatesMax} times`, {
      outcome: 'none',
      retryable: true,
      details: { name: this.name },
    })
  }

  /** False when it was not set. */
  async delete(options?: WriteOptions): Promise<boolean> {
    const { key } = this.#context
    const { result } = await this.#change(
      (found) => (found === undefined ? { result: false } : { write: { op: 'delete', key }, result: true }),
      options,
    )
    return result
  }

  /** The state now and after each change; a slow reader skips to the newest. Throws `corrupt` at what cannot be read. */
  async *changes(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<AtomicState<T> | undefined> {
    for await (const kv of this.#context.follow((found) => ({ found }), options.signal)) {
      const { found } = kv
      yield found === undefined ? undefined : { value: await this.#read(found), revision: found.modRevision }
    }
  }

  async #change<R>(
    change: (found: KeyValue | undefined) => { readonly write?: Operation; readonly result: R },
    options: WriteOptions = {},
  ): Promise<{ readonly result: R; readonly revision: number }> {
    const { store, key } = this.#context
    this.#context.assertOpen()
    return await compareAndWrite(store, key, change, options)
  }

  async #write(value: T): Promise<Operation> {
    const checked = await this.#check(
      value,
      (why) =>
        new AlthingError('invalid-argument', `the value for "${this.name}" does not fit its schema: ${why}`, {
          outcome: 'none',
          details: { field: 'value' },
        }),
    )
    try {
      return { op: 'put', key: this.#context.key, value: this.#codec.encode(checked) }
    } catch (cause) {
      if (isAlthingError(cause)) throw cause
      throw new AlthingError(
        'invalid-argument',
        `the value for "${this.name}" cannot be encoded: ${String(cause)}`,
        {
          outcome: 'none',
          cause,
          details: { field: 'value' },
        },
      )
    }
  }

  async #read(kv: KeyValue): Promise<T> {
    const corrupt = (why: string, cause?: unknown): AlthingError =>
      new AlthingError('corrupt', `what stands for "${this.name}" is not what it must be: ${why}`, {
        outcome: 'none',
        cause,
        details: { key: kv.key },
      })
    let value: T
    try {
      value = this.#codec.decode(kv.value)
    } catch (cause) {
      throw corrupt(String(cause), cause)
    }
    return await this.#check(value, corrupt)
  }

  async #check(value: T, problem: (why: string) => AlthingError): Promise<T> {
    if (this.#schema === undefined) return value
    const result = await this.#schema['~standard'].validate(value)
    if (result.issues === undefined) return result.value
    throw problem(result.issues.map((issue) => issue.message).join('; '))
  }
}

const updatesMax = 100

function callOptions({ signal, timeoutMs }: WriteOptions): CallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}
