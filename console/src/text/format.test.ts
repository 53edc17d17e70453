import { expect, test } from 'vitest'
import {
  formatBytes,
  formatClock,
  formatDuration,
  formatLatency,
  formatPercent,
  formatRate,
} from './format.ts'

const en = 'en-GB'

test('rates have as many digits as say something', () => {
  expect([0, 0.44, 12.34, 1_240.4, 1_234_567].map((rate) => formatRate(rate, en))).toEqual([
    '0',
    '0.4',
    '12.3',
    '1,240',
    '1.2M',
  ])
})

test('one hundred percent is only said when it is all', () => {
  expect([1, 0.99999, 0.5, 0].map((share) => formatPercent(share, en))).toEqual([
    '100%',
    '99.9%',
    '50%',
    '0%',
  ])
})

test('sizes are in binary units', () => {
  expect([0, 1_023, 1_536, 1_048_576].map((bytes) => formatBytes(bytes, en))).toEqual([
    '0 B',
    '1,023 B',
    '1.5 KiB',
    '1 MiB',
  ])
})

test('latencies have their unit by their size', () => {
  expect([0.84, 14.4, 1_200].map((ms) => formatLatency(ms, en))).toEqual(['0.8 ms', '14 ms', '1.20 s'])
})

test('durations show their two largest units, in the language asked for', () => {
  expect(formatDuration(14_900, en)).toBe('14 secs')
  expect(formatDuration(7_500_000, en)).toBe('2 hrs 5 mins')
  expect(formatDuration(3_600_000, en)).toBe('1 hr')
  expect(formatDuration(7_500_000, 'zh-CN')).toMatch(/2\s?小时 5\s?分钟/)
})

test('a clock that runs ahead gives no negative age', () => {
  expect(formatDuration(-5_000, en)).toBe('0 secs')
})

test('clock times have 24 hours', () => {
  const evening = new Date(2026, 10, 21, 22, 5, 9).getTime()
  expect(formatClock(evening, en)).toBe('22:05:09')
})
