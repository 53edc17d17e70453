import { invalidArgument } from '../../contracts/errors.ts'
import type { CallOptions, Store } from '../../contracts/store.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { assertGuarantees, type Requirements } from '../guarantees.ts'
import type { ForceReleaseOptions } from '../locks/forced-release.ts'
import type { TurnRequest } from '../locks/lock-queue.ts'
import { orNullIfTaken, turnDefaults, TurnTaker, type TurnTakerOptions, waitOf } from '../locks/turn-taker.ts'
import { wholeNumber } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { PermitHandle } from './permit-handle.ts'
import { type PermitEntry, semaphoreRange } from './semaphore-entry.ts'
import { semaphoreLine, semaphoreState } from './semaphore-line.ts'
import { limitMax, SemaphoreOverview, type SetLimitOptions } from './semaphore-overview.ts'
import type {
  ForcedPermitRelease,
  LimitChange,
  Permit,
  PermitOptions,
  SemaphoreExplanation,
} from './semaphore-types.ts'

export const semaphoreRequirements: Requirements = {
  recipe: 'semaphore',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export const semaphoreDefaults = { permits: 1, ...turnDefaults } as const

export type SemaphoreServiceOptions = TurnTakerOptions

/**
 * Semaphores by name: at most so many permits at a time among all processes that use the same store, strictly first come, first served.
 *
 * - Never more permits than the limit, by the store's order (after it was lowered: until those that were given have come back).
 * - A request for many permits is not overtaken by later ones for few, and so gets them.
 * - Permits hang on a lease: those of a holder that died are free within its ttl; none is ever lost.
 * - After the last release nothing is left in the store, but a limit that an operator has set.
 */
export class SemaphoreService {
  readonly #store: Store
  readonly #turns: TurnTaker
  readonly #overview: SemaphoreOverview

  constructor(options: SemaphoreServiceOptions) {
    const { store, world } = options
    assertGuarantees(store, semaphoreRequirements, options)
    this.#store = store
    this.#turns = new TurnTaker('SemaphoreService', options)
    this.#overview = new SemaphoreOverview(store, world)
  }

  /**
   * Waits for the permits. Rejects with `timeout` after `waitTimeout`, `aborted`, `overloaded` when too many wait, `lost` when the own place in the
   * line was lost, `conflict` when another program says another limit, `not-found` when nobody says one, `invalid-argument` when more permits are asked for than
   * there are, and what the store rejects with.
   */
  async acquire(name: string, options: PermitOptions = {}): Promise<Permit> {
    return await this.#acquire(this.#request(name, options, waitOf(options)), name)
  }

  /** The permits if they are free now and nobody waits, else null. Rejects only when that cannot be found out, and like {@link acquire} for what makes no sense. */
  async tryAcquire(name: string, options: Omit<PermitOptions, 'waitTimeout'> = {}): Promise<Permit | null> {
    const request = this.#request(name, options, 0)
    return await orNullIfTaken(async () =>
      (await this.#isTaken(name, request)) ? null : await this.#acquire(request, name),
    )
  }

  /**
   * Runs `body` with the permits and releases them afterwards. Rejects with `lost` when they were lost before `body` had ended, whatever its result. `body`
   * should stop when `permit.lost` fires.
   */
  async with<T>(name: string, options: PermitOptions, body: (permit: Permit) => T | Promise<T>): Promise<T> {
    return await this.#turns.runUnder(`semaphore "${name}"`, await this.acquire(name, options), body)
  }

  /** The limit, who holds how many permits, since when, when that was last renewed, what the holders do, and who waits, in order. */
  async explain(
    name: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<SemaphoreExplanation> {
    return await this.#overview.explain(name, options)
  }

  /** Every semaphore that is held or waited for, or has a limit set, by name. */
  async list(options: { readonly signal?: AbortSignal } = {}): Promise<readonly SemaphoreExplanation[]> {
    return await this.#overview.list(options)
  }

  /**
   * Sets the limit for all, whatever programs say; `null` takes it back, and what programs say counts again. Who holds permits keeps them: after a lower limit more may be held
   * than it allows until they come back, and nobody gets one before. Who waits for more than there are now is refused (`invalid-argument`). Leaves a
   * record for 30 days. Rejects with `conflict` when another changed it at the same time.
   */
  async setLimit(name: string, limit: number | null, options: SetLimitOptions): Promise<LimitChange> {
    return await this.#overview.setLimit(name, limit, options)
  }

  /** The records of limits set, oldest first. */
  async limitChanges(name: string): Promise<readonly LimitChange[]> {
    return await this.#overview.limitChanges(name)
  }

  /**
   * Takes the permits of one acquire from their holder, who is told, and whose token the store refuses from then on. Leaves a record for 30 days. Rejects with
   * `not-found` when nobody holds any, `conflict` when the one of `token` holds none (any more), `invalid-argument` when several hold some and no
   * token says which of them is meant.
   */
  async forceRelease(name: string, options: ForceReleaseOptions): Promise<ForcedPermitRelease> {
    return await this.#overview.forceRelease(name, options)
  }

  /** The records of forced releases, oldest first. */
  async forcedReleases(name: string): Promise<readonly ForcedPermitRelease[]> {
    return await this.#overview.forcedReleases(name)
  }

  /** Ends waits (`closed`) and releases all permits held. Idempotent. */
  async close(): Promise<void> {
    await this.#turns.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #request(name: string, options: PermitOptions, waitTimeoutMs: number): PermitRequest {
    const permits = wholeNumber('permits', options.permits ?? semaphoreDefaults.permits, 1, limitMax)
    const { limit } = options
    if (limit !== undefined) {
      wholeNumber('limit', limit, 1, limitMax)
      if (permits > limit) throw invalidArgument('permits', permits, `from 1 to ${limit}, the limit`)
    }
    const request = this.#turns.request([semaphoreLine(name, permits, limit)], options, waitTimeoutMs)
    return { ...request, entry: { ...request.entry, permits, ...(limit === undefined ? {} : { limit }) } }
  }

  async #acquire(request: PermitRequest, name: string): Promise<Permit> {
    const { holds, entry, standing, asOf } = await this.#turns.take(request)
    const { limit = request.entry.permits, live = [] } = standing
    const parts = {
      name,
      hold: holds[0] as ExclusiveHold,
      entry: { ...request.entry, ...entry },
      limit,
      live,
      asOf,
    }
    return new PermitHandle(parts, () => this.#turns.forget(holds))
  }

  /** Says no without a trace in the store. */
  async #isTaken(name: string, { entry, lines, signal }: PermitRequest): Promise<boolean> {
    const options: CallOptions = signal === undefined ? {} : { signal }
    const { kvs } = await readWholeRange(this.#store, semaphoreRange(name), options)
    for (const line of lines) line.admit?.(kvs, { key: '', token: Number.POSITIVE_INFINITY })
    const { parties, set } = semaphoreState(kvs)
    const limit = set?.limit ?? entry.limit
    const inLine = parties.reduce((sum, party) => sum + party.entry.permits, 0)
    // What makes no sense is for `acquire` to refuse.
    return limit !== undefined && entry.permits <= limit && inLine + entry.permits > limit
  }
}

interface PermitRequest extends TurnRequest {
  readonly entry: PermitEntry
}
