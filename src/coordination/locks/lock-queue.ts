import { AlthingError, invalidArgument, isAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { KeyValue, OperationReply, Store, TxnReply } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { WaitLimit, abortedError, pause, untilAborted } from '../abortable.ts'
import { ExclusiveHold } from '../exclusive-hold.ts'
import { fenceCompare, type Fence } from '../fencing.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import type { Awaited, Line, Standing } from './line.ts'
import { decodeLockEntry, encodeLockEntry, type LockEntry } from './lock-entry.ts'
import { lostError } from '../leases/loss-cause.ts'
import { randomId } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'

export interface LockQueueOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  /** More than this many before one: `overloaded`. */
  readonly waitersMax: number
}

export interface TurnRequest {
  /** The lines to stand in: usually one. All are entered at one revision, and the turn has come when it has come in each. */
  readonly lines: readonly Line[]
  readonly entry: LockEntry
  /** 0: only if it is free now (`timeout` otherwise). */
  readonly waitTimeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** A turn that has come. */
export interface Turn {
  /** One for each line, on one lease. */
  readonly holds: readonly ExclusiveHold[]
  /** What stands in the own keys, or is to stand there when they are written again. */
  readonly entry: LockEntry
  /** In the first line, at revision `asOf`. */
  readonly standing: Standing
  readonly asOf: number
}

/** The own place in one line. */
interface Place {
  readonly line: Line
  readonly fence: Fence
  /** As of `revision`. */
  standing: Standing
  revision: number
}

/** Bound on what is done for a caller who has left already. The leases end by themselves. */
const cleanupTimeoutMs = 1_000
const watchRetryMs = 100

/**
 * The waiting lines of locks and semaphores: first come, first served, by the order of the create revisions. Each party watches only what keeps it
 * waiting (for a lock, the one right before it), so that a release wakes one waiter. When that has gone the line is read again: if it was another
 * waiter that left, the wait goes on behind the next one before it.
 *
 * Who stands in several lines enters them in one transaction, and so stands in each of them before all who came later: no two can
 * wait for each other.
 */
export class LockQueue {
  readonly #options: LockQueueOptions

  constructor(options: LockQueueOptions) {
    this.#options = options
  }

  /** Resolves with the turn. Otherwise rejects, and nothing is left in the line (or, out of reach of the store, nothing after the ttl). */
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
    const places = await untilAborted(this.#enqueue(request, lease), signal, reasonOf(limit))
    limit.endWith(lease.lost, (signal) => placeLost(whatOf(request), signal.reason))
    const [first] = places
    if (first === undefined) throw invalidArgument('lines', [], 'at least one')
    const isFree = places.every(({ standing }) => standing.waitsFor === undefined)
    const entry = isFree ? request.entry : await this.#waitInLines(request, places, limit)
    // The grant of the turn says nothing about the own lease, which may have run out meanwhile.
    if (!lease.isValid) throw placeLost(whatOf(request), lease.lost.reason)
    return {
      holds: places.map(({ line, fence }) => this.#hold(line, fence, lease, places.length > 1)),
      entry,
      standing: first.standing,
      asOf: first.revision,
    }
  }

  #hold(line: Line, fence: Fence, lease: KeptLease, sharesLease: boolean): ExclusiveHold {
    return new ExclusiveHold({
      ...this.#options,
      fence,
      lease,
      sharesLease,
      what: line.what,
      takenAway: (value) => forcedReason(value),
    })
  }

  async #enqueue(request: TurnRequest, lease: KeptLease): Promise<readonly Place[]> {
    const { store, world } = this.#options
    const value = encodeLockEntry(request.entry)
    const keys = request.lines.map((line) => line.keyOf(randomId(world)))
    const reply = await store.txn({
      compare: keys.map((key) => ({ target: 'createRevision', key, op: '=', value: 0 })),
      then: [
        ...keys.map((key) => ({ op: 'put', key, value, lease: lease.id }) as const),
        ...request.lines.map(({ reading }) => ({ op: 'range', ...reading }) as const),
      ],
    })
    if (!reply.succeeded) {
      throw new AlthingError('internal', 'a random key of a lock exists already', { outcome: 'none' })
    }
    const { revision } = reply
    const fences = keys.map((key) => ({ key, token: revision }))
    return await Promise.all(
      request.lines.map(async (line, i): Promise<Place> => {
        const fence = fences[i] as Fence
        const kvs = lineIn(reply, keys.length + i)
        if (kvs !== undefined) {
          line.admit?.(kvs, fence)
          return { line, fence, standing: line.standing(kvs, fence), revision }
        }
        const whole = await readWholeRange(store, line.reading)
        line.admit?.(whole.kvs, fence)
        return { line, fence, standing: line.standing(whole.kvs, fence), revision: whole.revision }
      }),
    )
  }

