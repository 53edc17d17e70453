import type { ByteString } from '../../base/bytes.ts'
import { AlthingError, isAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { WaitLimit, abortedError, pause, untilAborted } from '../abortable.ts'
import { ExclusiveHold } from '../exclusive-hold.ts'
import type { Fence } from '../fencing.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { decodeLockEntry, encodeLockEntry, lockQueueRange, type LockEntry } from './lock-entry.ts'
import { lostError } from '../leases/loss-cause.ts'
import { randomId } from '../names.ts'
import { byCreation, readWholeRange } from '../range-pages.ts'

export interface LockQueueOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  /** More than this many before one: `overloaded`. */
  readonly waitersMax: number
}

/** The right, and what the line should say of its holder. */
export interface Turn {
  readonly hold: ExclusiveHold
  readonly entry: LockEntry
}

export interface TurnRequest {
  readonly name: string
  readonly entry: LockEntry
  /** 0: only if it is free now (`timeout` otherwise). */
  readonly waitTimeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Bound on what is done for a caller who has left already. The leases end by themselves. */
const cleanupTimeoutMs = 1_000
const watchRetryMs = 100

/**
 * The waiting line of a lock: first come, first served, by the order of the create revisions. Each party watches only the one right before
 * it, so that a release wakes one waiter. When that key is gone the line is read again: if it was another waiter that left,
 * the wait goes on behind the next one before it.
 */
export class LockQueue {
  readonly #options: LockQueueOptions

  constructor(options: LockQueueOptions) {
    this.#options = options
  }

  /** Resolves with the lock held. Otherwise rejects, and nothing is left in the line (or, out of reach of the store, nothing after the ttl). */
  async takeTurn(request: TurnRequest): Promise<Turn> {
    const limit = new WaitLimit()
      .endWith(request.signal)
      .endAfter(this.#options.world, request.waitTimeoutMs, () => waitTimedOut(request))
    try {
      limit.throwIfEnded()
      // With no time to wait, the limit ends only the wait itself, not the calls that find out whether one is needed.
      const signal = request.waitTimeoutMs > 0 ? limit.signal : request.signal
      const lease = await this.#keepLease(request.entry.ttlMs, signal, limit)
      try {
        return await this.#waitFor(request, lease, limit, signal)
      } catch (error) {
        throw await this.#leave(lease, error)
      }
    } finally {
      limit.dispose()
    }
  }

  /** The keeper alone looks at the signal: who left while it hands the lease over would leave it to be renewed for ever. */
  async #keepLease(ttlMs: number, signal: AbortSignal | undefined, limit: WaitLimit): Promise<KeptLease> {
    try {
      return await this.#options.keeper.keep(ttlMs, signal === undefined ? {} : { signal })
    } catch (error) {
      throw isAlthingError(error, 'aborted') && signal === limit.signal ? limit.signal.reason : error
    }
  }

