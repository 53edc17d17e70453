import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Operation, TxnReply } from '../../contracts/store.ts'
import { pause } from '../abortable.ts'
import { timesOfDefinition } from './cron-definition.ts'
import { decodeState, runKey, scheduleKey } from './cron-keys.ts'
import { CronRunner, type RunnerOptions, type WriteWith } from './cron-runner.ts'
import { CronChange, type CronState, isSameDefinition, newCronState } from './cron-state.ts'
import type { CronTimes } from './cron-times.ts'
import type { CronActive, CronDefinition } from './cron-types.ts'
import type { AgreedClock } from './instance-clocks.ts'
import { writeChange } from './write-change.ts'

interface Seen {
  readonly state: CronState
  readonly modRevision: number
}

/** What is to be written, and the run that begins with it. */
interface Plan {
  readonly change: CronChange
  readonly starting?: CronActive | undefined
}

/** What a participant sees of the store, kept up to date by the service. */
export interface CronView {
  /** Undefined until the store has been read. */
  readonly kvs: ReadonlyMap<string, KeyValue> | undefined
}

export interface ParticipantOptions extends RunnerOptions {
  readonly clock: AgreedClock
  readonly view: CronView
  readonly definition: CronDefinition
}

/** The wall clock may be stepped meanwhile: nobody sleeps longer without a look at it. */
const sleepMsMax = 5_000
const retryMsMin = 200
const retryMsMax = 5_000
/** So much later than the one before it in the order does an instance begin. */
const rankDelayMs = 25
const rankMax = 10
/** Interrupted runs that one transaction records, so that it stays small. */
const interruptsMax = 20

/**
 * One instance's part in one schedule: looks at the state whenever it changes and whenever an occurrence is due, and writes what follows from it, in
 * one transaction that only the first of all instances gets through.
 */
export class CronParticipant {
  readonly #options: ParticipantOptions
  readonly #installed = createDeferred<void>()
  readonly #stopping = new AbortController()
  readonly #runner: CronRunner
  #changed: Deferred<void> = createDeferred()
  #isInstalled = false
  /** The state on which this instance has acted: nothing is to be done before it changes. */
  #actedOn = 0
  #lookedAt: number | undefined
  #taking: Promise<void> = Promise.resolve()
  #seen: Seen | undefined
  #turn: { readonly modRevision: number; readonly at: number; readonly atMs: number } | undefined
  #times: { readonly definition: string; readonly times: CronTimes } | undefined

  constructor(options: ParticipantOptions) {
    this.#options = options
    this.#runner = new CronRunner(options)
    this.#installed.promise.catch(() => {})
  }

  /** Resolves when the schedule stands in the store as this instance has it; rejects with what keeps it from there for good. */
  get installed(): Promise<void> {
    return this.#installed.promise
  }

  nextMs(): number | undefined {
    const state = this.#state()?.state
    if (state === undefined || state.paused !== undefined) return undefined
    return this.#timesOf(state.definition).next(Math.max(state.decidedUntilMs, this.#options.clock.nowMs()))
  }

  start(): void {
    this.#taking = this.#takePart()
  }

