import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { abortedError, untilAborted } from '../abortable.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { randomId, shortText } from '../names.ts'
import { followRange } from '../range-follower.ts'
import { cronDefinition } from './cron-definition.ts'
import { clocksPrefix, cronRange } from './cron-keys.ts'
import { CronOffice } from './cron-office.ts'
import { CronParticipant } from './cron-participant.ts'
import type { CronOverview, CronRecord, CronSchedule, ScheduleOptions } from './cron-types.ts'
import { AgreedClock, beaconClock } from './instance-clocks.ts'

export const cronRequirements: Requirements = {
  recipe: 'cron',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export interface CronServiceOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the service. */
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
  /** Who this is, for the history: at most 256 characters. Default: drawn at random. */
  readonly instance?: string
}

/**
 * Schedules whose occurrences are run once for all instances that share the store: each instance registers the same schedule, and nobody has to think of
 * locks.
 *
 * - An occurrence is claimed in the store by its scheduled time, and never again, whatever the clocks show.
 * - Due is what is due by the clock that the instances agree on ({@link AgreedClock}).
 * - A run has a fencing token; its `lost` fires before it can be given to another.
 */
export class CronService {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #instance: string
  readonly #clockKey: string
  readonly #clock: AgreedClock
  readonly #office: CronOffice
  readonly #participants = new Map<string, CronParticipant>()
  readonly #closing = new AbortController()
  readonly #view: { kvs: ReadonlyMap<string, KeyValue> | undefined } = { kvs: undefined }
  #following: Promise<unknown> | undefined
  #closed: Promise<void> | undefined

  constructor(options: CronServiceOptions) {
    assertGuarantees(options.store, cronRequirements, options)
    const { store, world } = options
    this.#store = store
    this.#world = world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(store, world)
    const id = randomId(world)
    this.#instance = shortText('instance', options.instance, 256) ?? id
    this.#clockKey = clocksPrefix + id
    this.#clock = new AgreedClock(world.clock, this.#clockKey)
    this.#office = new CronOffice(store, world)
  }

  /**
   * Takes part in a schedule, and makes it what the options say: what is registered last holds for all instances. Resolves once it stands in the store, waiting
   * through outages. Rejects with `invalid-argument`, `conflict` (this instance takes part in one of that name already), `aborted`, `closed`, and what the store
   * refuses for good.
   */
  async schedule(options: ScheduleOptions): Promise<CronSchedule> {
    const definition = cronDefinition(options)
    const { name, run, signal } = options
    if (signal?.aborted === true) throw abortedError(signal)
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
    if (this.#participants.has(name)) throw takesPartAlready(name)
    this.#start()
    const participant = new CronParticipant({
      store: this.#store,
      world: this.#world,
      keeper: this.#keeper,
      clock: this.#clock,
      view: this.#view,
      instance: this.#instance,
      name,
      definition,
      run,
    })
    this.#participants.set(name, participant)
    participant.start()
    const end = async (): Promise<void> => {
      await participant.stop()
      if (this.#participants.get(name) === participant) this.#participants.delete(name)
    }
    try {
      await untilAborted(participant.installed, signal)
    } catch (error) {
      await end()
      throw error
    }
    return { name, nextMs: () => participant.nextMs(), stop: end, [Symbol.asyncDispose]: end }
  }

  /** Every schedule of the store, by name, with what runs, what waits and when it is due next. */
  async list(options: { readonly signal?: AbortSignal } = {}): Promise<readonly CronOverview[]> {
    return await this.#office.list(options)
  }

  /** The last records of a schedule, newest first. `not-found` when there is no such schedule. */
  async history(
    name: string,
    options: { readonly limit?: number; readonly signal?: AbortSignal } = {},
  ): Promise<readonly CronRecord[]> {
    return await this.#office.history(name, options)
  }

  /** From now on nothing of it is started, until it is resumed; what comes meanwhile is not missed. `not-found`. */
  async pause(name: string, options: { readonly by?: string; readonly reason?: string } = {}): Promise<void> {
    await this.#office.pause(name, { by: options.by ?? this.#instance, reason: options.reason })
  }

  /** Goes on with the first occurrence after this moment. `not-found`. */
  async resume(name: string): Promise<void> {
    await this.#office.resume(name, this.#clock.nowMs())
  }

  /**
   * One run as soon as those that wait have run, also of a schedule that is paused; on whichever instance takes it. Returns its id. `not-found`, and `overloaded`
   * when as many wait as may.
   */
  async runNow(name: string): Promise<string> {
    return await this.#office.runNow(name, this.#clock.nowMs())
  }

  /** Takes it out of the store, with its history; instances that take part stop. False when there was none. */
  async remove(name: string): Promise<boolean> {
    return await this.#office.remove(name)
  }

  /** Starts no more runs, and waits for those under way on this instance. */
  async drain(): Promise<void> {
    await Promise.all([...this.#participants.values()].map((each) => each.stop()))
  }

  /** Tells the runs of this instance to stop (`closed`), gives them ten seconds, and takes part in nothing any more. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#participants.values()].map((each) => each.close()))
    this.#closing.abort(new AlthingError('closed', 'the cron service was closed', { outcome: 'none' }))
    await this.#following
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  /** One watch and one clock for all schedules. */
  #start(): void {
    if (this.#following !== undefined) return
    const { signal } = this.#closing
    const parts = { store: this.#store, world: this.#world, keeper: this.#keeper }
    const following = followRange({
      ...parts,
      range: cronRange,
      signal,
      onState: ({ kvs }) => {
        this.#view.kvs = kvs
        this.#clock.observe(kvs)
        for (const participant of this.#participants.values()) participant.onView()
      },
    }).catch((error: unknown) => {
      for (const participant of this.#participants.values()) participant.fail(error)
    })
    const beacon = beaconClock({ ...parts, key: this.#clockKey, instance: this.#instance }, signal)
    this.#following = Promise.all([following, beacon])
  }
}

function takesPartAlready(name: string): AlthingError {
  return new AlthingError(
    'conflict',
    `this instance takes part in schedule "${name}" already: stop that first`,
    {
      outcome: 'none',
      details: { name },
    },
  )
}
