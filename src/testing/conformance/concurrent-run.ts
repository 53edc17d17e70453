import { type ByteString, prefixEnd, textFromBytes } from '../../base/bytes.ts'
import { invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { Compare, KeyValue, Operation as StoreOperation, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import {
  checkLinearizability,
  type LinearizabilityOptions,
  type LinearizabilityResult,
} from '../checkers/linearizability.ts'
import { kvModel } from '../checkers/models/kv.ts'
import { versionedKvModel } from '../checkers/models/versioned-kv.ts'
import { shrinkViolation } from '../checkers/shrink.ts'
import type { SequentialModel } from '../checkers/sequential-model.ts'
import type { JsonValue } from '../../base/json-value.ts'
import { type HistoryEvent } from '../history/event.ts'
import { HistoryRecorder, type RecordedClient } from '../history/history-recorder.ts'
import type { Operation } from '../history/operation.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import { bytesOf } from './plain.ts'

export interface ConcurrentRunOptions {
  /** Of one server; clients take them in turn. */
  readonly stores: readonly Store[]
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  /** Decides what each client asks for, though not how the calls overlap. */
  readonly seed: number | string
  /** Clients that call at the same time, each one call after the other. Default 8. */
  readonly clients?: number
  /** Default 100. */
  readonly callsPerClient?: number
  /** Default 4. Fewer are harder to get right. */
  readonly keys?: number
  /** Default 5000. */
  readonly timeoutMs?: number
  /** Something that happens meanwhile: a fault, say. The clients call until it is over, and then `callsPerClient` times. */
  readonly during?: () => Promise<void>
}

export interface ConcurrentRunResult {
  /** `ok` when both histories are linearizable; `unknown` is not `ok`. */
  readonly verdict: LinearizabilityResult['verdict']
  /** Calls of which it is known that they had no effect, and of which it is not known. */
  readonly failed: number
  readonly unknown: number
  /** Of single keys, with revisions. */
  readonly keys: JudgedHistory
  /** Of transactions over several keys. */
  readonly txns: JudgedHistory
}

export interface JudgedHistory {
  readonly result: LinearizabilityResult
  readonly events: readonly HistoryEvent[]
  /** For a violation: a short part of the history that is wrong by itself. */
  readonly shortest?: readonly Operation[]
}

/** Lets clients read and write the same few keys at the same time, and judges whether what they saw is linearizable. */
export async function concurrentRun(options: ConcurrentRunOptions): Promise<ConcurrentRunResult> {
  const { stores, world, clients = 8, during } = options
  if (stores.length === 0) throw invalidArgument('stores', stores.length, 'one store or more')
  const run = new Run(options)
  const disturbance = (during?.() ?? Promise.resolve()).finally(() => run.settle())
  await Promise.all([
    disturbance,
    ...Array.from({ length: clients }, (_, i) => run.client(`c${i + 1}`, stores[i % stores.length] as Store)),
  ])
  await run.tidy()
  const limits = { clock: world.clock }
  const keys = judge(versionedKvModel(), run.keys, limits)
  const txns = judge(kvModel(), run.txns, limits)
  const operations = [...run.keys.operations(), ...run.txns.operations()]
  const verdicts = [keys.result.verdict, txns.result.verdict]
  return {
    verdict: verdicts.includes('violation') ? 'violation' : verdicts.includes('unknown') ? 'unknown' : 'ok',
    failed: operations.filter(({ outcome }) => outcome === 'fail').length,
    unknown: operations.filter(({ outcome }) => outcome === 'unknown').length,
    keys,
    txns,
  }
}

function judge<State, Op>(
  model: SequentialModel<State, Op>,
  recorder: HistoryRecorder,
  limits: LinearizabilityOptions,
): JudgedHistory {
  const operations = recorder.operations()
  const result = checkLinearizability(model, operations, limits)
  const { events } = recorder
  if (result.verdict !== 'violation') return { result, events }
  return { result, events, shortest: shrinkViolation(model, operations, limits) }
}

/** Keys of the calls on several at once. */
const sharedNames = ['m1', 'm2', 'm3']

class Run {
  readonly keys: HistoryRecorder
  readonly txns: HistoryRecorder
  readonly #options: ConcurrentRunOptions
  readonly #prefix: ByteString
  #isSettled = false
  #written = 0
  #values = 0

  constructor(options: ConcurrentRunOptions) {
    this.#options = options
    this.#prefix = `h${Buffer.from(options.world.random.bytes(6)).toString('hex')}/`
    // All is written down in one process: its order is the order of time, and a finer one than that of any clock.
    const order = { monotonicMs: () => ++this.#written }
    this.keys = new HistoryRecorder(order)
    this.txns = new HistoryRecorder(order)
  }

  settle(): void {
    this.#isSettled = true
  }

  async client(name: string, store: Store): Promise<void> {
    const random = new SeededRandom(this.#options.seed).fork(name)
    const caller = new Caller(store, this.keys.client(name), this.txns.client(name), {
      prefix: this.#prefix,
      timeoutMs: this.#options.timeoutMs ?? 5_000,
      nextValue: () => `v${++this.#values}`,
    })
    const { callsPerClient = 100, keys = 4 } = this.#options
    for (let left = callsPerClient; left > 0; ) {
      try {
        await caller.callOnce(random, keys)
      } catch (error) {
        // It is in the history, with what is known of its effect.
        if (!isAlthingError(error)) throw error
      }
      if (this.#isSettled) left--
    }
  }

  async tidy(): Promise<void> {
    const range = { key: this.#prefix, end: prefixEnd(this.#prefix) ?? null }
    await this.#options.stores[0]?.txn({ then: [{ op: 'delete', ...range }] })
  }
}

interface CallerOptions {
  readonly prefix: ByteString
  readonly timeoutMs: number
  /** A value that is never put again: so each read tells which put it saw. */
  readonly nextValue: () => string
}

/** The calls of one client, each written down with its result. */
class Caller {
  readonly #store: Store
  readonly #keys: RecordedClient
  readonly #txns: RecordedClient
  readonly #options: CallerOptions

  constructor(store: Store, keys: RecordedClient, txns: RecordedClient, options: CallerOptions) {
    this.#store = store
    this.#keys = keys
    this.#txns = txns
    this.#options = options
  }

  callOnce(random: SeededRandom, keys: number): Promise<unknown> {
    const key = `k${random.integer(1, keys)}`
    const draw = random.float()
    if (draw < 0.35) return this.#get(key)
    if (draw < 0.6) return this.#put(key)
    if (draw < 0.68) return this.#delete(key)
    if (draw < 0.8) return this.#compareAndPut(key, random.chance(0.1))
    const names = random.shuffle(sharedNames)
    const puts = draw < 0.92 ? names.slice(0, random.integer(1, 2)) : []
    return this.#txn(names.slice(0, random.integer(1, 3)), puts)
  }

  #get(key: string): Promise<KeyValue | undefined> {
    return this.#keys
      .perform(
        'get',
        { key },
        () => this.#store.range({ key: this.#name(key) }, this.#bound),
        ({ kvs: [kv], revision }) => ({ value: valueOf(kv), modRevision: kv?.modRevision ?? 0, revision }),
      )
      .then(({ kvs: [kv] }) => kv)
  }

  #put(key: string): Promise<unknown> {
    const value = this.#options.nextValue()
    return this.#keys.perform(
      'put',
      { key, value },
      () => this.#store.txn({ then: [this.#putting(key, value)] }, this.#bound),
      ({ revision }) => ({ revision }),
    )
  }

  #delete(key: string): Promise<unknown> {
    return this.#keys.perform(
      'delete',
      { key },
      () => this.#store.txn({ then: [{ op: 'delete', key: this.#name(key) }] }, this.#bound),
      ({ revision, replies: [reply] }) => ({
        deleted: reply?.op === 'delete' && reply.deleted > 0,
        revision,
      }),
    )
  }

  async #compareAndPut(key: string, isFirst: boolean): Promise<unknown> {
    const expected = isFirst ? 0 : ((await this.#get(key))?.modRevision ?? 0)
    const value = this.#options.nextValue()
    const compare: Compare[] = [{ target: 'modRevision', key: this.#name(key), op: '=', value: expected }]
    return this.#keys.perform(
      'cas',
      { key, value: { expected, value } },
      () => this.#store.txn({ compare, then: [this.#putting(key, value)] }, this.#bound),
      ({ succeeded, revision }) => ({ succeeded, revision }),
    )
  }

  /** Reads some keys and then puts some, at one moment. */
  #txn(reads: readonly string[], puts: readonly string[]): Promise<unknown> {
    const values = puts.map((key) => [key, this.#options.nextValue()] as const)
    const asked: JsonValue = [
      ...reads.map((key) => ['get', key]),
      ...values.map(([key, value]) => ['put', key, value]),
    ]
    const then: StoreOperation[] = [
      ...reads.map((key) => ({ op: 'range', key: this.#name(key) }) as const),
      ...values.map(([key, value]) => this.#putting(key, value)),
    ]
    return this.#txns.perform(
      'txn',
      { value: asked },
      () => this.#store.txn({ then }, this.#bound),
      ({ replies }) => replies.map((reply) => (reply.op === 'range' ? valueOf(reply.kvs[0]) : null)),
    )
  }

  get #bound(): { readonly timeoutMs: number } {
    return { timeoutMs: this.#options.timeoutMs }
  }

  #name(key: string): ByteString {
    return this.#options.prefix + key
  }

  #putting(key: string, value: string): StoreOperation {
    return { op: 'put', key: this.#name(key), value: bytesOf(value) }
  }
}

function valueOf(kv: KeyValue | undefined): string | null {
  return kv === undefined ? null : textFromBytes(kv.value)
}
