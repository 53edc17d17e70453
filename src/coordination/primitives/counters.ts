import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { AlthingError, asAlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { CallOptions, KeyValue, Operation, ReadOptions } from '../../contracts/store.ts'
import { abortedError, untilAborted } from '../abortable.ts'
import type { Requirements } from '../guarantees.ts'
import { keySegment } from '../names.ts'
import { compareAndWrite, type WriteOptions } from './compare-and-write.ts'
import { PrimitiveService, type PrimitiveServiceOptions } from './primitive-service.ts'

export const counterRequirements: Requirements = {
  recipe: 'counter',
  needs: ['linearizable', 'fencing'],
}

/** The signed 64-bit integers: what a counter can be. */
export const counterMin = -(2n ** 63n)
export const counterMax = 2n ** 63n - 1n

/** Additions that wait for the one under way, per counter: then `overloaded`. */
const waitingMax = 10_000

interface Addition {
  readonly delta: bigint
  readonly done: Deferred<bigint>
}

/** The additions of one counter by this process: those that come while one is under way are made with the next. */
interface Line {
  waiting: Addition[]
  isUnderWay: boolean
  known: KeyValue | undefined
}

/**
 * Counters by name: 64-bit integers, each change linearizable, none lost and none made twice. A counter that was never written is 0.
 *
 * Additions by one process that come together are made in one write; those of several processes contend, and each is tried up to 100 times.
 */
export class Counters extends PrimitiveService {
  readonly #lines = new Map<string, Line>()

  constructor(options: PrimitiveServiceOptions) {
    super(counterRequirements, options)
  }

  async get(name: string, options?: ReadOptions): Promise<bigint> {
    const key = counterKey(name)
    this.assertOpen()
    return valueOf((await this.store.range({ key }, options)).kvs[0])
  }

  /**
   * Adds, and returns the value that this made. Rejects with `invalid-argument` when that is beyond 64 bits, `conflict` when others were faster each time,
   * `stale-token` (with a fence), and what the store rejects with: with outcome `'unknown'` it may have been added.
   */
  async add(name: string, delta: bigint | number = 1n, options: WriteOptions = {}): Promise<bigint> {
    const key = counterKey(name)
    const by = integer('delta', delta)
    this.assertOpen()
    // With a fence, or a time limit of its own, it cannot be made with those of others.
    if (options.fence !== undefined || options.timeoutMs !== undefined) {
      return (await compareAndWrite(this.store, key, (found) => added(key, found, by), options)).result
    }
    if (options.signal?.aborted === true) throw abortedError(options.signal)
    return await untilAborted(this.#enqueue(key, by), options.signal, unknownOutcome)
  }

  /** Returns the value before. */
  async set(name: string, value: bigint | number, options: WriteOptions = {}): Promise<bigint> {
    const key = counterKey(name)
    const next = inRange('value', integer('value', value))
    this.assertOpen()
    const change = (found: KeyValue | undefined) => ({ write: put(key, next), result: valueOf(found) })
    return (await compareAndWrite(this.store, key, change, options)).result
  }

  /** True when it was `expected`, and is `next` now. */
  async compareAndSet(
    name: string,
    expected: bigint | number,
    next: bigint | number,
    options: WriteOptions = {},
  ): Promise<boolean> {
    const key = counterKey(name)
    const from = inRange('expected', integer('expected', expected))
    const to = inRange('next', integer('next', next))
    this.assertOpen()
    const change = (found: KeyValue | undefined) =>
      valueOf(found) === from ? { write: put(key, to), result: true } : { result: false }
    return (await compareAndWrite(this.store, key, change, options)).result
  }

  /** Takes it out of the store: it is 0 again. False when it was not there. */
  async delete(name: string, options?: CallOptions): Promise<boolean> {
    const key = counterKey(name)
    this.assertOpen()
    const reply = await this.store.txn({ then: [{ op: 'delete', key }] }, options)
    const [first] = reply.replies
    return first?.op === 'delete' && first.deleted > 0
  }

  /** The value now and after each change. A slow reader skips to the newest. Ends with the signal, and with the service. */
  changes(name: string, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<bigint> {
    return this.follow(counterKey(name), valueOf, options.signal)
  }

  #enqueue(key: string, delta: bigint): Promise<bigint> {
    let line = this.#lines.get(key)
    if (line === undefined) {
      line = { waiting: [], isUnderWay: false, known: undefined }
      this.#lines.set(key, line)
    }
    if (line.waiting.length >= waitingMax)
      throw new AlthingError('overloaded', `${waitingMax} additions to ${key} wait already`, {
        outcome: 'none',
      })
    const done = createDeferred<bigint>()
    line.waiting.push({ delta, done })
    if (!line.isUnderWay) void this.#makeAll(key, line)
    return done.promise
  }

  async #makeAll(key: string, line: Line): Promise<void> {
    line.isUnderWay = true
    while (line.waiting.length > 0) {
      const batch = line.waiting
      line.waiting = []
      try {
        await this.#make(key, line, batch)
      } catch (error) {
        line.known = undefined
        for (const { done } of batch) done.reject(asAlthingError(error))
      }
    }
    line.isUnderWay = false
    // What is known of it is worth nothing once others write; and there may be many counters.
    this.#lines.delete(key)
  }

  /** Each has its own sum, as if one had come after the other; those that would leave the range are refused, and the others made. */
  async #make(key: string, line: Line, batch: readonly Addition[]): Promise<void> {
    const change = (found: KeyValue | undefined) => {
      let value = valueOf(found)
      const sums = batch.map(({ delta }) => {
        if (!isInRange(value + delta)) return undefined
        value += delta
        return value
      })
      return { write: put(key, value), result: { sums, value } }
    }
    const { result, revision } = await compareAndWrite(this.store, key, change, {}, line.known)
    const { sums, value } = result
    line.known = { ...unread, key, value: encode(value), modRevision: revision }
    for (const [index, { delta, done }] of batch.entries()) {
      const sum = sums[index]
      if (sum === undefined) done.reject(outOfRange(delta))
      else done.resolve(sum)
    }
  }
}

