import {
  type ByteString,
  byteStringFromText,
  bytesFromText,
  prefixEnd,
  textFromByteString,
  textFromBytes,
} from '../base/bytes.ts'
import { type Duration, parseDurationMs } from '../base/duration.ts'
import { AlthingError, invalidArgument, isAlthingError } from '../contracts/errors.ts'
import type {
  CallOptions,
  Compare,
  CompareOp,
  KeyRange,
  KeyValue,
  LeaseId,
  Operation,
  ReadOptions,
  Store,
  TxnReply,
  WatchEvent,
} from '../contracts/store.ts'
import type { Clock } from '../contracts/world.ts'

const updateAttemptsMax = 100
const updateTimeoutMs = 5_000

const loneSurrogate = /\p{Surrogate}/u

/** Turns values into bytes and back. */
export interface Codec<Value> {
  encode(value: Value): Uint8Array
  /** Throws on bytes that are no value of the type. */
  decode(bytes: Uint8Array): Value
}

/** Any JSON value, and nothing else. */
export const jsonCodec: Codec<unknown> = {
  encode: (value) => {
    const text = JSON.stringify(value)
    if (text === undefined) throw invalidArgument('value', String(value), 'a JSON value')
    return bytesFromText(text)
  },
  decode: (bytes) => JSON.parse(textFromBytes(bytes)) as unknown,
}

/**
 * Any JSON value; bytes that are no JSON are read as text. The default: what is written comes back as it was, and what other programs wrote as plain text
 * (`althing put greeting hello`) can be read too.
 */
export const plainCodec: Codec<unknown> = {
  encode: jsonCodec.encode,
  decode: (bytes) => {
    const text = textFromBytes(bytes)
    try {
      return JSON.parse(text) as unknown
    } catch {
      return text
    }
  },
}

export const textCodec: Codec<string> = { encode: bytesFromText, decode: textFromBytes }
export const bytesCodec: Codec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes }

/** A key and its value as the application sees them. See `KeyValue` for the revisions. */
export interface Item<Value> {
  readonly key: string
  readonly value: Value
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  /** 0: none. */
  readonly lease: LeaseId
}

export interface PutOptions extends CallOptions {
  /** The key is deleted with this lease. */
  readonly lease?: LeaseId
  /** Only if the key's mod revision is this (0: only if it does not exist); otherwise `conflict`. */
  readonly ifRevision?: number
}

export interface DeleteOptions extends CallOptions {
  /** Only if the key's mod revision is this; otherwise `conflict`. */
  readonly ifRevision?: number
}

export interface ListOptions extends ReadOptions {
  readonly limit?: number
  readonly order?: 'ascending' | 'descending'
  /** As of this revision. */
  readonly revision?: number
  /** First key wanted (included), to go on where a page ended: in descending order the greatest. */
  readonly from?: string
}

export interface List<Value> {
  readonly items: readonly Item<Value>[]
  /** Number of keys with the prefix, from `from` on in the order of the list, whatever the limit. */
  readonly count: number
  readonly more: boolean
  readonly revision: number
}

export type Change<Value> =
  | { readonly type: 'put'; readonly item: Item<Value>; readonly previous?: Item<Value> }
  | {
      readonly type: 'delete'
      readonly key: string
      readonly revision: number
      readonly previous?: Item<Value>
    }
  /** The changes since `fromRevision` are compacted away: `items` is all there is, as of `revision`. */
  | {
      readonly type: 'resync'
      readonly items: readonly Item<Value>[]
      readonly fromRevision: number
      readonly revision: number
    }

export interface WatchOptions {
  /** The first revision wanted; default: the one after the newest. */
  readonly fromRevision?: number
  /** Changes carry the item as it was before. */
  readonly previous?: boolean
  readonly signal?: AbortSignal
}

/** What a condition of a {@link Transaction} compares. */
export interface Condition {
  readonly key: string
  readonly target: 'value' | 'version' | 'createRevision' | 'modRevision' | 'lease'
  readonly op: CompareOp
  readonly value: unknown
}

