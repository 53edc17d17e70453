import type { Duration } from '../../base/duration.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import { durationMs, keySegment, leaseTtlMs, wholeNumber } from '../names.ts'
import { type CronTimes, cronTimes, intervalTimes } from './cron-times.ts'
import type { CronDefinition, ScheduleOptions } from './cron-types.ts'

export const cronDefaults = {
  timeZone: 'UTC',
  missed: 'run-once',
  missedMax: 100,
  startWithin: '1m',
  overlap: 'skip',
  runsMax: 10,
  delivery: 'at-most-once',
  attemptsMax: 3,
  ttl: '30s',
  historyMax: 50,
} as const

const everyMsMin = 1_000
const everyMsMax = 365 * 86_400_000

/** Throws `invalid-argument`, naming the option. */
export function cronDefinition(options: ScheduleOptions): CronDefinition {
  keySegment('name', options.name)
  if (typeof options.run !== 'function') throw invalidArgument('run', options.run, 'a function')
  const { timeout } = options
  const definition: CronDefinition = {
    ...timesOf(options),
    timeZone: options.timeZone ?? cronDefaults.timeZone,
    missed: oneOf('missed', options.missed ?? cronDefaults.missed, ['skip', 'run-once', 'run-all']),
    missedMax: wholeNumber('missedMax', options.missedMax ?? cronDefaults.missedMax, 1, 500),
    startWithinMs: durationMs('startWithin', options.startWithin ?? cronDefaults.startWithin),
    overlap: oneOf('overlap', options.overlap ?? cronDefaults.overlap, ['skip', 'queue', 'allow']),
    runsMax: wholeNumber('runsMax', options.runsMax ?? cronDefaults.runsMax, 1, 100),
    delivery: oneOf('delivery', options.delivery ?? cronDefaults.delivery, ['at-most-once', 'at-least-once']),
    attemptsMax: wholeNumber('attemptsMax', options.attemptsMax ?? cronDefaults.attemptsMax, 1, 100),
    ...(timeout === undefined ? {} : { timeoutMs: durationMs('timeout', timeout) }),
    ttlMs: leaseTtlMs('ttl', options.ttl ?? cronDefaults.ttl),
    historyMax: wholeNumber('historyMax', options.historyMax ?? cronDefaults.historyMax, 1, 1_000),
  }
  timesOfDefinition(definition)
  return definition
}

export function timesOfDefinition({ schedule, everyMs, timeZone }: CronDefinition): CronTimes {
  if (schedule !== undefined) return cronTimes(schedule, timeZone)
  if (everyMs !== undefined) return intervalTimes(everyMs)
  throw invalidArgument('schedule', undefined, 'given, or `every`')
}

function timesOf({ schedule, every, timeZone }: ScheduleOptions): { schedule: string } | { everyMs: number } {
  if (schedule !== undefined && every !== undefined)
    throw invalidArgument('every', every, 'absent where `schedule` is given')
  if (schedule !== undefined) return { schedule }
  if (every === undefined) throw invalidArgument('schedule', schedule, 'given, or `every`')
  if (timeZone !== undefined) throw invalidArgument('timeZone', timeZone, 'absent where `every` is given')
  return { everyMs: intervalMs(every) }
}

function intervalMs(every: Duration): number {
  const everyMs = durationMs('every', every)
  if (Number.isInteger(everyMs) && everyMs >= everyMsMin && everyMs <= everyMsMax) return everyMs
  throw invalidArgument('every', every, "whole milliseconds from '1s' to '365d'")
}

function oneOf<T extends string>(field: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw invalidArgument(field, value, `one of ${allowed.map((each) => `'${each}'`).join(', ')}`)
}
