import { afterEach, describe, expect, test, vi } from 'vitest'
import { cronTimes, intervalTimes, timeText } from './cron-times.ts'

const minuteMs = 60_000
const berlin = 'Europe/Berlin'

function ms(text: string): number {
  return Date.parse(text)
}

function texts(times: readonly number[]): string[] {
  return times.map(timeText)
}

/** The next `count` occurrences after a moment. */
function following(schedule: string, timeZone: string, after: string, count: number): string[] {
  const times = cronTimes(schedule, timeZone)
  const found: number[] = []
  for (let at = times.next(ms(after)); found.length < count; at = times.next(at)) found.push(at)
  return texts(found)
}

/** The naive twin: looks at each minute, as a clock on the wall shows it. */
class Wall {
  readonly #format: Intl.DateTimeFormat

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'short',
      day: '2-digit',
      month: '2-digit',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
  }

  at(atMs: number) {
    const parts = Object.fromEntries(this.#format.formatToParts(atMs).map((part) => [part.type, part.value]))
    const { year, month, day, hour, minute } = parts
    return {
      date: `${year}-${month}-${day}`,
      minuteOfDay: Number(hour) * 60 + Number(minute),
      minute: Number(minute),
      hour: Number(hour),
      day: Number(day),
    }
  }
}

function inField(field: string, value: number): boolean {
  return field.split(',').some((part) => {
    const [range = '', step] = part.split('/')
    const [from = '', to] = range.split('-')
    const isIn = range === '*' || (value >= Number(from) && value <= Number(to ?? from))
    return isIn && (step === undefined || (value - (range === '*' ? 0 : Number(from))) % Number(step) === 0)
  })
}

function naive(schedule: string, timeZone: string, afterMs: number, untilMs: number): number[] {
  const [minute = '', hour = '', day = ''] = schedule.split(' ')
  const isFixed = !/[*/]/.test(minute + hour)
  const wall = new Wall(timeZone)
  const found = new Set<number>()
  const seen = new Set<string>()
  let previous = wall.at(afterMs - 180 * minuteMs)
  for (let atMs = afterMs - 179 * minuteMs; atMs <= untilMs; atMs += minuteMs) {
    const now = wall.at(atMs)
    const isIn = (hours: number, minutes: number): boolean => inField(hour, hours) && inField(minute, minutes)
    if (
      inField(day, now.day) &&
      isIn(now.hour, now.minute) &&
      !(isFixed && seen.has(`${now.date} ${now.minuteOfDay}`))
    )
      found.add(atMs)
    if (isFixed && inField(day, now.day) && now.date === previous.date)
      for (let left = previous.minuteOfDay + 1; left < now.minuteOfDay; left++)
        if (isIn(Math.floor(left / 60), left % 60)) found.add(atMs)
    seen.add(`${now.date} ${now.minuteOfDay}`)
    previous = now
  }
  return [...found].filter((atMs) => atMs > afterMs).sort((a, b) => a - b)
}

describe('where the clocks are set forward', () => {
  test('a time that is left out is run at the first moment after the gap', () => {
    expect(following('30 2 * * *', berlin, '2030-03-30T00:00:00Z', 3)).toEqual([
      '2030-03-30T01:30:00Z',
      '2030-03-31T01:00:00Z',
      '2030-04-01T00:30:00Z',
    ])
  })

  test('a schedule by steps goes on as time goes by', () => {
    expect(following('*/30 * * * *', berlin, '2030-03-31T00:20:00Z', 3)).toEqual([
      '2030-03-31T00:30:00Z',
      '2030-03-31T01:00:00Z',
      '2030-03-31T01:30:00Z',
    ])
  })
})

describe('where the clocks are set back', () => {
  test('a time that is there twice is run once, at its first coming', () => {
    expect(following('30 2,14 * * *', berlin, '2030-10-26T20:00:00Z', 3)).toEqual([
      '2030-10-27T00:30:00Z',
      '2030-10-27T13:30:00Z',
      '2030-10-28T01:30:00Z',
    ])
  })

  test('a schedule by steps is run through both hours', () => {
    expect(following('*/30 2 * * *', berlin, '2030-10-27T00:00:00Z', 4)).toEqual([
      '2030-10-27T00:30:00Z',
      '2030-10-27T01:00:00Z',
      '2030-10-27T01:30:00Z',
      '2030-10-28T01:00:00Z',
    ])
  })
})

