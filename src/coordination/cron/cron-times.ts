import { Cron } from 'croner'
import { utcText } from '../../base/time-text.ts'
import { invalidArgument } from '../../contracts/errors.ts'

/** The occurrences of a schedule: a pure function of its definition and, for a time zone, of the rules that this Node.js knows. */
export interface CronTimes {
  /** The first occurrence after `afterMs`. */
  next(afterMs: number): number
  /** Those after `afterMs` up to `untilMs`, in order; of more than `max` the newest. */
  between(afterMs: number, untilMs: number, max: number): readonly number[]
}

const nicknames = new Set(['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually'])
const charsMax = 256

/** At whole multiples of `everyMs` since 1970. */
export function intervalTimes(everyMs: number): CronTimes {
  const next = (afterMs: number): number => (Math.floor(afterMs / everyMs) + 1) * everyMs
  return {
    next,
    between: (afterMs, untilMs, max) => {
      const last = Math.floor(untilMs / everyMs) * everyMs
      const count = Math.min(max, Math.round((last - next(afterMs)) / everyMs) + 1)
      return Array.from({ length: Math.max(0, count) }, (_, index) => last - (count - 1 - index) * everyMs)
    },
  }
}

/**
 * Throws `invalid-argument` for an expression or a time zone that cannot be read, and for one that never comes (the 30th of February).
 *
 * Where the clocks are set forward, a time that is left out is run at the first moment after the gap, if seconds, minutes and hours are plain numbers,
 * lists or ranges; other occurrences in the gap do not exist. Where they are set back, such a time is run once, at its first coming; one with `*`
 * or a step in these fields is run through both hours, as time goes by. So does Vixie cron (Debian's crontab(5)).
 */
export function cronTimes(schedule: string, timeZone: string): CronTimes {
  const cron = parse(schedule, timeZone)
  const next = (afterMs: number): number | undefined => cron.nextRun(timeText(afterMs))?.getTime()
  // Any moment will do: what comes once comes again within the 28 years of the calendar, and the missing leap year.
  if (next(0) === undefined) throw invalidArgument('schedule', schedule, 'one whose time comes')
  const after = (afterMs: number): number => next(afterMs) ?? Number.POSITIVE_INFINITY
  return {
    next: after,
    between: (afterMs, untilMs, max) => {
      const times = forwards(after, afterMs, untilMs, max)
      return times ?? backwards(cron, afterMs, untilMs, max)
    },
  }
}

/** Undefined when there are more than `max`. */
function forwards(
  next: (afterMs: number) => number,
  afterMs: number,
  untilMs: number,
  max: number,
): number[] | undefined {
  const times: number[] = []
  for (let at = next(afterMs); at <= untilMs; at = next(at)) {
    if (times.length === max) return undefined
    times.push(at)
  }
  return times
}

function backwards(cron: Cron, afterMs: number, untilMs: number, max: number): number[] {
  return cron
    .previousRuns(max, timeText(untilMs + 1_000))
    .map((time) => time.getTime())
    .filter((atMs) => atMs > afterMs && atMs <= untilMs)
    .reverse()
}

function parse(schedule: string, timeZone: string): Cron {
  assertTimeZone(timeZone)
  const allowed =
    "a cron expression of five fields ('0 3 * * *': minute, hour, day, month, weekday), six with seconds in front, or '@daily'"
  if (typeof schedule !== 'string' || schedule.length > charsMax)
    throw invalidArgument('schedule', schedule, allowed)
  const parts = schedule.trim().split(/\s+/)
  const isNickname = parts.length === 1 && nicknames.has(schedule.trim().toLowerCase())
  if (!isNickname && parts.length !== 5 && parts.length !== 6)
    throw invalidArgument('schedule', schedule, allowed)
  try {
    return new Cron(schedule.trim(), { timezone: timeZone, fixedTimeRule: 'no-wildcard' })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw invalidArgument('schedule', schedule, `${allowed}; ${why.replace(/^CronPattern: /, '')}`)
  }
}

function assertTimeZone(timeZone: string): void {
  try {
    const format = new Intl.DateTimeFormat('en', { timeZone })
    if (typeof timeZone === 'string' && format.resolvedOptions().timeZone !== undefined) return
  } catch {
    // It says no more than the error below.
  }
  throw invalidArgument('timeZone', timeZone, "a time zone that this Node.js knows, such as 'Europe/Berlin'")
}

/** ISO 8601 in whole seconds, rounded down: `2030-01-01T03:00:00Z`. */
export function timeText(wallMs: number): string {
  return `${utcText(wallMs).replace(' ', 'T')}Z`
}
