import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Duration } from '../../base/duration.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions, Compare, KeyValue, Operation, ReadOptions } from '../../contracts/store.ts'
import { fencedTxn } from '../fencing.ts'
import { untilAborted } from '../abortable.ts'
import type { Requirements } from '../guarantees.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { keySegment, leaseTtlMs, wholeNumber } from '../names.ts'
import { compareAndWrite, type WriteOptions } from './compare-and-write.ts'
import { type WaitOptions, waitLimit } from './call-limit.ts'
import { PrimitiveService, type PrimitiveServiceOptions } from './primitive-service.ts'

export const latchRequirements: Requirements = {
  recipe: 'latch',
  needs: ['linearizable', 'fencing', 'watch-resume'],
}

const countMax = 1_000_000_000
const attemptsMax = 100

export interface LatchState {
  /** What is left: 0 when it is open, for good. */
  readonly count: number
  readonly initial: number
}

export interface CreateLatchOptions extends CallOptions {
  /** After this time it is taken out of the store, open or not. Default: it stays until `delete`. */
  readonly keepFor?: Duration
}

export interface CountDownOptions extends WriteOptions {
  /** Default 1. */
  readonly by?: number
  /** Who counts down: each party counts once, however often it calls; so a call of unknown outcome can be made again. 1..256 characters. */
  readonly party?: string
}

/** Latches by name: opened once, by a number of countings down, and open for good. */
export class Latches extends PrimitiveService {
  constructor(options: PrimitiveServiceOptions) {
    super(latchRequirements, options)
  }

  /**
   * Makes it, with this count (1..1,000,000,000). True when this call has made it, false when it was there with the same initial count; `conflict` when with
   * another.
   */
  async create(name: string, count: number, options: CreateLatchOptions = {}): Promise<boolean> {
    const { keepFor, ...call } = options
    const key = latchKey(name)
    wholeNumber('count', count, 1, countMax)
    const ttlMs = keepFor === undefined ? undefined : leaseTtlMs('keepFor', keepFor)
    this.assertOpen()
    const lease = ttlMs === undefined ? 0 : (await this.store.grantLease({ ttlMs }, call)).lease
    const made = encode({ count, initial: count })
    const reply = await this.store.txn(
      {
        compare: [{ target: 'createRevision', key, op: '=', value: 0 }],
        then: [{ op: 'put', key, value: made, lease }],
        else: [{ op: 'range', key }],
      },
      call,
    )
    if (reply.succeeded) return true
    if (lease !== 0) await this.store.revokeLease(lease, call)
    const [read] = reply.replies
    const found = read?.op === 'range' ? read.kvs[0] : undefined
    if (found !== undefined && decode(found).initial === count) return false
    throw new AlthingError('conflict', `latch "${name}" exists with another count`, {
      outcome: 'none',
      details: { name },
    })
  }

  /** Returns what is left: never less than 0. `not-found` when there is none; `stale-token` with a fence that has ended. */
  async countDown(name: string, options: CountDownOptions = {}): Promise<number> {
    const { by = 1, party, ...write } = options
    const key = latchKey(name)
    wholeNumber('by', by, 1, countMax)
    const partyKey = party === undefined ? undefined : `${key}/${keySegment('party', party)}`
    this.assertOpen()
    if (partyKey !== undefined) return await this.#countOnce(name, partyKey, by, write)
    const change = (found: KeyValue | undefined) => {
      const next = countedDown(latchOf(name, found), by)
      return { write: putLatch(key, next), result: next.count }
    }
    return (await compareAndWrite(this.store, key, change, write)).result
  }

  /** `not-found` when there is none. */
  async state(name: string, options?: ReadOptions): Promise<LatchState> {
    const key = latchKey(name)
    this.assertOpen()
    return latchOf(name, (await this.store.range({ key }, options)).kvs[0])
  }

