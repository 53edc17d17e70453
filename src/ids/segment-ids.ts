import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import type { Duration } from '../base/duration.ts'
import { AlthingError, invalidArgument, isAlthingError } from '../contracts/errors.ts'
import type { CallOptions, KeyValue, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { pause, untilAborted, WaitLimit } from '../coordination/abortable.ts'
import { durationMs, keySegment, wholeNumber } from '../coordination/names.ts'
import { snowflakeMax } from '../protocols/snowflake/layout.ts'
import { type Segment, SegmentBuffer } from '../protocols/snowflake/segment-buffer.ts'

export interface SegmentOptions {
  /** Ids in the first block, and the least in any. Default 1000; 1 to 10,000,000. */
  readonly step?: number
  /** The most ids in a block. Default 1,000,000, or `step` where that is more. */
  readonly stepMax?: number
  /** The first id ever given of the tag. Default 1. Without effect once the tag is in the store. */
  readonly start?: bigint | number
}

export interface NextSegmentIdOptions {
  readonly signal?: AbortSignal
  /** Default '5s'. */
  readonly timeout?: Duration
}

export const segmentDefaults = { step: 1_000, stepMax: 1_000_000, start: 1n, timeout: '5s' } as const

const stepBound = 10_000_000
const retryMsMin = 20
const retryMsMax = 2_000
/** A claim is tried so often against others who are faster. */
const triesMax = 100

export interface SegmentParts {
  readonly store: Store
  readonly world: World
  readonly onClose?: () => void
}

/**
 * Consecutive ids of one tag, in blocks claimed from the store, each in one transaction: no id is given twice, by whatever process. Ids of one process grow; ids of
 * a block whose process dies, or closes, are never given (gaps). The next block is fetched when a tenth of the present one is used.
 */
export class SegmentIds {
  readonly tag: string
  readonly #parts: SegmentParts
  readonly #key: string
  readonly #start: bigint
  readonly #buffer: SegmentBuffer
  readonly #closing = new AbortController()
  #fetching: Promise<void> | undefined
  #failure: unknown
  /** What the store held last, as far as is known: so that one transaction is enough. */
  #known: { readonly revision: number; readonly next: bigint } = { revision: 0, next: 0n }

  constructor(parts: SegmentParts, tag: string, options: SegmentOptions = {}) {
    this.#parts = parts
    this.tag = tag
    this.#key = `/althing/ids/segments/${keySegment('tag', tag)}`
    const min = wholeNumber('step', options.step ?? segmentDefaults.step, 1, stepBound)
    const max = wholeNumber(
      'stepMax',
      options.stepMax ?? Math.max(min, segmentDefaults.stepMax),
      min,
      stepBound,
    )
    this.#buffer = new SegmentBuffer({ min, max })
    this.#start = startOf(options.start ?? segmentDefaults.start)
    this.#known = { revision: 0, next: this.#start }
  }

  /** Ids that can be given without the store. */
  get buffered(): number {
    return this.#buffer.left
  }

  /** How many ids the next block is to have. */
  get step(): number {
    return this.#buffer.step
  }

  /** The next id, at once. Throws `unavailable` when none is buffered (the next block is on its way), and `closed`. */
  next(): bigint {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
    const id = this.#buffer.next()
    if (this.#buffer.wantsMore) void this.#fetch()
    if (id === undefined) throw this.#noneBuffered()
    return id
  }

  /** The next id as a number. Throws `invalid-argument` from 2^53 on, and then gives no id. */
  nextNumber(): number {
    const id = this.next()
    if (id <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(id)
    throw invalidArgument('id', id, 'at most 2^53 - 1 to be a JavaScript number; use next()')
  }

  /** As {@link next}, but waits for a block. Rejects with `timeout`, `aborted`, `closed`, and `no-space` when the tag has come to 2^63. */
  async nextAsync(options: NextSegmentIdOptions = {}): Promise<bigint> {
    const timeoutMs = durationMs('timeout', options.timeout ?? segmentDefaults.timeout)
    const limit = new WaitLimit()
      .endWith(options.signal)
      .endWith(this.#closing.signal, ({ reason }) => reason)
      .endAfter(this.#parts.world, timeoutMs, () => timedOut(timeoutMs, this.#failure))
    try {
      for (let retryMs = retryMsMin; ; retryMs = Math.min(2 * retryMs, retryMsMax)) {
        limit.throwIfEnded()
        const id = this.#buffer.next()
        if (this.#buffer.wantsMore) void this.#fetch()
        if (id !== undefined) return id
        await untilAborted(this.#fetch(), limit.signal, (signal) => signal.reason)
        if (this.#buffer.left > 0) continue
        if (isAlthingError(this.#failure) && !this.#failure.retryable) throw this.#failure
        await pause(this.#parts.world, retryMs, limit.signal)
      }
    } finally {
      limit.dispose()
    }
  }

  /** What is buffered is never given. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(
      new AlthingError('closed', `the ids of '${this.tag}' are closed`, { outcome: 'none' }),
    )
    await this.#fetching
    this.#parts.onClose?.()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #noneBuffered(): AlthingError {
    return new AlthingError(
      'unavailable',
      `no id of '${this.tag}' is buffered; await nextAsync(), or try again`,
      {
        outcome: 'none',
        cause: this.#failure,
        details: { cause: 'buffer-empty', tag: this.tag },
      },
    )
  }

  /** One at a time. Never rejects: the failure is kept for who asks next. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fill().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fill(): Promise<void> {
    if (!this.#buffer.wantsMore || this.#closing.signal.aborted) return
    try {
      const segment = await this.#claim({ signal: this.#closing.signal })
      this.#buffer.add(segment, this.#parts.world.clock.monotonicMs())
      this.#failure = undefined
    } catch (error) {
      this.#failure = error
    }
  }

  /** A block whose transaction had no answer may be claimed; it is left alone, for it may be another's next. */
  async #claim(options: CallOptions): Promise<Segment> {
    const count = BigInt(this.#buffer.step)
    for (let tries = 0; tries < triesMax; tries++) {
      const { revision, next: first } = this.#known
      const end = first + count
      if (end > snowflakeMax) {
        throw new AlthingError('no-space', `the ids of '${this.tag}' have come to their end, 2^63`, {
          outcome: 'none',
        })
      }
      const reply = await this.#parts.store.txn(
        {
          compare: [{ target: 'modRevision', key: this.#key, op: '=', value: revision }],
          then: [{ op: 'put', key: this.#key, value: bytesFromText(String(end)) }],
          else: [{ op: 'range', key: this.#key }],
        },
        options,
      )
      if (reply.succeeded) {
        this.#known = { revision: reply.revision, next: end }
        return { first, end }
      }
      const [found] = reply.replies
      const kv = found?.op === 'range' ? found.kvs[0] : undefined
      this.#known =
        kv === undefined ? { revision: 0, next: this.#start } : { revision: kv.modRevision, next: nextIn(kv) }
    }
    throw new AlthingError(
      'overloaded',
      `${triesMax} claims of a block of '${this.tag}' came after another's`,
      {
        outcome: 'none',
      },
    )
  }
}

function startOf(given: bigint | number): bigint {
  const isWhole = typeof given === 'bigint' || Number.isSafeInteger(given)
  if (isWhole && given >= 0 && given < snowflakeMax) return BigInt(given)
  throw invalidArgument('start', given, 'a whole number from 0 to 2^63 - 2, above 2^53 as bigint')
}

function nextIn(kv: KeyValue): bigint {
  const text = textFromBytes(kv.value)
  if (/^\d{1,19}$/.test(text)) return BigInt(text)
  throw new AlthingError('corrupt', `the value of ${kv.key} is not what this version writes there`, {
    outcome: 'none',
    details: { key: kv.key },
  })
}

function timedOut(timeoutMs: number, cause: unknown): AlthingError {
  return new AlthingError('timeout', `no id within ${timeoutMs} ms`, { outcome: 'none', cause })
}
