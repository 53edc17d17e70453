import type { Duration } from '../../base/duration.ts'
import type { KeyRight } from '../right.ts'

/**
 * What becomes of occurrences that could not be started within `startWithin` of their time, because no instance ran or the store was away:
 *
 * - `'skip'`: nothing; the history says how many.
 * - `'run-once'`: one run for all of them, which knows their number (`run.missed`).
 * - `'run-all'`: each is run, oldest first; of more than `missedMax` the newest.
 */
export type MissedPolicy = 'skip' | 'run-once' | 'run-all'

/**
 * What becomes of an occurrence that comes while a run of its schedule is under way or waits, anywhere in the cluster:
 *
 * - `'skip'`: it is not run; the history says so.
 * - `'queue'`: it is run when those before it have ended, in order. At most `runsMax` wait; more are skipped.
 * - `'allow'`: it is run beside them. At most `runsMax` at the same time; more are skipped.
 */
export type OverlapPolicy = 'skip' | 'queue' | 'allow'

/**
 * What becomes of a run whose instance dies, or loses its lease, before it has said how the run ended:
 *
 * - `'at-most-once'`: it is recorded as interrupted, and not run again.
 * - `'at-least-once'`: it is run again, elsewhere or here, up to `attemptsMax` times in all; so it may run twice.
 *
 * A `run` that throws has ended: it is recorded as failed, and not run again.
 */
export type CronDelivery = 'at-most-once' | 'at-least-once'

export interface ScheduleOptions {
  /** The same on every instance. 1..256 characters. */
  readonly name: string
  /**
   * Five fields (minute, hour, day of the month, month, day of the week), six with seconds in front, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
   * `L`, `W` and `#` are known. Where both days are given either suffices. Either this or `every`.
   */
  readonly schedule?: string
  /** At whole multiples of this time since 1970-01-01T00:00Z, so that all instances agree: from `'1s'` to `'365d'`. */
  readonly every?: Duration
  /** Of `schedule`: an IANA name. Default `'UTC'`, whatever the machine's. */
  readonly timeZone?: string
  /** Default `'run-once'`. */
  readonly missed?: MissedPolicy
  /** 1..500, default 100. */
  readonly missedMax?: number
  /** An occurrence that has not been started so long after its time is a missed one. Default 1 minute. */
  readonly startWithin?: Duration
  /** Default `'skip'`. */
  readonly overlap?: OverlapPolicy
  /** 1..100, default 10. */
  readonly runsMax?: number
  /** Default `'at-most-once'`. */
  readonly delivery?: CronDelivery
  /** 1..100, default 3. */
  readonly attemptsMax?: number
  /** After this time `run.signal` fires; ten seconds later the run's right ends, whether it has stopped or not. Default: none. */
  readonly timeout?: Duration
  /** Of the lease of a run. After the death of its instance it counts as interrupted within this time. Default 30 s. */
  readonly ttl?: Duration
  /** Records kept: 1..1000, default 50. */
  readonly historyMax?: number
  /** Ends the registration while it waits for the store (`aborted`). */
  readonly signal?: AbortSignal
  /** What it returns goes into the history as JSON, cut at 1000 characters; so does the message of what it throws. */
  readonly run: (run: CronRun) => unknown
}

export type CronRunKind = 'scheduled' | 'missed' | 'manual'

/** One run, held by one instance. */
export interface CronRun extends KeyRight {
  readonly name: string
  /** Of the occurrence: its time as `2030-01-01T03:00:00Z`, or `manual-` and a random text. The same for each attempt. */
  readonly id: string
  readonly kind: CronRunKind
  /** The time for which it was scheduled, in milliseconds since 1970. */
  readonly scheduledMs: number
  /** 1 for the first. */
  readonly attempt: number
  /** How many missed occurrences this run stands for, beside its own time where that was not missed. */
  readonly missed: number
  /** The fencing token: larger than that of every earlier run of this schedule. */
  readonly token: number
  /** Computed at each reading: true only while no other can have been given this run. */
  readonly isHeld: boolean
  /** Fires with `lost`, and with `timeout` or `closed` when the run is to stop. */
  readonly signal: AbortSignal
}

/** This instance's part in a schedule. */
export interface CronSchedule extends AsyncDisposable {
  readonly name: string
  /** The next occurrence by the definition in the store; undefined while it is paused, or once it was removed. */
  nextMs(): number | undefined
  /** This instance starts no more runs of it; resolves when its own have ended. The others go on. Idempotent. */
  stop(): Promise<void>
}

/** A schedule as the store has it: what the instance that registered last has said. */
export interface CronDefinition {
  readonly schedule?: string
  readonly everyMs?: number
  readonly timeZone: string
  readonly missed: MissedPolicy
  readonly missedMax: number
  readonly startWithinMs: number
  readonly overlap: OverlapPolicy
  readonly runsMax: number
  readonly delivery: CronDelivery
  readonly attemptsMax: number
  readonly timeoutMs?: number
  readonly ttlMs: number
  readonly historyMax: number
}

/** Times are by the clock that the instances agree on, in milliseconds since 1970. */
export interface CronOverview {
  readonly name: string
  readonly definition: CronDefinition
  readonly nextMs?: number
  /** No occurrence up to this time will be decided again. */
  readonly decidedUntilMs: number
  readonly paused?: CronPause
  readonly running: readonly CronActive[]
  readonly waiting: readonly CronPending[]
}

export interface CronPause {
  readonly by: string
  readonly reason?: string
  readonly atMs: number
}

/** An occurrence that is to be run. */
export interface CronPending {
  readonly id: string
  readonly kind: CronRunKind
  readonly scheduledMs: number
  readonly attempt: number
  readonly missed: number
}

export interface CronActive extends CronPending {
  /** The instance. */
  readonly by: string
  readonly startedMs: number
}

/**
 * How an occurrence ended. `interrupted`: its instance did not live, or was not in reach of the store for long enough, to say how; `timed-out`: it was told to stop;
 * `missed`, `skipped`: it was not run (`count` of them).
 */
export type CronOutcome = 'succeeded' | 'failed' | 'timed-out' | 'interrupted' | 'missed' | 'skipped'

export interface CronRecord {
  readonly id: string
  readonly kind: CronRunKind
  readonly scheduledMs: number
  readonly outcome: CronOutcome
  /** Occurrences that this record tells of: more than one only for those that were not run. The last of them gives the time. */
  readonly count: number
  readonly attempt?: number
  readonly by?: string
  readonly startedMs?: number
  /** By the monotonic clock of the instance. */
  readonly durationMs?: number
  readonly token?: number
  readonly result?: string
  readonly error?: string
}
