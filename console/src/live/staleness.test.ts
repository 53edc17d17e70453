import { expect, test } from 'vitest'
import { staleness } from './staleness.ts'

test('services that the cluster confirms are not old, however long ago the snapshot came', () => {
  expect(staleness(null, 60_000)).toBeUndefined()
})

test('the last known services grow older between two snapshots', () => {
  expect(staleness({ ageMs: 12_000 }, 0)).toEqual({ ageMs: 12_000 })
  expect(staleness({ ageMs: 12_000 }, 800)).toEqual({ ageMs: 12_800 })
})

test('a browser clock that was set back makes them no younger', () => {
  expect(staleness({ ageMs: 12_000 }, -5_000)).toEqual({ ageMs: 12_000 })
})

test('a node that has not heard from the cluster since it started cannot say how old they are', () => {
  expect(staleness({}, 800)).toEqual({ ageMs: undefined })
})
