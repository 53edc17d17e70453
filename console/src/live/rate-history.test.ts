import { expect, test } from 'vitest'
import { addSample, emptyHistory, latestRate, pointsMax } from './rate-history.ts'

test('the first sample gives no rate, the second one does', () => {
  const first = addSample(emptyHistory, 1_000, { writes: 100 })
  expect(first.times).toEqual([])
  const second = addSample(first, 3_000, { writes: 130 })
  expect(second).toMatchObject({ times: [3], rates: { writes: [15] } })
  expect(latestRate(second, 'writes')).toBe(15)
})

test('a counter that went back or is missing leaves a gap', () => {
  let history = addSample(emptyHistory, 1_000, { writes: 100 })
  history = addSample(history, 2_000, { writes: 3 })
  history = addSample(history, 3_000, {})
  history = addSample(history, 4_000, { writes: 9 })
  history = addSample(history, 5_000, { writes: 10 })
  expect(history.rates.writes).toEqual([null, null, null, 1])
  expect(latestRate(addSample(history, 6_000, {}), 'writes')).toBeUndefined()
})

test('a counter that comes later has gaps before', () => {
  let history = addSample(emptyHistory, 1_000, { writes: 0 })
  history = addSample(history, 2_000, { writes: 1 })
  history = addSample(history, 3_000, { writes: 2, requests: 7 })
  history = addSample(history, 4_000, { writes: 3, requests: 9 })
  expect(history.rates).toEqual({ writes: [1, 1, 1], requests: [null, null, 2] })
})

test('a long silence is a gap, and a sample of the same moment is passed over', () => {
  const first = addSample(emptyHistory, 1_000, { writes: 0 })
  expect(addSample(first, 60_000, { writes: 600 }).rates.writes).toEqual([null])
  expect(addSample(first, 1_000, { writes: 9 })).toBe(first)
})

test('only the last minutes are kept, every column equally long', () => {
  let history = emptyHistory
  for (let i = 0; i <= pointsMax + 20; i++) history = addSample(history, (i + 1) * 1_000, { a: i, b: 2 * i })
  expect(history.times).toHaveLength(pointsMax)
  expect(history.rates.a).toHaveLength(pointsMax)
  expect(history.rates.b?.every((rate) => rate === 2)).toBe(true)
})
