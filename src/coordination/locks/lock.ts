import { abortedError, closedOr, untilAborted, WaitLimit } from '../abortable.ts'
import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { lockQueueRange } from './lock-entry.ts'
import { LockHandle, SharedHold } from './lock-handle.ts'
import { LockOverview } from './lock-overview.ts'
import { LockQueue, type Turn, type TurnRequest, waitTimedOut } from './lock-queue.ts'
import type { AcquireOptions, ForcedRelease, Lock, LockExplanation } from './lock-types.ts'
import { durationMs, keySegment, leaseTtlMs, shortText, wholeNumber } from '../names.ts'

export const lockRequirements: Requirements = {
  recipe: 'lock',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export const lockDefaults = { ttl: '30s', waitTimeout: '1m', waitersMax: 1_000 } as const

export interface LockServiceOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the service. Share one among the recipes of a process. */
  readonly keeper?: LeaseKeeper
  /** Missing guarantees of the store that the caller can live without. */
  readonly accept?: readonly Guarantee[]
  /** Bound on the line of one lock (`overloaded`): 0..1,000,000. Default 1000. */
  readonly waitersMax?: number
}

/**
 * Locks by name: mutual exclusion among all processes that use the same store, first come, first served.
 *
 * - At most one holder by the store's order. A holder that cannot renew its lease gives up by its own clock before the store can.
 * - The token only grows; the store refuses transactions of a former holder ({@link Lock.compare}, {@link Lock.txn}).
 * - After a holder's death the next has the lock within the ttl (plus the store's resolution of expiry).
 * - After release, nothing of it is left in the store.
 */
export class LockService {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #queue: LockQueue
  readonly #overview: LockOverview
  /** Re-entrant holds, made or in the making, by owner and name. */
  readonly #shared = new Map<string, Promise<SharedHold>>()
  readonly #held = new Set<ExclusiveHold>()
  readonly #closing = new AbortController()

  constructor(options: LockServiceOptions) {
    assertGuarantees(options.store, lockRequirements, options)
    this.#store = options.store
    this.#world = options.world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
    const { store, world } = options
    const waitersMax = wholeNumber('waitersMax', options.waitersMax ?? lockDefaults.waitersMax, 0, 1_000_000)
    this.#queue = new LockQueue({ store, world, keeper: this.#keeper, waitersMax })
    this.#overview = new LockOverview(store, world)
  }

  /**
   * Waits for the lock. Rejects with `timeout` after `waitTimeout`, `aborted`, `overloaded` when too many wait, `lost` when the own place in the
   * line was lost, and what the store rejects with.
   */
  async acquire(name: string, options: AcquireOptions = {}): Promise<Lock> {
    const waitTimeoutMs = durationMs('waitTimeout', options.waitTimeout ?? lockDefaults.waitTimeout)
    return await this.#acquire(this.#request(name, options, waitTimeoutMs), options.owner)
  }

  /** The lock if it is free now, else null. Rejects only when that cannot be found out. */
  async tryAcquire(name: string, options: Omit<AcquireOptions, 'waitTimeout'> = {}): Promise<Lock | null> {
    const request = this.#request(name, options, 0)
    try {
      if (options.owner === undefined && (await this.#isTaken(request))) return null
      return await this.#acquire(request, options.owner)
    } catch (error) {
      if (isAlthingError(error, 'timeout') && error.details?.['waitTimeoutMs'] === 0) return null
      throw error
    }
  }

  /**
   * Runs `body` under the lock and releases it afterwards. Rejects with `lost` when the lock was lost before `body` had ended, whatever its
   * result: the work may have overlapped with another's. `body` should stop when `lock.lost` fires.
   */
  async with<T>(name: string, options: AcquireOptions, body: (lock: Lock) => T | Promise<T>): Promise<T> {
    const lock = await this.acquire(name, options)
    try {
      const result = await body(lock)
      if (!lock.isHeld) throw lostDuringWork(lock)
      return result
    } finally {
      await this.#releaseQuietly(lock)
    }
  }

  /** Who holds the lock, since when, when it was last renewed, what the holder does, and who waits, in order. */
  async explain(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<LockExplanation> {
    return await this.#overview.explain(name, options)
  }

  /** Every lock that is held or waited for, by name. */
  async list(options: { readonly signal?: AbortSignal } = {}): Promise<readonly LockExplanation[]> {
    return await this.#overview.list(options)
  }

  /**
   * Takes the lock from its holder, who is told, and whose token the store refuses from then on. Leaves a record for 30 days. Rejects with
   * `not-found` when nobody holds the lock, `conflict` when the holder changed meanwhile (or is not the one of `token`).
   */
  async forceRelease(
    name: string,
    options: { readonly by: string; readonly reason: string; readonly token?: number },
  ): Promise<ForcedRelease> {
    return await this.#overview.forceRelease(name, options)
  }

  /** The records of forced releases of a lock, oldest first. */
  async forcedReleases(name: string): Promise<readonly ForcedRelease[]> {
    return await this.#overview.forcedReleases(name)
  }

  /** Ends waits (`closed`) and releases every lock held. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AlthingError('closed', 'the lock service was closed', { outcome: 'none' }))
    await Promise.allSettled([...this.#held].map((hold) => hold.release()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #request(name: string, options: AcquireOptions, waitTimeoutMs: number): TurnRequest {
    keySegment('name', name)
    const owner = shortText('owner', options.owner, 256)
    if (owner === '') throw invalidArgument('owner', owner, '1..256 characters')
    const note = shortText('note', options.note, 512)
    const traceId = shortText('traceId', options.traceId, 128)
    const entry = {
      ...(owner === undefined ? {} : { owner }),
      ...(note === undefined ? {} : { note }),
      ...(traceId === undefined ? {} : { traceId }),
      ttlMs: leaseTtlMs('ttl', options.ttl ?? lockDefaults.ttl),
      queuedAtMs: this.#world.clock.wallMs(),
    }
    return { name, entry, waitTimeoutMs, signal: options.signal }
  }

  /** The work is done, whether the store can be told or not; its lease tells it in the end. */
  async #releaseQuietly(lock: Lock): Promise<void> {
    try {
      await lock.release()
    } catch (error) {
      this.#world.logger.log('warn', 'a lock could not be released and is left to its lease', {
        lock: lock.name,
        error: String(error),
      })
    }
  }