/**
 * The store with text keys and typed values. Guarantees are those of the `Store` below it: linearizable reads and writes, unless asked otherwise.
 * Every failure is an `AlthingError`; a value that the codec cannot read is `corrupt` and names the key.
 */
export class TypedStore<Value = unknown> {
  readonly raw: Store
  readonly #codec: Codec<Value>
  readonly #clock: Clock | undefined

  /** With `clock`, {@link update} keeps its time limit over all its attempts; without, each of its calls has the limit to itself. */
  constructor(raw: Store, codec: Codec<Value> = plainCodec as Codec<Value>, clock?: Clock) {
    this.raw = raw
    this.#codec = codec
    this.#clock = clock
  }

  /** The same store, seen through another codec. */
  as<Other>(codec: Codec<Other>): TypedStore<Other> {
    return new TypedStore(this.raw, codec, this.#clock)
  }

  async get(
    key: string,
    options: ReadOptions & { readonly revision?: number } = {},
  ): Promise<Item<Value> | undefined> {
    const { revision, ...read } = options
    const reply = await this.raw.range(
      { key: keyFrom(key), ...(revision === undefined ? {} : { revision }) },
      read,
    )
    const [kv] = reply.kvs
    return kv === undefined ? undefined : this.#item(kv)
  }

  /** Items whose key starts with `prefix`, ordered bytewise. */
  async list(prefix: string, options: ListOptions = {}): Promise<List<Value>> {
    const { limit, order, revision, from, ...read } = options
    const range = listRange(prefix, order, from)
    const reply = await this.raw.range(
      {
        ...range,
        ...(limit === undefined ? {} : { limit }),
        ...(order === undefined ? {} : { order }),
        ...(revision === undefined ? {} : { revision }),
      },
      read,
    )
    return {
      items: reply.kvs.map((kv) => this.#item(kv)),
      count: reply.count,
      more: reply.more,
      revision: reply.revision,
    }
  }

  /** Returns the new mod revision. */
  async put(key: string, value: Value, options: PutOptions = {}): Promise<number> {
    const { lease, ifRevision, ...call } = options
    const put: Operation = {
      op: 'put',
      key: keyFrom(key),
      value: encodeValue(this.#codec, key, value),
      ...(lease === undefined ? {} : { lease }),
    }
    const reply = await this.raw.txn({ compare: revisionIs(key, ifRevision), then: [put] }, call)
    assertTaken(reply, key, ifRevision)
    return reply.revision
  }

  /** Returns whether there was such a key. */
  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    const { ifRevision, ...call } = options
    const reply = await this.raw.txn(
      { compare: revisionIs(key, ifRevision), then: [{ op: 'delete', key: keyFrom(key) }] },
      call,
    )
    assertTaken(reply, key, ifRevision)
    return deletedBy(reply) > 0
  }

  /** Deletes all keys with the prefix in one revision. Returns their number. */
  async deletePrefix(prefix: string, options: CallOptions = {}): Promise<number> {
    const reply = await this.raw.txn({ then: [{ op: 'delete', ...prefixRange(prefix) }] }, options)
    return deletedBy(reply)
  }

  /**
   * Reads the item, lets `change` make a new value of it (`undefined` deletes it), and writes that if nobody was faster; otherwise again. `change` may
   * be called several times. Throws `conflict` after 100 attempts, and `timeout` when `timeoutMs` (default 5000) have passed over all of them; the outcome of
   * both is `none`.
   */
  async update(
    key: string,
    change: (current: Value | undefined) => Value | undefined,
    options: CallOptions = {},
  ): Promise<Value | undefined> {
    const remaining = this.#withinTime(key, options)
    for (let attempt = 0; attempt < updateAttemptsMax; attempt++) {
      const item = await this.get(key, remaining())
      const next = change(item?.value)
      const ifRevision = item?.modRevision ?? 0
      try {
        if (next === undefined) await this.delete(key, { ...remaining(), ifRevision })
        else await this.put(key, next, { ...remaining(), ifRevision })
        return next
      } catch (error) {
        if (!isAlthingError(error, 'conflict')) throw error
      }
    }
    throw new AlthingError('conflict', `${key} was changed by others each of ${updateAttemptsMax} times`, {
      outcome: 'none',
    })
  }

  /** The options of the next of several calls that share one time limit. Throws `timeout` when it is over. */
  #withinTime(key: string, options: CallOptions): () => CallOptions {
    const clock = this.#clock
    if (clock === undefined) return () => options
    const limitMs = options.timeoutMs ?? updateTimeoutMs
    const endMs = clock.monotonicMs() + limitMs
    return () => {
      const timeoutMs = endMs - clock.monotonicMs()
      if (timeoutMs > 0) return { ...options, timeoutMs }
      const problem = `${key} was changed by others, again and again, for ${limitMs} ms`
      throw new AlthingError('timeout', problem, { outcome: 'none' })
    }
  }

  /** Starts a transaction: `if` conditions, `then` and `else` operations, `commit`. */
  transaction(): Transaction<Value> {
    return new Transaction(this.raw, this.#codec)
  }

  /** Changes of one key, in order, each once. The watch is set when the loop begins, and ends when the signal fires or the loop is left. */
  watch(key: string, options: WatchOptions = {}): AsyncIterable<Change<Value>> {
    return this.#watch({ key: keyFrom(key) }, options)
  }

  /** Changes of all keys with the prefix. */
  watchPrefix(prefix: string, options: WatchOptions = {}): AsyncIterable<Change<Value>> {
    return this.#watch(prefixRange(prefix), options)
  }

  async grantLease(ttl: Duration, options: CallOptions = {}): Promise<LeaseId> {
    const ttlMs = parseDurationMs(ttl)
    if (ttlMs === undefined) throw invalidArgument('ttl', ttl, "milliseconds, or a text like '30s'")
    return (await this.raw.grantLease({ ttlMs }, options)).lease
  }

  async *#watch(range: KeyRange, options: WatchOptions): AsyncIterable<Change<Value>> {
    const watch = this.raw.watch({ ...range, ...options })
    try {
      for await (const batch of watch) {
        if (batch.kind === 'events') for (const event of batch.events) yield this.#change(event)
        if (batch.kind === 'resync') {
          const { fromRevision, revision } = batch
          yield { type: 'resync', items: batch.kvs.map((kv) => this.#item(kv)), fromRevision, revision }
        }
      }
    } finally {
      watch.close()
    }
  }

  #change(event: WatchEvent): Change<Value> {
    const previous = event.previous === undefined ? {} : { previous: this.#item(event.previous) }
    if (event.type === 'put') return { type: 'put', item: this.#item(event.kv), ...previous }
    return { type: 'delete', key: textOfKey(event.key), revision: event.modRevision, ...previous }
  }

  #item(kv: KeyValue): Item<Value> {
    return itemFrom(kv, this.#codec)
  }
}

/** A transaction being put together. Nothing happens before {@link commit}. */
export class Transaction<Value> {
  readonly #store: Store
  readonly #codec: Codec<Value>
  readonly #compare: Compare[] = []
  readonly #then: Operation[] = []
  readonly #else: Operation[] = []

  constructor(store: Store, codec: Codec<Value>) {
    this.#store = store
    this.#codec = codec
  }

  /** All conditions must hold for `then` to be done. */
  if(key: string, target: 'value', op: CompareOp, value: Value): this
  if(
    key: string,
    target: 'version' | 'createRevision' | 'modRevision' | 'lease',
    op: CompareOp,
    value: number,
  ): this
  if(key: string, target: Condition['target'], op: CompareOp, value: unknown): this {
    if (target === 'value')
      this.#compare.push({
        target,
        key: keyFrom(key),
        op,
        value: encodeValue(this.#codec, key, value as Value),
      })
    else this.#compare.push({ target, key: keyFrom(key), op, value: value as number })
    return this
  }

  ifAbsent(key: string): this {
    return this.if(key, 'createRevision', '=', 0)
  }

  ifExists(key: string): this {
    return this.if(key, 'createRevision', '>', 0)
  }

  thenPut(key: string, value: Value, lease: LeaseId = 0): this {
    this.#then.push({ op: 'put', key: keyFrom(key), value: encodeValue(this.#codec, key, value), lease })
    return this
  }

  thenDelete(key: string): this {
    this.#then.push({ op: 'delete', key: keyFrom(key) })
    return this
  }

  thenGet(key: string): this {
    this.#then.push({ op: 'range', key: keyFrom(key) })
    return this
  }

  elsePut(key: string, value: Value): this {
    this.#else.push({ op: 'put', key: keyFrom(key), value: encodeValue(this.#codec, key, value) })
    return this
  }

  elseGet(key: string): this {
    this.#else.push({ op: 'range', key: keyFrom(key) })
    return this
  }

  /** Returns which branch was taken and, for each `get` of it in order, the item (or `undefined`). */
  async commit(options: CallOptions = {}): Promise<{
    readonly succeeded: boolean
    readonly revision: number
    readonly items: readonly (Item<Value> | undefined)[]
  }> {
    const reply = await this.#store.txn(
      { compare: this.#compare, then: this.#then, else: this.#else },
      options,
    )
    const items = reply.replies.flatMap((each) => {
      if (each.op !== 'range') return []
      const [kv] = each.kvs
      return [kv === undefined ? undefined : itemFrom(kv, this.#codec)]
    })
    return { succeeded: reply.succeeded, revision: reply.revision, items }
  }
}

function itemFrom<Value>(kv: KeyValue, codec: Codec<Value>): Item<Value> {
  const key = textOfKey(kv.key)
  let value: Value
  try {
    value = codec.decode(kv.value)
  } catch (cause) {
    throw new AlthingError('corrupt', `the value of ${key} is not of the form its reader expects`, {
      cause,
      details: { key },
    })
  }
  const { createRevision, modRevision, version, lease } = kv
  return { key, value, createRevision, modRevision, version, lease }
}

function keyFrom(key: string): string {
  if (typeof key !== 'string') throw invalidArgument('key', key, 'a text')
  // UTF-8 has no form for half a surrogate pair: two such keys would become one.
  if (loneSurrogate.test(key)) throw invalidArgument('key', key, 'well-formed Unicode (no lone surrogates)')
  return byteStringFromText(key)
}

function textOfKey(key: ByteString): string {
  try {
    return textFromByteString(key)
  } catch (cause) {
    const hex = Buffer.from(key, 'latin1').toString('hex')
    throw new AlthingError('corrupt', `the key 0x${hex} is not UTF-8: it was not written by a typed store`, {
      cause,
    })
  }
}

function encodeValue<Value>(codec: Codec<Value>, key: string, value: Value): Uint8Array {
  try {
    return codec.encode(value)
  } catch (cause) {
    if (isAlthingError(cause)) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AlthingError('invalid-argument', `the value for ${key} cannot be encoded: ${reason}`, {
      cause,
      outcome: 'none',
    })
  }
}

function prefixRange(prefix: string): KeyRange {
  const start = keyFrom(prefix)
  return { key: start, end: prefixEnd(start) ?? null }
}

function listRange(prefix: string, order: ListOptions['order'], from: string | undefined): KeyRange {
  const { key, end = null } = prefixRange(prefix)
  if (from === undefined) return { key, end }
  const first = keyFrom(from)
  if (order !== 'descending') return { key: first > key ? first : key, end }
  const after = `${first}\0`
  return { key, end: end === null || after < end ? after : end }
}

function revisionIs(key: string, revision: number | undefined): readonly Compare[] {
  return revision === undefined
    ? []
    : [{ target: 'modRevision', key: keyFrom(key), op: '=', value: revision }]
}

function assertTaken(reply: TxnReply, key: string, ifRevision: number | undefined): void {
  if (reply.succeeded) return
  const expected = ifRevision === 0 ? 'that it did not exist' : `that its revision was still ${ifRevision}`
  throw new AlthingError('conflict', `${key} was not changed: the condition was ${expected}`, {
    outcome: 'none',
    details: { key },
  })
}

function deletedBy(reply: TxnReply): number {
  const [first] = reply.replies
  return first?.op === 'delete' ? first.deleted : 0
}