describe.each([
  ['Europe/Berlin', '2030-03-29T12:00:00Z'],
  ['Europe/Berlin', '2030-10-25T12:00:00Z'],
  ['America/New_York', '2031-03-08T00:00:00Z'],
  ['America/New_York', '2031-11-01T00:00:00Z'],
  ['Australia/Lord_Howe', '2030-10-05T00:00:00Z'],
  ['Australia/Lord_Howe', '2031-04-05T00:00:00Z'],
  ['Asia/Kolkata', '2030-02-27T00:00:00Z'],
])('in %s from %s', (timeZone, from) => {
  const schedules = [
    '15 2 * * *',
    '0 0,1,2,3 * * *',
    '10,40 1-3 * * *',
    '*/20 * * * *',
    '5 */2 * * *',
    '0 3 28-31 * *',
    '59 23 * * *',
  ]

  test.each(schedules)('%s comes when a look at each minute says', (schedule) => {
    const afterMs = ms(from)
    const untilMs = afterMs + 4 * 1440 * minuteMs
    const expected = naive(schedule, timeZone, afterMs, untilMs)
    const times = cronTimes(schedule, timeZone)
    expect(texts(times.between(afterMs, untilMs, 1_000))).toEqual(texts(expected))
    // Of too many the newest, which are looked for from the end.
    const few = times.between(afterMs, untilMs, 5)
    expect(texts(few)).toEqual(texts(expected.slice(-5)))
  })
})

describe('what the times depend on', () => {
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllEnvs()
  })

  test('not on the clock of the machine, nor on its time zone', () => {
    const ask = () => [
      following('30 2 * * 1', berlin, '2030-03-28T00:00:00.7Z', 4),
      texts(
        cronTimes('0 4 1 * *', 'Asia/Tokyo').between(
          ms('2029-01-01T00:00:00Z'),
          ms('2030-01-01T00:00:00Z'),
          3,
        ),
      ),
    ]
    const first = ask()
    for (const [time, zone] of [
      ['1999-12-31T23:59:59Z', 'America/New_York'],
      ['2049-03-28T01:30:00Z', 'Pacific/Chatham'],
    ] as const) {
      vi.useFakeTimers({ now: ms(time) })
      vi.stubEnv('TZ', zone)
      expect(ask()).toEqual(first)
    }
  })

  test('an interval is counted from 1970: from any moment the same', () => {
    const { next, between } = intervalTimes(300_000)
    expect(texts([next(ms('2030-01-01T00:00:00Z')), next(ms('2030-01-01T00:04:59.999Z'))])).toEqual([
      '2030-01-01T00:05:00Z',
      '2030-01-01T00:05:00Z',
    ])
    expect(between(1, 299_999, 9)).toEqual([])
    expect(between(0, 600_000, 9)).toEqual([300_000, 600_000])
    expect(between(0, 3_000_000, 2)).toEqual([2_700_000, 3_000_000])
    expect(between(600_000, 0, 2)).toEqual([])
  })
})

test('an expression that cannot be read is refused, with what is allowed', () => {
  for (const [schedule, why] of [
    ['', /cron expression/],
    ['* * * *', /five fields/],
    ['61 * * * *', /minute/],
    ['*/0 * * * *', /step/i],
    ['@reboot', /five fields/],
    ['2030-01-01T00:00:00Z', /five fields/],
    ['0 0 0 1 1 * 2031', /five fields/],
    ['0 0 30 2 *', /whose time comes/],
    [7 as unknown as string, /cron expression/],
  ] as const) {
    expect(() => cronTimes(schedule, 'UTC'), schedule).toThrow(why)
  }
  expect(() => cronTimes('0 3 * * *', 'Mars/Olympus')).toThrow(
    /timeZone is "Mars\/Olympus", but must be a time zone/,
  )
})
