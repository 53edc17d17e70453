import { describe, expect, test } from 'vitest'
import { Lessor } from './lessor.ts'

function leading(...leases: [lease: number, ttlMs: number][]): Lessor {
  const lessor = new Lessor()
  lessor.promote(
    leases.map(([lease, ttlMs]) => ({ lease, ttlMs })),
    0,
  )
  return lessor
}

function atMost(max: number): () => boolean {
  let taken = 0
  return () => taken++ < max
}

describe('Lessor', () => {
  test('a lease is due when its time is over, and not a moment before', () => {
    const lessor = leading([1, 1_000], [2, 500])
    expect(lessor.nextDeadlineMs()).toBe(500)
    expect(lessor.due(499, atMost(10))).toEqual([])
    expect(lessor.due(500, atMost(10))).toEqual([2])
    expect(lessor.nextDeadlineMs()).toBe(1_000)
  })

  test('a renewal starts the time anew', () => {
    const lessor = leading([1, 1_000])
    expect(lessor.renewed(1, 900)).toBe(1_000)
    expect(lessor.due(1_899, atMost(10))).toEqual([])
    expect(lessor.remainingMs(1, 1_899)).toBe(1)
    expect(lessor.due(1_900, atMost(10))).toEqual([1])
  })

  test('a lease that is due is handed out once, and cannot be renewed', () => {
    const lessor = leading([1, 1_000])
    expect(lessor.due(1_000, atMost(10))).toEqual([1])
    expect(lessor.due(5_000, atMost(10))).toEqual([])
    expect(lessor.renewed(1, 1_001)).toBeUndefined()
    expect(lessor.remainingMs(1, 5_000)).toBe(0)
  })

  test('after a failed expiry the lease is due again, and can be renewed', () => {
    const lessor = leading([1, 1_000], [2, 1_000])
    expect(lessor.due(1_000, atMost(10))).toEqual([1, 2])
    lessor.expiryFailed([1, 2])
    expect(lessor.renewed(1, 1_100)).toBe(1_000)
    expect(lessor.due(1_100, atMost(10))).toEqual([2])
    expect(lessor.due(2_100, atMost(10))).toEqual([1])
  })

  test('an ended lease is neither due nor renewable, and a failed expiry does not bring it back', () => {
    const lessor = leading([1, 1_000])
    lessor.due(1_000, atMost(10))
    lessor.ended(1)
    lessor.expiryFailed([1])
    expect(lessor.due(9_000, atMost(10))).toEqual([])
    expect(lessor.renewed(1, 9_000)).toBeUndefined()
    expect(lessor.remainingMs(1, 9_000)).toBeUndefined()
    expect(lessor.nextDeadlineMs()).toBeUndefined()
  })

  test('a new leader gives every lease its full time anew', () => {
    const lessor = leading([1, 1_000])
    lessor.demote()
    expect(lessor.isMeasuring).toBe(false)
    expect(lessor.due(9_000, atMost(10))).toEqual([])
    expect(lessor.renewed(1, 9_000)).toBeUndefined()
    lessor.promote([{ lease: 1, ttlMs: 1_000 }], 9_000)
    expect(lessor.due(9_999, atMost(10))).toEqual([])
    expect(lessor.due(10_000, atMost(10))).toEqual([1])
  })

  test('hands out at most as many as asked, the longest overdue first', () => {
    const lessor = leading([1, 300], [2, 100], [3, 200])
    expect(lessor.due(1_000, atMost(2))).toEqual([2, 3])
    expect(lessor.due(1_000, atMost(2))).toEqual([1])
  })

  test('keeps time for 100,000 leases of which half end and a quarter are renewed', () => {
    const lessor = leading()
    for (let lease = 1; lease <= 100_000; lease++) lessor.granted(lease, 1_000 + lease, 0)
    for (let lease = 1; lease <= 100_000; lease += 2) lessor.ended(lease)
    for (let lease = 4; lease <= 100_000; lease += 4) lessor.renewed(lease, 900_000)
    const first = lessor.due(900_000, atMost(100_000))
    expect(first.length).toBe(25_000)
    expect(first.every((lease) => lease % 4 === 2)).toBe(true)
    expect(lessor.due(2_000_000, atMost(100_000)).length).toBe(25_000)
  })
})
