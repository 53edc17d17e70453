import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { asAlthingError } from '../../contracts/errors.ts'
import type { Compare, KeyRange, KeyValue, Operation, RangeReply, TxnReply } from '../../contracts/store.ts'
import type { JsonValue } from '../../base/json-value.ts'
import type { RecordedClient } from '../history/history-recorder.ts'
import type { WriteAnswer } from '../invariants/answers.ts'
import { attempt, type ClientContext } from './client-process.ts'

type OpenWrite = { -readonly [Field in keyof WriteAnswer]: WriteAnswer[Field] }

/** A client's calls, each written down with what it was told. Values are unique. Calls of one `RecordedStore` come one after the other. */
export class RecordedStore {
  readonly #context: ClientContext
  readonly #keys: RecordedClient
  readonly #txns: RecordedClient
  readonly #name: string
  #count = 0

  constructor(context: ClientContext, name: string) {
    this.#context = context
    this.#name = name
    this.#keys = context.observations.keys.client(name)
    this.#txns = context.observations.txns.client(name)
  }

  /** A value that is never put again. */
  nextValue(): string {
    const { paddingBytes } = this.#context.configuration
    const value = `${this.#name}-${++this.#count}`
    return paddingBytes > 0 && this.#context.random.chance(0.5) ? value.padEnd(paddingBytes, '.') : value
  }

  /** Whether the put was acknowledged. */
  async put(key: string): Promise<boolean> {
    const value = this.nextValue()
    const reply = await this.#perform(
      this.#keys,
      'put',
      { key, value: short(value) },
      () => this.#write([[key, value]], [], []),
      ({ revision }) => ({ revision }),
    )
    return reply !== undefined
  }

  /** Puts if the newest change of the key has this revision; 0: if it does not exist. */
  async compareAndPut(key: string, expected: number): Promise<boolean> {
    const value = this.nextValue()
    const compare: Compare = { target: 'modRevision', key, op: '=', value: expected }
    const reply = await this.#perform(
      this.#keys,
      'cas',
      { key, value: { expected, value: short(value) } },
      () => this.#write([[key, value]], [compare], []),
      ({ succeeded, revision }) => ({ succeeded, revision }),
    )
    return reply?.succeeded === true
  }

  async delete(key: string): Promise<void> {
    await this.#perform(
      this.#keys,
      'delete',
      { key },
      () => this.#txn([], [{ op: 'delete', key }]),
      ({ revision, replies }) => ({ deleted: deletedCount(replies) > 0, revision }),
    )
  }

  /** The key-value read; `undefined` when there is none, or the call failed. */
  async get(key: string): Promise<KeyValue | undefined> {
    const reply = await this.#perform(
      this.#keys,
      'get',
      { key },
      () => this.#range({ key }, 'linearizable'),
      ({ kvs: [kv], revision }) => ({
        value: kv === undefined ? null : short(textFromBytes(kv.value)),
        modRevision: kv?.modRevision ?? 0,
        revision,
      }),
    )
    return reply?.kvs[0]
  }

  /** Reads one node's copy. */
  async look(range: KeyRange): Promise<void> {
    await attempt(this.#context, () => this.#range(range, 'serializable'))
  }

  /** Reads many keys at one revision. */
  async list(range: KeyRange): Promise<void> {
    await attempt(this.#context, () => this.#range(range, 'linearizable'))
  }

  /** Puts all of `keys`, and reads all of `reads`, in one transaction. */
  async putMany(keys: readonly string[], reads: readonly string[]): Promise<boolean> {
    const puts = keys.map((key) => [key, this.nextValue()] as const)
    const input: JsonValue = [
      ...reads.map((key) => ['get', key]),
      ...puts.map(([key, value]) => ['put', key, short(value)]),
    ]
    const reply = await this.#perform(
      this.#txns,
      'txn',
      { value: input },
      () =>
        this.#write(
          puts,
          [],
          reads.map((key) => ({ op: 'range', key })),
        ),
      ({ replies }) => replies.map((reply) => (reply.op === 'range' ? firstValue(reply.kvs) : null)),
    )
    return reply !== undefined
  }

  /** Reads all of them in one transaction that changes nothing: as linearizable as any. */
  async getMany(keys: readonly string[]): Promise<void> {
    await this.#perform(
      this.#txns,
      'txn',
      { value: keys.map((key) => ['get', key]) },
      () =>
        this.#txn(
          [],
          keys.map((key) => ({ op: 'range', key })),
        ),
      ({ replies }) => replies.map((reply) => (reply.op === 'range' ? firstValue(reply.kvs) : null)),
    )
  }

  async #perform<T>(
    client: RecordedClient,
    op: string,
    args: { key?: string; value?: JsonValue },
    call: () => Promise<T>,
    result: (value: T) => JsonValue,
  ): Promise<T | undefined> {
    return attempt(this.#context, () => client.perform(op, args, call, result))
  }

  /** A transaction that puts `puts` if `compare` holds. */
  async #write(
    puts: readonly (readonly [string, string])[],
    compare: readonly Compare[],
    before: readonly Operation[],
  ): Promise<TxnReply> {
    const { observations, nowMs } = this.#context
    const calledAt = nowMs()
    // Written down at once: a client that dies in the call leaves an unknown outcome.
    const answer: OpenWrite = {
      kind: 'write',
      client: this.#name,
      calledAt,
      returnedAt: Number.POSITIVE_INFINITY,
      values: new Map(puts),
      outcome: 'unknown',
    }
    observations.answers.push(answer)
    const then = [
      ...before,
      ...puts.map(([key, value]) => ({ op: 'put', key, value: bytesFromText(value) }) as const),
    ]
    try {
      const reply = await this.#context.store.txn({ compare, then })
      answer.returnedAt = nowMs()
      answer.outcome = reply.succeeded ? 'acknowledged' : 'refused'
      answer.revision = reply.revision
      return reply
    } catch (error) {
      if (asAlthingError(error).outcome === 'none') answer.outcome = 'none'
      throw error
    }
  }

  async #txn(compare: readonly Compare[], then: readonly Operation[]): Promise<TxnReply> {
    const { observations, nowMs, store } = this.#context
    const calledAt = nowMs()
    const reply = await store.txn({ compare, then })
    const { revision } = reply
    observations.answers.push({
      kind: 'revision',
      client: this.#name,
      calledAt,
      returnedAt: nowMs(),
      revision,
    })
    return reply
  }

  async #range(range: KeyRange, consistency: 'linearizable' | 'serializable'): Promise<RangeReply> {
    const { observations, nowMs, store } = this.#context
    const calledAt = nowMs()
    const reply = await store.range(range, { consistency })
    const { revision, kvs } = reply
    const head = { kind: 'read', client: this.#name, calledAt, returnedAt: nowMs() } as const
    observations.answers.push({ ...head, consistency, range, revision, kvs })
    return reply
  }
}

/** The part of a value that makes it unique: histories stay readable. */
function short(value: string): string {
  return value.replace(/\.{2,}$/, '')
}

function firstValue(kvs: readonly KeyValue[]): string | null {
  const [kv] = kvs
  return kv === undefined ? null : short(textFromBytes(kv.value))
}

function deletedCount(replies: TxnReply['replies']): number {
  const [reply] = replies
  return reply?.op === 'delete' ? reply.deleted : 0
}
