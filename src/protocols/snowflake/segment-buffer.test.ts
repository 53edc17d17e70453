import fc from 'fast-check'
import { expect, test } from 'vitest'
import { longMs, SegmentBuffer, shortMs } from './segment-buffer.ts'

const segment = (first: number, count: number) => ({ first: BigInt(first), end: BigInt(first + count) })

test('asks for the next segment when a tenth of the present one is used', () => {
  const buffer = new SegmentBuffer({ min: 100, max: 1_000 })
  expect([buffer.wantsMore, buffer.next()]).toEqual([true, undefined])
  buffer.add(segment(1, 100), 0)
  for (let i = 1; i <= 9; i++) expect([buffer.next(), buffer.wantsMore]).toEqual([BigInt(i), false])
  expect([buffer.next(), buffer.wantsMore]).toEqual([10n, true])
  buffer.add(segment(500, 200), 1)
  expect(buffer.wantsMore).toBe(false)
  for (let i = 11; i <= 100; i++) buffer.next()
  expect([buffer.next(), buffer.left]).toEqual([500n, 199])
})

test('the step doubles after less than 15 minutes, halves after more than 30, stays between, and has bounds', () => {
  const buffer = new SegmentBuffer({ min: 100, max: 400 })
  let nowMs = 0
  const stepAfter = (ms: number): number => {
    nowMs += ms
    while (!buffer.wantsMore) buffer.next()
    buffer.add(segment(0, 100), nowMs)
    return buffer.step
  }
  expect(stepAfter(0)).toBe(100)
  expect([stepAfter(shortMs - 1), stepAfter(shortMs - 1), stepAfter(1)]).toEqual([200, 400, 400])
  expect([stepAfter(shortMs), stepAfter(longMs)]).toEqual([400, 400])
  expect([stepAfter(longMs + 1), stepAfter(longMs + 1), stepAfter(longMs + 1)]).toEqual([200, 100, 100])
})

test('gives every id of every segment once, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const buffer = new SegmentBuffer({ min: 1, max: 50 })
      const given: bigint[] = []
      let first = 0
      for (const size of sizes) {
        for (let id = buffer.wantsMore ? undefined : buffer.next(); id !== undefined; ) {
          given.push(id)
          id = buffer.wantsMore ? undefined : buffer.next()
        }
        buffer.add(segment(first, size), 0)
        first += size
      }
      for (let id = buffer.next(); id !== undefined; id = buffer.next()) given.push(id)
      expect(given).toEqual(Array.from({ length: first }, (_, i) => BigInt(i)))
    }),
  )
})