  async #waitInLines(request: TurnRequest, places: readonly Place[], limit: WaitLimit): Promise<LockEntry> {
    for (const place of places) await this.#assertRoom(place)
    if (request.waitTimeoutMs === 0) throw waitTimedOut(request)
    for (;;) {
      // A turn that has come in one line does not go away while that of another is waited for.
      for (const place of places) await this.#waitUntilTurn(place, limit)
      const entry = { ...request.entry, heldSinceMs: this.#options.world.clock.wallMs() }
      const isSettled = places.every(({ standing }) => standing.compare.length === 0)
      if (isSettled || (await this.#confirm(entry, places))) return entry
    }
  }

  async #assertRoom({ line, fence, standing }: Place): Promise<void> {
    if (standing.waitsFor === undefined) return
    const { crowd } = line
    const ahead =
      crowd === undefined
        ? standing.ahead
        : crowd.ahead((await readWholeRange(this.#options.store, crowd.reading)).kvs, fence)
    if (ahead > this.#options.waitersMax) throw tooManyWaiters(line.what, ahead)
  }

  async #waitUntilTurn(place: Place, limit: WaitLimit): Promise<void> {
    for (;;) {
      const { waitsFor } = place.standing
      if (waitsFor === undefined) return
      const isOver = await this.#waitUntilOver(waitsFor, place.revision + 1, limit.signal)
      limit.throwIfEnded()
      if (isOver && waitsFor.isLast === true) place.standing = { waitsFor: undefined, ahead: 0, compare: [] }
      else await untilAborted(this.#readLine(place), limit.signal, reasonOf(limit))
    }
  }

  async #readLine(place: Place): Promise<void> {
    const { line, fence } = place
    const { revision, kvs } = await readWholeRange(this.#options.store, line.reading)
    place.standing = line.standing(kvs, fence)
    place.revision = revision
  }

  /** False when the watch breaks: then nothing is known. */
  async #waitUntilOver(awaited: Awaited, fromRevision: number, signal: AbortSignal): Promise<boolean> {
    const { store, world } = this.#options
    const { key, end, isOver } = awaited
    const watch = store.watch({ key, ...(end === undefined ? {} : { end }), fromRevision, signal })
    try {
      for await (const batch of watch) {
        if (batch.kind === 'resync') return batch.kvs.length === 0
        if (batch.kind === 'events' && batch.events.some(isOver)) return true
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

  /**
   * Takes a turn that rests on more than the line, and writes since when it is held. False when what the turn rests on
   * (a semaphore's limit) has changed: then the lines have been read anew.
   */
  async #confirm(entry: LockEntry, places: readonly Place[]): Promise<boolean> {
    const { store } = this.#options
    const value = encodeLockEntry(entry)
    const conditions = places.flatMap(({ standing }) => standing.compare)
    const reply = await store.txn({
      compare: [...places.map(({ fence }) => fenceCompare(fence)), ...conditions],
      then: places.map(({ fence }) => ({ op: 'put', key: fence.key, value, lease: 'keep' })),
      else: places.map(({ fence }) => ({ op: 'range', key: fence.key, keysOnly: true })),
    })
    if (reply.succeeded) return true
    for (const [i, { line, fence }] of places.entries()) {
      if (lineIn(reply, i)?.[0]?.createRevision !== fence.token) throw placeLost(line.what, undefined)
    }
    await Promise.all(places.map((place) => this.#readLine(place)))
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

/** What a read of a transaction has found; undefined when that is not all. */
function lineIn(reply: TxnReply, index: number): readonly KeyValue[] | undefined {
  const found: OperationReply | undefined = reply.replies[index]
  if (found?.op !== 'range')
    throw new AlthingError('internal', 'the reply to a read is none', { outcome: 'unknown' })
  return found.more ? undefined : found.kvs
}

function whatOf({ lines }: TurnRequest): string {
  return lines.map(({ what }) => what).join(', ')
}

/** The reasons of a {@link WaitLimit} are the errors to throw. */
function reasonOf(limit: WaitLimit): (signal: AbortSignal) => unknown {
  return (signal) => (signal === limit.signal ? signal.reason : abortedError(signal))
}

function forcedReason(value: Uint8Array): string | undefined {
  const forced = decodeLockEntry(value)?.forced
  return forced === undefined ? undefined : `released by force by ${forced.by}: ${forced.reason}`
}

export function waitTimedOut({
  lines,
  waitTimeoutMs,
}: Pick<TurnRequest, 'lines' | 'waitTimeoutMs'>): AlthingError {
  const [first] = lines
  const names = lines.map(({ name }) => name)
  return new AlthingError(
    'timeout',
    `${lines.map(({ what }) => what).join(', ')} ${lines.length > 1 ? 'were not all' : 'was not'} free within ${waitTimeoutMs} ms; ` +
      `explain("${first?.name}") tells who holds it`,
    {
      outcome: 'none',
      details: { name: first?.name, waitTimeoutMs, ...(names.length > 1 ? { names } : {}) },
    },
  )
}

function tooManyWaiters(what: string, waiters: number): AlthingError {
  return new AlthingError('overloaded', `${waiters} wait for ${what} already`, {
    outcome: 'none',
    details: { what, waiters },
  })
}

function placeLost(what: string, cause: unknown): AlthingError {
  const why = isAlthingError(cause) ? cause.message : 'its key is gone from the store'
  return lostError('removed', `the place in the line of ${what} was lost: ${why}`, {
    what,
    ...(isAlthingError(cause) ? cause.details : {}),
  })
}
