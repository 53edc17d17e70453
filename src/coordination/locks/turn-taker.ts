import { setMaxListeners } from 'node:events'
import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { Duration } from '../../base/duration.ts'
import { abortedError, closedOr } from '../abortable.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import type { Guarantee } from '../guarantees.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { durationMs, leaseTtlMs, shortText, wholeNumber } from '../names.ts'
import type { Hold } from './hold-types.ts'
import type { Line } from './line.ts'
import type { LockEntry } from './lock-entry.ts'
import { LockQueue, type Turn, type TurnRequest } from './lock-queue.ts'

export interface TurnTakerOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the service. Share one among the recipes of a process. */
  readonly keeper?: LeaseKeeper
  /** Missing guarantees of the store that the caller can live without. */
  readonly accept?: readonly Guarantee[]
  /** Bound on the line of one name (`overloaded`): 0..1,000,000. Default 1000. */
  readonly waitersMax?: number
}

/** What callers say of themselves and of their patience. */
export interface TurnOptions {
  /**
   * Default 30 s, renewed at a third of it while held. After the death of the holder the next one has it within this time. Short
   * ones fail over sooner and bear less silence of the store.
   */
  readonly ttl?: Duration
  /** Default 1 minute; then `timeout`. */
  readonly waitTimeout?: Duration
  readonly signal?: AbortSignal
  /** Who holds, for `explain`. 1..256 characters. */
  readonly owner?: string
  /** What the holder does, for `explain`. At most 512 characters. */
  readonly note?: string
  /** Trace of what the holder does, for `explain`. At most 128 characters. */
  readonly traceId?: string
}

export const turnDefaults = { ttl: '30s', waitTimeout: '1m', waitersMax: 1_000 } as const

/** The part of a service of locks or semaphores that takes turns, and gives up what is held when the service is closed. */
export class TurnTaker {
  readonly world: World
  /** Of services: `LockService`. */
  readonly #service: string
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #queue: LockQueue
  readonly #held = new Set<ExclusiveHold>()
  readonly #closing = new AbortController()

  constructor(service: string, options: TurnTakerOptions) {
    const { store, world } = options
    const waitersMax = wholeNumber('waitersMax', options.waitersMax ?? turnDefaults.waitersMax, 0, 1_000_000)
    this.world = world
    this.#service = service
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(store, world)
    this.#queue = new LockQueue({ store, world, keeper: this.#keeper, waitersMax })
    // Every call that waits listens: they are bounded by the keeper, not by what Node takes for a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  request(lines: readonly Line[], options: TurnOptions, waitTimeoutMs: number): TurnRequest {
    const owner = shortText('owner', options.owner, 256)
    if (owner === '') throw invalidArgument('owner', owner, '1..256 characters')
    const note = shortText('note', options.note, 512)
    const traceId = shortText('traceId', options.traceId, 128)
    const entry: LockEntry = {
      ...(owner === undefined ? {} : { owner }),
      ...(note === undefined ? {} : { note }),
      ...(traceId === undefined ? {} : { traceId }),
      ttlMs: leaseTtlMs('ttl', options.ttl ?? turnDefaults.ttl),
      queuedAtMs: this.world.clock.wallMs(),
    }
    return { lines, entry, waitTimeoutMs, signal: options.signal }
  }

  async take(request: TurnRequest): Promise<Turn> {
    const { signal } = request
    const closing = this.#closing.signal
    if (closing.aborted) throw closing.reason
    if (signal?.aborted === true) throw abortedError(signal)
    const both = signal === undefined ? closing : AbortSignal.any([signal, closing])
    try {
      const turn = await this.#queue.takeTurn({ ...request, signal: both })
      for (const hold of turn.holds) this.#held.add(hold)
      return turn
    } catch (error) {
      throw this.#blamingItself(closedOr(error, closing, signal), request)
    }
  }

  /** It has been released: closing need not do it. */
  forget(holds: readonly ExclusiveHold[]): void {
    for (const hold of holds) this.#held.delete(hold)
  }

  /** Runs `body` under the hold and releases it; `lost` when it was not held any more once `body` had ended. */
  async runUnder<H extends Hold, T>(what: string, hold: H, body: (hold: H) => T | Promise<T>): Promise<T> {
    try {
      const result = await body(hold)
      if (!hold.isHeld) throw lostDuringWork(what, hold)
      return result
    } finally {
      await this.#releaseQuietly(hold, what)
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AlthingError('closed', `the ${this.#service} was closed`, { outcome: 'none' }))
    await Promise.allSettled([...this.#held].map((hold) => hold.release()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  /** The work is done, whether the store can be told or not; its lease tells it in the end. */
  async #releaseQuietly(hold: Hold, what: string): Promise<void> {
    try {
      await hold.release()
    } catch (error) {
      this.world.logger.log('warn', 'a hold could not be released and is left to its lease', {
        what,
        error: String(error),
      })
    }
  }

  /** Who waits for what its own program holds waits in vain. */
  #blamingItself(error: unknown, { lines }: TurnRequest): unknown {
    if (!isAlthingError(error, 'timeout') || error.details?.['waitTimeoutMs'] === 0) return error
    const keys = [...this.#held].map(({ fence }) => fence.key)
    const own = lines.filter(({ reading }) => keys.some((key) => key.startsWith(reading.key)))
    if (own.length === 0) return error
    const names = own.map(({ what }) => what).join(', ')
    return new AlthingError(
      'timeout',
      `${error.message}; ${names} is held by this ${this.#service} itself: a program that waits for its own hold (or for a read hold of its own to ` +
        'become a write hold) waits in vain',
      {
        outcome: error.outcome ?? 'none',
        details: { ...error.details, heldHere: own.map(({ name }) => name) },
      },
    )
  }
}

export function waitOf(options: TurnOptions): number {
  return durationMs('waitTimeout', options.waitTimeout ?? turnDefaults.waitTimeout)
}

/** `null` where `take` found out that it would have to wait. */
export async function orNullIfTaken<T>(take: () => Promise<T | null>): Promise<T | null> {
  try {
    return await take()
  } catch (error) {
    if (isAlthingError(error, 'timeout') && error.details?.['waitTimeoutMs'] === 0) return null
    throw error
  }
}

/** The work under it may have overlapped with another's. */
function lostDuringWork(what: string, hold: Hold): unknown {
  if (hold.lost.aborted) return hold.lost.reason
  return new AlthingError('lost', `${what} was not held any more when its work had ended`, {
    outcome: 'none',
    details: { what, token: hold.token },
  })
}