  /** Resolves when it is open; at once when it is open already. Rejects with `not-found` (also when it is deleted meanwhile), `timeout`, `aborted`, `closed`. */
  async wait(name: string, options: WaitOptions = {}): Promise<void> {
    const limit = waitLimit(this.world, `the wait for latch "${name}"`, options, this.closing)
    try {
      limit.throwIfEnded()
      await untilAborted(this.#untilOpen(name, limit.signal), limit.signal, (signal) => signal.reason)
    } finally {
      limit.dispose()
    }
  }

  /** The state now and after each change; undefined while there is none. A slow reader skips to the newest. */
  changes(
    name: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<LatchState | undefined> {
    const read = (kv: KeyValue | undefined) => (kv === undefined ? undefined : decode(kv))
    return this.follow(latchKey(name), read, options.signal)
  }

  /** Takes it out of the store, with all that it knows of its parties. False when there was none. */
  async delete(name: string, options?: CallOptions): Promise<boolean> {
    const key = latchKey(name)
    this.assertOpen()
    const reply = await this.store.txn(
      {
        then: [
          { op: 'delete', key },
          { op: 'delete', ...prefixRange(`${key}/`) },
        ],
      },
      options,
    )
    const [first] = reply.replies
    return first?.op === 'delete' && first.deleted > 0
  }

  async #untilOpen(name: string, signal: AbortSignal): Promise<void> {
    for await (const state of this.changes(name, { signal })) {
      if (state === undefined) throw noLatch(name)
      if (state.count === 0) return
    }
    signal.throwIfAborted()
  }

  async #countOnce(name: string, partyKey: string, by: number, options: WriteOptions): Promise<number> {
    const key = latchKey(name)
    const { fence, ...call } = options
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const read = await this.store.txn(
        {
          then: [
            { op: 'range', key },
            { op: 'range', key: partyKey, keysOnly: true },
          ],
        },
        call,
      )
      const [latch, party] = read.replies.map((reply) => (reply.op === 'range' ? reply.kvs[0] : undefined))
      const state = latchOf(name, latch)
      if (party !== undefined) return state.count
      const next = countedDown(state, by)
      const compare: Compare[] = [
        { target: 'modRevision', key, op: '=', value: latch?.modRevision ?? 0 },
        { target: 'createRevision', key: partyKey, op: '=', value: 0 },
      ]
      const mark: Operation = { op: 'put', key: partyKey, value: new Uint8Array(0), lease: latch?.lease ?? 0 }
      const request = { compare, then: [putLatch(key, next), mark] }
      const reply =
        fence === undefined
          ? await this.store.txn(request, call)
          : await fencedTxn(this.store, fence, request, call)
      if (reply.succeeded) return next.count
    }
    throw new AlthingError('conflict', `latch "${name}" was changed by others ${attemptsMax} times`, {
      outcome: 'none',
      retryable: true,
    })
  }
}

function latchKey(name: string): string {
  return `/althing/latches/${keySegment('name', name)}`
}

/** What goes below 0 stays at 0: it is open. */
function countedDown({ count, initial }: LatchState, by: number): LatchState {
  return { count: Math.max(0, count - by), initial }
}

function putLatch(key: string, state: LatchState): Operation {
  return { op: 'put', key, value: encode(state), lease: 'keep' }
}

function latchOf(name: string, kv: KeyValue | undefined): LatchState {
  if (kv === undefined) throw noLatch(name)
  return decode(kv)
}

function encode(state: LatchState): Uint8Array {
  return bytesFromText(JSON.stringify(state))
}

function decode(kv: KeyValue): LatchState {
  const state = JSON.parse(textFromBytes(kv.value)) as Partial<LatchState> | null
  if (typeof state?.count === 'number' && typeof state.initial === 'number') return state as LatchState
  throw new AlthingError('corrupt', `${kv.key} is no latch`, { outcome: 'none', details: { key: kv.key } })
}

function noLatch(name: string): AlthingError {
  return new AlthingError('not-found', `there is no latch "${name}"`, { outcome: 'none', details: { name } })
}
