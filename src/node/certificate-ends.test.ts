import { expect, test } from 'vitest'
import { wallMsOf } from './certificate-ends.ts'

test.each([
  ['Jan  1 00:00:00 1970 GMT', 0],
  ['Feb 29 12:00:00 2024 GMT', 1_709_208_000_000],
  ['Mar  1 00:00:00 2024 GMT', 1_709_251_200_000],
  ['Dec 31 23:59:59 2099 GMT', 4_102_444_799_000],
])('the end of a certificate, %s, is %i', (text, wallMs) => {
  expect(wallMsOf(text)).toBe(wallMs)
})

test('another form of time is refused', () => {
  expect(() => wallMsOf('2026-11-21')).toThrow(/validTo/)
})