  async #waitFor(
    request: TurnRequest,
    lease: KeptLease,
    limit: WaitLimit,
    signal: AbortSignal | undefined,
  ): Promise<Turn> {
    const { fence, before } = await untilAborted(this.#enqueue(request, lease), signal, reasonOf(limit))
    limit.endWith(lease.lost, (signal) => placeLost(request.name, signal.reason))
    const predecessor = before.at(-1)
    if (predecessor !== undefined) {
      if (before.length > this.#options.waitersMax) throw tooManyWaiters(request.name, before.length)
      if (request.waitTimeoutMs === 0) throw waitTimedOut(request)
      await this.#waitUntilFirst(request, fence, before, limit)
    }
    // The grant of the turn says nothing about the own lease, which may have run out meanwhile.
    if (!lease.isValid) throw placeLost(request.name, lease.lost.reason)
    const hold = new ExclusiveHold({
      ...this.#options,
      fence,
      lease,
      what: `lock "${request.name}"`,
      takenAway: (value) => forcedReason(value),
    })
    const { entry } = request
    if (predecessor === undefined) return { hold, entry }
    return { hold, entry: { ...entry, heldSinceMs: this.#options.world.clock.wallMs() } }
  }

  async #enqueue(
    request: TurnRequest,
    lease: KeptLease,
  ): Promise<{ readonly fence: Fence; readonly before: readonly KeyValue[] }> {
    const { store, world } = this.#options
    const range = lockQueueRange(request.name)
    const key = range.key + randomId(world)
    const reply = await store.txn({
      compare: [{ target: 'createRevision', key, op: '=', value: 0 }],
      then: [
        { op: 'put', key, value: encodeLockEntry(request.entry), lease: lease.id },
        { op: 'range', ...range, keysOnly: true },
      ],
    })
    const line = reply.replies[1]
    if (!reply.succeeded || line?.op !== 'range') {
      throw new AlthingError('internal', 'a random key of a lock exists already', { outcome: 'none' })
    }
    const fence = { key, token: reply.revision }
    if (!line.more) return { fence, before: before(line.kvs, fence) }
    return { fence, before: (await this.#readLine(request, fence)).before }
  }

  /**
   * Who stands before us can only leave. So the end of the last one is our turn, and no reading of the line is needed to know it: that the own key is
   * there still follows from the lease, which the caller looks at, unless somebody removes it by force, who is heard of as any holder hears of it.
   */
  async #waitUntilFirst(
    request: TurnRequest,
    fence: Fence,
    line: readonly KeyValue[],
    limit: WaitLimit,
  ): Promise<void> {
    let standing = line
    let revision = fence.token
    for (;;) {
      const predecessor = standing.at(-1)
      if (predecessor === undefined) return
      const isGone = await this.#waitUntilGone(predecessor.key, revision + 1, limit.signal)
      limit.throwIfEnded()
      if (isGone && standing.length === 1) return
      const read = await untilAborted(this.#readLine(request, fence), limit.signal, reasonOf(limit))
      standing = read.before
      revision = read.revision
    }
  }

  async #readLine(
    request: TurnRequest,
    fence: Fence,
  ): Promise<{ readonly revision: number; readonly before: readonly KeyValue[] }> {
    const range = lockQueueRange(request.name)
    const { revision, kvs } = await readWholeRange(this.#options.store, { ...range, keysOnly: true })
    const isInLine = kvs.some((kv) => kv.key === fence.key && kv.createRevision === fence.token)
    if (!isInLine) throw placeLost(request.name, undefined)
    return { revision, before: before(kvs, fence) }
  }

  /** False when the watch breaks: then nothing is known. */
  async #waitUntilGone(key: ByteString, fromRevision: number, signal: AbortSignal): Promise<boolean> {
    const { store, world } = this.#options
    const watch = store.watch({ key, fromRevision, signal })
    try {
      for await (const batch of watch) {
        if (batch.kind === 'resync' && batch.kvs.length === 0) return true
        if (batch.kind === 'events' && batch.events.some((event) => event.type === 'delete')) return true
      }
    } catch (error) {
      if (signal.aborted) return false
      if (isAlthingError(error, 'closed')) throw error
      world.logger.log('debug', 'the watch of a waiter broke and is set again', { key, error: String(error) })
      await pause(world, watchRetryMs, signal)
    } finally {
      watch.close()
    }
    return false
  }

  /** Takes the own key out of the line. Once that is done it is certain that the call left nothing, whatever it met before. */
  async #leave(lease: KeptLease, error: unknown): Promise<unknown> {
    try {
      await lease.release({ timeoutMs: cleanupTimeoutMs })
      return isAlthingError(error) ? withOutcome(error, 'none') : error
    } catch (failure) {
      this.#options.world.logger.log('debug', 'a place in the line of a lock is left to its lease', {
        error: String(failure),
      })
      return error
    }
  }
}

function before(kvs: readonly KeyValue[], fence: Fence): KeyValue[] {
  return byCreation(kvs.filter((kv) => kv.createRevision < fence.token))
}

/** The reasons of a {@link WaitLimit} are the errors to throw. */
function reasonOf(limit: WaitLimit): (signal: AbortSignal) => unknown {
  return (signal) => (signal === limit.signal ? signal.reason : abortedError(signal))
}

function forcedReason(value: Uint8Array): string | undefined {
  const forced = decodeLockEntry(value)?.forced
  return forced === undefined ? undefined : `released by force by ${forced.by}: ${forced.reason}`
}

export function waitTimedOut(request: TurnRequest): AlthingError {
  return new AlthingError(
    'timeout',
    `lock "${request.name}" was not free within ${request.waitTimeoutMs} ms; explain("${request.name}") tells who holds it`,
    { outcome: 'none', details: { name: request.name, waitTimeoutMs: request.waitTimeoutMs } },
  )
}

function tooManyWaiters(name: string, waiters: number): AlthingError {
  return new AlthingError('overloaded', `${waiters} wait for lock "${name}" already`, {
    outcome: 'none',
    details: { name, waiters },
  })
}

function placeLost(name: string, cause: unknown): AlthingError {
  const why = isAlthingError(cause) ? cause.message : 'its key is gone from the store'
  return lostError('removed', `the place in the line of lock "${name}" was lost: ${why}`, {
    name,
    ...(isAlthingError(cause) ? cause.details : {}),
  })
}