const unread = { createRevision: 0, version: 0, lease: 0 }

function counterKey(name: string): string {
  return `/althing/counters/${keySegment('name', name)}`
}

function added(
  key: string,
  found: KeyValue | undefined,
  delta: bigint,
): { write: Operation; result: bigint } {
  const result = valueOf(found) + delta
  if (!isInRange(result)) throw outOfRange(delta)
  return { write: put(key, result), result }
}

function put(key: string, value: bigint): Operation {
  return { op: 'put', key, value: encode(value) }
}

function encode(value: bigint): Uint8Array {
  return bytesFromText(value.toString())
}

function valueOf(kv: KeyValue | undefined): bigint {
  if (kv === undefined) return 0n
  const text = textFromBytes(kv.value)
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text)
  throw new AlthingError('corrupt', `${kv.key} holds no whole number`, {
    outcome: 'none',
    details: { key: kv.key },
  })
}

function integer(field: string, value: bigint | number): bigint {
  if (typeof value === 'bigint') return value
  if (Number.isSafeInteger(value)) return BigInt(value)
  throw invalidArgument(field, value, 'a whole number: a bigint, or a number within 2^53')
}

function isInRange(value: bigint): boolean {
  return value >= counterMin && value <= counterMax
}

function inRange(field: string, value: bigint): bigint {
  if (isInRange(value)) return value
  throw invalidArgument(field, value, 'a signed 64-bit integer')
}

function outOfRange(delta: bigint): AlthingError {
  return invalidArgument('delta', delta, 'one that keeps the counter within 64 bits')
}

/** It may be under way already. */
function unknownOutcome(signal: AbortSignal): AlthingError {
  return new AlthingError('aborted', 'the call was aborted by its signal', {
    outcome: 'unknown',
    cause: signal.reason,
  })
}
