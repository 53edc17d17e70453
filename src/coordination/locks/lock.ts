import { untilAborted, WaitLimit } from '../abortable.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { assertGuarantees, type Requirements } from '../guarantees.ts'
import type { ForceReleaseOptions } from './forced-release.ts'
import type { Line } from './line.ts'
import type { LockEntry } from './lock-entry.ts'
import { LockHandle, SharedHold } from './lock-handle.ts'
import { lockLine } from './lock-line.ts'
import { LockOverview } from './lock-overview.ts'
import { type TurnRequest, waitTimedOut } from './lock-queue.ts'
import type {
  AcquireAllOptions,
  AcquireOptions,
  ForcedLockRelease,
  Lock,
  LockExplanation,
  LockMode,
  MultiLock,
} from './lock-types.ts'
import { MultiLockHandle, namesWanted } from './multi-lock.ts'
import { orNullIfTaken, turnDefaults, TurnTaker, type TurnTakerOptions, waitOf } from './turn-taker.ts'

export const lockRequirements: Requirements = {
  recipe: 'lock',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export const lockDefaults = turnDefaults

export type LockServiceOptions = TurnTakerOptions

/**
 * Locks by name: mutual exclusion among all processes that use the same store, first come, first served; for one writer or many readers, and
 * for several names at once.
 *
 * - At most one writer, and no reader beside it, by the store's order. A holder that cannot renew its lease gives up by its own clock before the store can.
 * - The token only grows; the store refuses transactions of a former holder ({@link Lock.compare}, {@link Lock.txn}).
 * - After a holder's death the next has the lock within the ttl (plus the store's resolution of expiry).
 * - After release, nothing of it is left in the store.
 */
export class LockService {
  readonly #store: Store
  readonly #world: World
  readonly #turns: TurnTaker
  readonly #overview: LockOverview
  /** Re-entrant holds, made or in the making, by owner and name. */
  readonly #shared = new Map<string, Promise<SharedHold>>()

  constructor(options: LockServiceOptions) {
    const { store, world } = options
    assertGuarantees(store, lockRequirements, options)
    this.#store = store
    this.#world = world
    this.#turns = new TurnTaker('LockService', options)
    this.#overview = new LockOverview(store, world)
  }

  /**
   * Waits for the lock. Rejects with `timeout` after `waitTimeout`, `aborted`, `overloaded` when too many wait, `lost` when the own place in the
   * line was lost, `conflict` when its owner holds it for reading and wants to write, and what the store rejects with.
   */
  async acquire(name: string, options: AcquireOptions = {}): Promise<Lock> {
    const request = this.#turns.request([lockLine(name, modeOf(options.mode))], options, waitOf(options))
    return await this.#acquire(request, modeOf(options.mode), options.owner)
  }

  /** The lock if it is free now, else null. Rejects only when that cannot be found out. */
  async tryAcquire(name: string, options: Omit<AcquireOptions, 'waitTimeout'> = {}): Promise<Lock | null> {
    const mode = modeOf(options.mode)
    const request = this.#turns.request([lockLine(name, mode)], options, 0)
    return await orNullIfTaken(async () => {
      if (options.owner === undefined && (await this.#isTaken(request))) return null
      return await this.#acquire(request, mode, options.owner)
    })
  }

  /**
   * All of these locks at once, or none: rejects like {@link acquire}, and one `waitTimeout` is for all of them. The lines of all names are entered at one
   * revision, so two such calls never wait for each other, whatever the order of their names. A name that is given twice is taken once.
   * 1..32 names, to write.
   */
  async acquireAll(names: readonly string[], options: AcquireAllOptions = {}): Promise<MultiLock> {
    return await this.#acquireLines(this.#turns.request(linesOf(names), options, waitOf(options)))
  }

  /** All of these locks if they are free now, else null. */
  async tryAcquireAll(
    names: readonly string[],
    options: Omit<AcquireAllOptions, 'waitTimeout'> = {},
  ): Promise<MultiLock | null> {
    const request = this.#turns.request(linesOf(names), options, 0)
    return await orNullIfTaken(async () =>
      (await this.#isTaken(request)) ? null : await this.#acquireLines(request),
    )
  }

  /**
   * Runs `body` under the lock and releases it afterwards. Rejects with `lost` when the lock was lost before `body` had ended, whatever its
   * result: the work may have overlapped with another's. `body` should stop when `lock.lost` fires.
   */
  async with<T>(name: string, options: AcquireOptions, body: (lock: Lock) => T | Promise<T>): Promise<T> {
    return await this.#turns.runUnder(`lock "${name}"`, await this.acquire(name, options), body)
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
   * `not-found` when nobody holds the lock, `conflict` when the holder changed meanwhile (or is not the one of `token`), `invalid-argument` when several read
   * and no token says which of them is meant.
   */
  async forceRelease(name: string, options: ForceReleaseOptions): Promise<ForcedLockRelease> {
    return await this.#overview.forceRelease(name, options)
  }

  /** The records of forced releases of a lock, oldest first. */
  async forcedReleases(name: string): Promise<readonly ForcedLockRelease[]> {
    return await this.#overview.forcedReleases(name)
  }

  /** Ends waits (`closed`) and releases every lock held. Idempotent. */
  async close(): Promise<void> {
    await this.#turns.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #isTaken({ lines, signal }: TurnRequest): Promise<boolean> {
    const options = signal === undefined ? {} : { signal }
    const [only, ...others] = lines
    if (only !== undefined && others.length === 0) {
      const reply = await this.#store.range({ ...only.reading, countOnly: true }, options)
      return reply.count > 0
    }
    const then = lines.map(({ reading }) => ({ op: 'range', ...reading, countOnly: true }) as const)
    const { replies } = await this.#store.txn({ then }, options)
    return replies.some((reply) => reply.op === 'range' && reply.count > 0)
  }

  async #acquire(request: TurnRequest, mode: LockMode, owner: string | undefined): Promise<Lock> {
    const [line] = request.lines
    const name = line?.name ?? ''
    if (owner !== undefined) return await this.#acquireShared(request, name, mode, owner)
    const parts = { ...(await this.#takeTurn(request)), mode }
    const shared = new SharedHold(this.#world, parts, () => this.#turns.forget([parts.hold]))
    return new LockHandle(name, shared)
  }

  async #acquireLines(request: TurnRequest): Promise<MultiLock> {
    const { holds, entry } = await this.#turns.take(request)
    const names = request.lines.map(({ name }) => name)
    const parts = { store: this.#store, world: this.#world, names, holds, entry }
    return new MultiLockHandle(parts, () => this.#turns.forget(holds))
  }

  async #acquireShared(request: TurnRequest, name: string, mode: LockMode, owner: string): Promise<Lock> {
    const startMs = this.#world.clock.monotonicMs()
    const ownKey = sharedKey(owner, name, mode)
    const readKey = sharedKey(owner, name, 'read')
    const writeKey = sharedKey(owner, name, 'write')
    // Between finding nobody and standing in line oneself nothing may be awaited: two calls would both stand.
    for (;;) {
      if (mode === 'write' && this.#shared.has(readKey)) {
        if ((await this.#joinShared(request, readKey)) !== undefined) throw noUpgrade(name, owner)
        continue
      }
      const key = this.#shared.has(writeKey) ? writeKey : ownKey
      if (!this.#shared.has(key)) break
      const shared = await this.#joinShared(request, key)
      // On the way here its last handle may have let go of it.
      if (shared?.isHeld === true) return new LockHandle(name, shared)
    }
    const waitedMs = this.#world.clock.monotonicMs() - startMs
    const waitTimeoutMs = Math.max(0, request.waitTimeoutMs - waitedMs)
    return await this.#makeShared({ ...request, waitTimeoutMs }, name, mode, ownKey)
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

  async #makeShared(request: TurnRequest, name: string, mode: LockMode, key: string): Promise<Lock> {
    const making = this.#takeTurn(request).then(
      ({ hold, entry }) =>
        new SharedHold(this.#world, { hold, mode, entry }, () => {
          this.#turns.forget([hold])
          if (this.#shared.get(key) === making) this.#shared.delete(key)
        }),
    )
    this.#shared.set(key, making)
    try {
      return new LockHandle(name, await making)
    } catch (error) {
      if (this.#shared.get(key) === making) this.#shared.delete(key)
      throw error
    }
  }

  async #takeTurn(
    request: TurnRequest,
  ): Promise<{ readonly hold: ExclusiveHold; readonly entry: LockEntry }> {
    const { holds, entry } = await this.#turns.take(request)
    return { hold: holds[0] as ExclusiveHold, entry }
  }
}

function modeOf(mode: LockMode | undefined): LockMode {
  if (mode === undefined || mode === 'write' || mode === 'read') return mode ?? 'write'
  throw invalidArgument('mode', mode, "'write' or 'read'")
}

function linesOf(names: readonly string[]): readonly Line[] {
  return namesWanted(names).map((name) => lockLine(name, 'write'))
}

function sharedKey(owner: string, name: string, mode: LockMode): string {
  return `${mode}\u0000${owner}\u0000${name}`
}

function noUpgrade(name: string, owner: string): AlthingError {
  return new AlthingError(
    'conflict',
    `owner "${owner}" holds or waits for lock "${name}" to read, and cannot get it to write before that has ended: two that do so would wait for ` +
      'each other for ever. Release the read hold first, and look again at what was read; or acquire it to write from the start',
    { outcome: 'none', details: { name, owner } },
  )
}