  async #isTaken(request: TurnRequest): Promise<boolean> {
    const range = lockQueueRange(request.name)
    const { signal } = request
    const reply = await this.#store.range(
      { ...range, countOnly: true },
      signal === undefined ? {} : { signal },
    )
    return reply.count > 0
  }

  async #acquire(request: TurnRequest, owner: string | undefined): Promise<Lock> {
    if (owner === undefined) {
      const turn = await this.#takeTurn(request)
      const shared = new SharedHold(this.#world, turn, () => this.#held.delete(turn.hold))
      return new LockHandle(request.name, shared)
    }
    return await this.#acquireShared(request, `${owner}\u0000${request.name}`)
  }

  async #acquireShared(request: TurnRequest, key: string): Promise<Lock> {
    const startMs = this.#world.clock.monotonicMs()
    // Between finding nobody and standing in line oneself nothing may be awaited: two calls would both stand.
    while (this.#shared.has(key)) {
      const shared = await this.#joinShared(request, key)
      // On the way here its last handle may have let go of it.
      if (shared?.isHeld === true) return new LockHandle(request.name, shared)
    }
    const waitedMs = this.#world.clock.monotonicMs() - startMs
    const waitTimeoutMs = Math.max(0, request.waitTimeoutMs - waitedMs)
    return await this.#makeShared({ ...request, waitTimeoutMs }, key)
  }

  /** The hold that another call of the same owner has or gets; undefined when it gets none. */
  async #joinShared(request: TurnRequest, key: string): Promise<SharedHold | undefined> {
    const limit = new WaitLimit()
      .endWith(request.signal)
      .endAfter(this.#world, request.waitTimeoutMs, () => waitTimedOut(request))
    try {
      const existing = this.#shared.get(key)
      const shared = await untilAborted(
        Promise.resolve(existing).catch(() => undefined),
        limit.signal,
        (signal) => signal.reason,
      )
      if (shared?.isHeld === true) return shared
      if (this.#shared.get(key) === existing) this.#shared.delete(key)
      return undefined
    } finally {
      limit.dispose()
    }
  }

  async #makeShared(request: TurnRequest, key: string): Promise<Lock> {
    const making = this.#takeTurn(request).then(
      (turn) =>
        new SharedHold(this.#world, turn, () => {
          this.#held.delete(turn.hold)
          if (this.#shared.get(key) === making) this.#shared.delete(key)
        }),
    )
    this.#shared.set(key, making)
    try {
      return new LockHandle(request.name, await making)
    } catch (error) {
      if (this.#shared.get(key) === making) this.#shared.delete(key)
      throw error
    }
  }

  async #takeTurn(request: TurnRequest): Promise<Turn> {
    const { signal } = request
    const closing = this.#closing.signal
    if (closing.aborted) throw closing.reason
    if (signal?.aborted === true) throw abortedError(signal)
    const both = signal === undefined ? closing : AbortSignal.any([signal, closing])
    try {
      const turn = await this.#queue.takeTurn({ ...request, signal: both })
      this.#held.add(turn.hold)
      return turn
    } catch (error) {
      throw closedOr(error, closing, signal)
    }
  }
}

function lostDuringWork(lock: Lock): unknown {
  if (lock.lost.aborted) return lock.lost.reason
  return new AlthingError('lost', `lock "${lock.name}" was not held any more when its work had ended`, {
    outcome: 'none',
    details: { name: lock.name, token: lock.token },
  })
}
