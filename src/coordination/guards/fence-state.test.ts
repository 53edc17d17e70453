import { expect, test } from 'vitest'
import type { FenceStamp } from '../fencing.ts'
import { admit, type FenceState, initialFenceState } from './fence-state.ts'

function after(...stamps: readonly FenceStamp[]): FenceState | undefined {
  return stamps.reduce<FenceState | undefined>(
    (state, stamp) => (state === undefined ? undefined : admit(state, stamp)),
    initialFenceState,
  )
}

const member = (token: number, asOf: number, ...live: number[]): FenceStamp => ({
  token,
  kind: 'member',
  asOf,
  live,
})

test('a holder is refused once a later one was here, and may come again until then', () => {
  expect(after({ token: 5 }, { token: 5 }, { token: 7 })).toMatchObject({ exclusive: 7 })
  expect(after({ token: 5 }, { token: 7 }, { token: 5 })).toBeUndefined()
})

test('readers do not refuse each other, in whatever order they come', () => {
  expect(after({ token: 6, kind: 'shared' }, { token: 5, kind: 'shared' })).toBeDefined()
})

test('a reader is refused after a later writer, and a writer after a later reader', () => {
  expect(after({ token: 5, kind: 'shared' }, { token: 7 }, { token: 5, kind: 'shared' })).toBeUndefined()
  expect(after({ token: 5 }, { token: 6, kind: 'shared' }, { token: 5 })).toBeUndefined()
  expect(after({ token: 5 }, { token: 6, kind: 'shared' }, { token: 7 })).toBeDefined()
})

test('of those with permits who is gone is refused, though an earlier one still holds', () => {
  const a = member(10, 10, 10)
  const b = member(11, 11, 10, 11)
  const c = member(12, 15, 10, 12)
  expect(after(a, b, a, b, c, a, c)).toBeDefined()
  expect(after(a, b, c, b)).toBeUndefined()
})

test('one that took its permits at the same time as another, and looked before it, is on its list', () => {
  // Both waited for 9; 11 read the line at revision 21, 10 at 22.
  const early = member(11, 21, 10, 11)
  const late = member(10, 22, 10, 11)
  expect(after(late, early, late, early)).toBeDefined()
})
