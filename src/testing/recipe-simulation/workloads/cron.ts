import { CronService } from '../../../coordination/cron/cron.ts'
import { decodeRecord, historyRange } from '../../../coordination/cron/cron-keys.ts'
import type { CronRecord, CronRun, ScheduleOptions } from '../../../coordination/cron/cron-types.ts'
import { isInRange } from '../../checkers/event-log.ts'
import { checkOccurrencesOnce, type ObservedRun } from '../../invariants/occurrences-once.ts'
import { checkLockExclusive } from '../../invariants/lock-exclusive.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { insisted, sleep, type User } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const everyMs = 1_000
const shared = {
  missed: 'run-all',
  missedMax: 500,
  startWithin: '5s',
  overlap: 'queue',
  runsMax: 100,
} as const

/** Every user takes part in the same schedules: one that runs each occurrence at most once, and one that runs each until it has ended. */
class CronWorkload implements Workload {
  readonly leavesNothingUnder = ['/althing/cron/runs/', '/althing/cron/clocks/']
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #runs: ObservedRun[] = []
  readonly #given = new Set<string>()
  readonly #counts = { begun: 0, ended: 0, missed: 0, again: 0 }
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { ttlMs } = stage.configuration
    this.succession = {
      first: (user) => this.#heldRun(user, 1),
      next: (user) => this.#heldRun(user, 2),
      // The schedule must be in place again after the start of a process, and its turn come.
      withinMs: ttlMs + 2 * everyMs,
    }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const cron = new CronService({ ...user, instance: user.name })
    await insisted(user, () => cron.schedule(this.#schedule(user, 'at-most-once')))
    await insisted(user, () => cron.schedule(this.#schedule(user, 'at-least-once')))
    while (!user.isStopping()) await sleep(user.world, 200)
    await cron.close()
  }

  judge(): InvariantViolation | undefined {
    return (
      checkOccurrencesOnce(this.#runs, everyMs, this.#recorded()) ??
      checkLockExclusive(this.#stage.observations.rights.tenures)
    )
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  /** What the schedules' histories have ever said of occurrences that were not run. */
  #recorded(): CronRecord[] {
    const range = historyRange('at-least-once')
    return this.#stage.log.events.revisions.flatMap(({ events }) =>
      events.flatMap((event) => {
        if (event.type !== 'put' || !isInRange(range, event.kv.key)) return []
        return decodeRecord(event.kv) ?? []
      }),
    )
  }

  #schedule(user: User, delivery: 'at-most-once' | 'at-least-once'): ScheduleOptions {
    const { configuration, random, world } = user
    return {
      ...shared,
      name: delivery,
      every: everyMs,
      ttl: configuration.ttlMs,
      delivery,
      attemptsMax: 100,
      historyMax: 1_000,
      run: async (run) => {
        const observed = this.#begin(user, run)
        await sleep(world, Math.min(random.exponential(600), 3_000))
        if (!run.isHeld) return
        observed.hasEnded = true
        this.#counts.ended++
        this.#rounds++
      },
    }
  }

  #begin(user: User, run: CronRun): ObservedRun {
    const { name, id, attempt, token, scheduledMs, kind, fence, lost } = run
    const observed = { schedule: name, id, attempt, token, scheduledMs, by: user.name, hasEnded: false }
    this.#runs.push(observed)
    this.#counts.begun++
    const what = `${name} ${id}, attempt ${attempt},`
    // At once, and not only when it is judged: who decides an occurrence again and again hardly comes to an end.
    if (this.#given.has(what)) user.observations.violated('occurrences-once', `${what} was given twice`)
    this.#given.add(what)
    if (kind === 'missed') this.#counts.missed++
    if (attempt > 1) this.#counts.again++
    const isHeld = (): boolean => run.isHeld
    user.observations.acquired(user, {
      name,
      token,
      fence,
      lost,
      get isHeld() {
        return isHeld()
      },
    })
    return observed
  }

  /** Resolves when this user has the run of the schedule whose first attempt never ends. */
  async #heldRun(user: User, attempt: number): Promise<void> {
    const cron = new CronService({ ...user, instance: user.name })
    await new Promise<void>((resolve, reject) => {
      const run = async (held: CronRun): Promise<void> => {
        if (held.attempt >= attempt) resolve()
        await new Promise<void>((ended) => held.signal.addEventListener('abort', () => ended()))
      }
      const { ttlMs } = user.configuration
      const schedule = {
        name: 'succession',
        every: everyMs,
        ttl: ttlMs,
        delivery: 'at-least-once',
        run,
      } as const
      insisted(user, () => cron.schedule(schedule)).catch(reject)
    })
  }
}

export const createCronWorkload: CreateWorkload = (stage) => new CronWorkload(stage)