  /** The view changed: perhaps in what concerns this schedule. */
  onView(): void {
    const seen = this.#state()
    const isNew = seen?.modRevision !== this.#lookedAt
    if (isNew || (seen !== undefined && this.#interrupted(seen.state).length > 0)) this.#changed.resolve()
  }

  /** Starts no more runs, and waits for those under way. */
  async stop(reason = 'the schedule was stopped'): Promise<void> {
    const error = new AlthingError('closed', reason, { outcome: 'none' })
    this.fail(error)
    await this.#taking
    await this.#runner.untilAllEnded()
  }

  /** Tells runs under way to stop, too. */
  async close(): Promise<void> {
    this.#runner.tellToStop(new AlthingError('closed', 'the cron service was closed', { outcome: 'none' }))
    await this.stop('the cron service was closed')
  }

  /** Takes part no more, for this reason. */
  fail(error: unknown): void {
    this.#installed.reject(error)
    this.#stopping.abort(error)
    this.#changed.resolve()
  }

  /** Until it is stopped. Never rejects. */
  async #takePart(): Promise<void> {
    const { world, name } = this.#options
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      this.#changed = createDeferred()
      let waitMs = sleepMsMax
      try {
        waitMs = await this.#step()
        failures = 0
      } catch (error) {
        if (this.#isFinal(error)) break
        world.logger.log('debug', 'a schedule cannot be kept for now', { name, error: String(error) })
        waitMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures++, 10))
      }
      await this.#sleep(waitMs)
    }
  }

  /** Does what is to be done now, and returns after how long there will be something to do again. */
  async #step(): Promise<number> {
    const { clock, view } = this.#options
    const seen = this.#state()
    this.#lookedAt = seen?.modRevision
    if (view.kvs === undefined) return sleepMsMax
    const modRevision = seen?.modRevision ?? 0
    if (modRevision !== 0 && modRevision === this.#actedOn) return sleepMsMax
    const nowMs = clock.nowMs()
    const installation = this.#installation(seen?.state, nowMs)
    if (installation !== undefined) {
      await this.#install(installation, modRevision)
      return sleepMsMax
    }
    const plan = this.#plan(seen?.state, nowMs)
    if (plan === undefined) return this.#untilNextMs(seen?.state, nowMs)
    const turnMs = this.#untilTurnMs(modRevision, plan.change)
    if (turnMs > 0) return turnMs
    await this.#carryOut(plan, modRevision)
    return sleepMsMax
  }

  #state(): Seen | undefined {
    const kv = this.#options.view.kvs?.get(scheduleKey(this.#options.name))
    if (kv === undefined) return undefined
    if (this.#seen?.modRevision !== kv.modRevision)
      this.#seen = { state: decodeState(kv), modRevision: kv.modRevision }
    return this.#seen
  }

  /** Undefined once the schedule is what this instance has said. */
  #installation(state: CronState | undefined, nowMs: number): CronChange | undefined {
    if (this.#isInstalled) return undefined
    const { definition } = this.#options
    if (state === undefined) return new CronChange(newCronState(definition, nowMs))
    if (isSameDefinition(state.definition, definition)) {
      this.#setInstalled()
      return undefined
    }
    const change = new CronChange(state)
    change.redefine(definition, this.#timesOf(state.definition), nowMs)
    return change
  }

  async #install(change: CronChange, modRevision: number): Promise<void> {
    const reply = await this.#write(change, modRevision)
    if (!reply.succeeded) return
    // What has been seen until now may be a former schedule of that name, which is gone.
    this.#seen = undefined
    this.#setInstalled()
  }

  /** Undefined when there is nothing to be done. */
  #plan(state: CronState | undefined, nowMs: number): Plan | undefined {
    if (state === undefined) {
      if (this.#seen === undefined) return undefined
      const problem = `schedule "${this.#options.name}" was removed`
      this.fail(new AlthingError('closed', problem, { outcome: 'none' }))
      return undefined
    }
    const change = new CronChange(state)
    for (const run of this.#interrupted(state)) change.interrupt(run)
    change.decide(this.#timesOf(state.definition), nowMs)
    const starting = change.start(this.#options.instance, nowMs)
    return change.isEmpty ? undefined : { change, starting }
  }

  /** State and right of a run are written, and so seen, at one revision: who lacks the right has lost it. */
  #interrupted(state: CronState): CronActive[] {
    const { name, view } = this.#options
    return state.running.filter((run) => view.kvs?.has(runKey(name, run)) === false).slice(0, interruptsMax)
  }

  /** All instances see what is to be done at the same moment. One after the other they go about it. */
  #untilTurnMs(modRevision: number, change: CronChange): number {
    const { clock, world } = this.#options
    const nowMs = world.clock.monotonicMs()
    const at = change.state.decidedUntilMs
    if (this.#turn?.modRevision !== modRevision || this.#turn.at !== at) {
      const rank = Math.min(rankMax, clock.rankFor(`${this.#options.name} ${modRevision}`))
      this.#turn = { modRevision, at, atMs: nowMs + rank * rankDelayMs }
    }
    return this.#turn.atMs - nowMs
  }

  #untilNextMs(state: CronState | undefined, nowMs: number): number {
    if (state === undefined || state.paused !== undefined) return sleepMsMax
    const next = this.#timesOf(state.definition).next(state.decidedUntilMs)
    return Math.min(sleepMsMax, Math.max(1, next - nowMs))
  }

  async #carryOut({ change, starting }: Plan, modRevision: number): Promise<void> {
    const write: WriteWith = (more) => this.#write(change, modRevision, more)
    if (starting === undefined) await write([])
    else await this.#runner.start(change.state.definition, starting, write, this.#stopping.signal)
  }

  async #write(change: CronChange, modRevision: number, more?: readonly Operation[]): Promise<TxnReply> {
    const reply = await writeChange(this.#options.store, this.#options.name, change, modRevision, more)
    // Either way the state is another one now, and the watch will show it.
    this.#actedOn = modRevision
    return reply
  }

  #setInstalled(): void {
    this.#isInstalled = true
    this.#installed.resolve()
  }

  #timesOf(definition: CronDefinition): CronTimes {
    const { schedule, everyMs, timeZone } = definition
    const key = JSON.stringify([schedule, everyMs, timeZone])
    if (this.#times?.definition !== key)
      this.#times = { definition: key, times: timesOfDefinition(definition) }
    return this.#times.times
  }

  /** Trying again will not help. Before it stands in the store, the caller is told; afterwards it goes on trying. */
  #isFinal(error: unknown): boolean {
    if (this.#stopping.signal.aborted) return true
    const isFinal = isAlthingError(error, 'closed') || (!this.#isInstalled && !isRetryable(error))
    if (isFinal) this.fail(error)
    return isFinal
  }

  async #sleep(waitMs: number): Promise<void> {
    if (waitMs <= 0) return
    const waking = new AbortController()
    void this.#changed.promise.then(() => waking.abort())
    await pause(this.#options.world, waitMs, waking.signal)
  }
}

function isRetryable(error: unknown): boolean {
  return (
    isAlthingError(error) && (error.retryable || error.code === 'lost' || error.code === 'lease-not-found')
  )
}
