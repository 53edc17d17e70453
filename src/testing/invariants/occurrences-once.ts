import type { CronRecord } from '../../coordination/cron/cron-types.ts'
import { InvariantViolation } from './violation.ts'

/** One run that a user was given. */
export interface ObservedRun {
  readonly schedule: string
  readonly id: string
  readonly attempt: number
  readonly token: number
  readonly scheduledMs: number
  readonly by: string
  /** Its work was done while it was held. */
  hasEnded: boolean
}

/**
 * No attempt at an occurrence is given twice, tokens grow in the order in which runs are given, a schedule that runs at most once makes no second attempt, and of one that runs at least
 * once every occurrence but the last ones has been run to its end, or its history says that it was left out. The schedules are named for their delivery.
 */
export function checkOccurrencesOnce(
  runs: readonly ObservedRun[],
  everyMs: number,
  /** Of the schedule that runs at least once. */
  records: readonly Pick<CronRecord, 'outcome' | 'scheduledMs' | 'count'>[],
): InvariantViolation | undefined {
  for (const schedule of new Set(runs.map((run) => run.schedule))) {
    const own = runs.filter((run) => run.schedule === schedule)
    const problem =
      twice(own) ?? (schedule === 'at-least-once' ? lost(own, everyMs, told(records, everyMs)) : again(own))
    if (problem !== undefined) return new InvariantViolation('occurrences-once', `${schedule}: ${problem}`)
  }
  return undefined
}

function twice(runs: readonly ObservedRun[]): string | undefined {
  const given = new Map<string, ObservedRun>()
  let newest = 0
  for (const run of runs) {
    const name = `${run.id}, attempt ${run.attempt}`
    const before = given.get(name)
    if (before !== undefined) return `${name} was given to ${before.by} and to ${run.by}`
    if (run.token <= newest) return `${name} has token ${run.token}, after one with ${newest}`
    given.set(name, run)
    newest = run.token
  }
  return undefined
}

function again(runs: readonly ObservedRun[]): string | undefined {
  const second = runs.find(({ attempt }) => attempt > 1)
  return second && `${second.id} was run again by ${second.by}`
}

/** Occurrences that the history says were not run. */
function told(
  records: readonly Pick<CronRecord, 'outcome' | 'scheduledMs' | 'count'>[],
  everyMs: number,
): Set<number> {
  const unrun = records.filter(({ outcome }) => outcome === 'missed' || outcome === 'skipped')
  return new Set(
    unrun.flatMap(({ scheduledMs, count }) =>
      Array.from({ length: count }, (_, i) => scheduledMs - i * everyMs),
    ),
  )
}

/** Between the first and the last that were run to their end none is left out. */
function lost(runs: readonly ObservedRun[], everyMs: number, unrun: ReadonlySet<number>): string | undefined {
  const ended = new Set(runs.filter(({ hasEnded }) => hasEnded).map(({ scheduledMs }) => scheduledMs))
  const first = Math.min(...runs.map(({ scheduledMs }) => scheduledMs))
  const last = Math.max(...ended)
  for (let atMs = first; atMs < last; atMs += everyMs)
    if (!ended.has(atMs) && !unrun.has(atMs))
      return `the occurrence of ${atMs} ms was never run to its end, and the history does not say so`
  return undefined
}
