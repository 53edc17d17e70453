import type { ByteString } from '../../base/bytes.ts'
import type { Duration } from '../../base/duration.ts'
import { AlthingError, isAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { keySegment, leaseTtlMs, wholeNumber } from '../names.ts'
import { type WaitOptions, waitLimit } from './call-limit.ts'
import { Gathering, type Passage } from './gathering.ts'

export const barrierRequirements: Requirements = {
  recipe: 'barrier',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export const barrierDefaults = { ttl: '10s', waitTimeout: '1m' } as const

/** What one transaction can compare. */
const partiesMax = 100

/** Where the parties of a barrier stand. */
export function barrierRange(
  name: string,
  isDouble: boolean,
): { readonly key: ByteString; readonly end: ByteString } {
  const kind = isDouble ? 'double-barriers' : 'barriers'
  return prefixRange(`/althing/${kind}/${keySegment('name', name)}/`)
}

export interface BarriersOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the service. */
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
}

export interface BarrierOptions extends WaitOptions {
  /** How many are waited for, oneself among them: 1..100, the same for all (`conflict`). */
  readonly parties: number
  /** A party that dies stands no more after this time. Default 10 s. */
  readonly ttl?: Duration
}

/** A party's stay between the two barriers of a double barrier. */
export interface DoubleBarrier extends Passage, AsyncDisposable {
  readonly name: string
  /** Fires with the cause (`lost`) before the others can take this one for gone. */
  readonly lost: AbortSignal
  /**
   * Resolves when all of its generation have left, or are dead: at most a ttl after their death. Its own leaving is made known at once. Rejects with `timeout`,
   * `aborted`, `closed`: it has left all the same.
   */
  leave(options?: WaitOptions): Promise<void>
}

/**
 * Barriers by name, for parties on leases: who dies stands no more.
 *
 * - It opens when as many parties stand as are waited for, for them together and at one revision; never before.
 * - It can be used again: those who come later wait for the next opening.
 */
export class Barriers {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #inside = new Set<DoubleBarrier>()
  readonly #closing = new AbortController()

  constructor(options: BarriersOptions) {
    assertGuarantees(options.store, barrierRequirements, options)
    this.#store = options.store
    this.#world = options.world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
  }

  /**
   * Waits until as many parties wait as are asked for. Rejects with `timeout`, `aborted`, `closed`, `conflict` (another waits for another number), `lost` (the own place),
   * and then does not count any more.
   */
  async wait(name: string, options: BarrierOptions): Promise<Passage> {
    const { passage, gathering, lease } = await this.#gather(name, false, options)
    gathering.close()
    await this.#releaseQuietly(lease)
    return passage
  }

  /** As `wait`, and then one stays until `leave`: nobody of the next generation comes in before all of this one have left. */
  async enter(name: string, options: BarrierOptions): Promise<DoubleBarrier> {
    const { passage, gathering, lease } = await this.#gather(name, true, options)
    const leave = async (wait: WaitOptions = {}): Promise<void> => {
      this.#inside.delete(stay)
      const limit = waitLimit(this.#world, `leaving barrier "${name}"`, wait, this.#closing.signal)
      try {
        await lease.release()
        await gathering.untilAllAreGone(passage.generation, limit)
      } finally {
        limit.dispose()
        gathering.close()
      }
    }
    const stay: DoubleBarrier = {
      ...passage,
      name,
      lost: lease.lost,
      leave,
      [Symbol.asyncDispose]: () => leave(),
    }
    this.#inside.add(stay)
    lease.lost.addEventListener('abort', () => this.#inside.delete(stay), { once: true })
    return stay
  }

  /** Ends waits (`closed`), and leaves what is stayed in without waiting for the others. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AlthingError('closed', 'the barrier service was closed', { outcome: 'none' }))
    await Promise.allSettled([...this.#inside].map((stay) => stay.leave()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #gather(
    name: string,
    isDouble: boolean,
    options: BarrierOptions,
  ): Promise<{ readonly passage: Passage; readonly gathering: Gathering; readonly lease: KeptLease }> {
    const parties = wholeNumber('parties', options.parties, 1, partiesMax)
    const ttlMs = leaseTtlMs('ttl', options.ttl ?? barrierDefaults.ttl)
    const what = `barrier "${name}"`
    const limit = waitLimit(this.#world, `the wait at ${what}`, options, this.#closing.signal)
    try {
      limit.throwIfEnded()
      const lease = await this.#keeper.keep(ttlMs, { signal: limit.signal }).catch((error: unknown) => {
        throw isAlthingError(error, 'aborted') ? limit.signal.reason : error
      })
      const range = barrierRange(name, isDouble)
      const parts = { store: this.#store, world: this.#world }
      const gathering = new Gathering({ ...parts, range, what, parties, lease, isDouble })
      try {
        return { passage: await gathering.untilAllAreThere(limit), gathering, lease }
      } catch (error) {
        gathering.close()
        await this.#releaseQuietly(lease)
        throw isAlthingError(error) ? withOutcome(error, 'none') : error
      }
    } finally {
      limit.dispose()
    }
  }

  /** The wait is over, whether the store can be told or not; its lease tells it in the end. */
  async #releaseQuietly(lease: KeptLease): Promise<void> {
    try {
      await lease.release({ timeoutMs: 1_000 })
    } catch (error) {
      this.#world.logger.log('debug', 'a place at a barrier is left to its lease', { error: String(error) })
    }
  }
}
