import { expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { KeyValue } from '../../contracts/store.ts'
import { AgreedClock } from './instance-clocks.ts'

const hourMs = 3_600_000
const trueMs = 1_900_000_000_000

/** What other instances say of their clocks, each so far off. */
function beacons(offsetsMs: readonly number[]): ReadonlyMap<string, KeyValue> {
  return new Map(
    offsetsMs.map((offsetMs, index) => {
      const key = `/althing/cron/clocks/${index}`
      const value = bytesFromText(JSON.stringify({ instance: key, wallMs: trueMs + offsetMs }))
      return [key, { key, value, createRevision: 1, modRevision: 1, version: 1, lease: 1 }]
    }),
  )
}

/** How far off the agreed time is, where the own clock and those of the others are so far off. */
function agreedMs(ownMs: number, othersMs: readonly number[]): number {
  const clock = { monotonicMs: () => 5_000, wallMs: () => trueMs + ownMs }
  const agreed = new AgreedClock(clock, '/althing/cron/clocks/own')
  agreed.observe(beacons(othersMs))
  return agreed.nowMs() - trueMs
}

test('of three or more clocks a wrong one has no say, not even on itself', () => {
  expect(agreedMs(0, [3 * hourMs, 0])).toBe(0)
  expect(agreedMs(3 * hourMs, [0, 0])).toBe(0)
  expect(agreedMs(-3 * hourMs, [0, 0])).toBe(0)
  expect(agreedMs(0, [-hourMs, 5 * hourMs, 0, 0])).toBe(0)
})

test('of two clocks that differ the slower one decides; one alone is believed', () => {
  expect(agreedMs(hourMs, [0])).toBe(0)
  expect(agreedMs(0, [hourMs])).toBe(0)
  expect(agreedMs(hourMs, [])).toBe(hourMs)
})

test('an instance that has not spoken for long has no say', () => {
  let nowMs = 5_000
  const clock = { monotonicMs: () => nowMs, wallMs: () => trueMs + nowMs }
  const agreed = new AgreedClock(clock, '/althing/cron/clocks/own')
  agreed.observe(beacons([-hourMs]))
  expect(agreed.nowMs()).toBeLessThan(trueMs)
  nowMs += 200_000
  expect(agreed.nowMs()).toBe(trueMs + nowMs)
})
