import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../contracts/errors.ts'
import { RateLimits } from './rate-limits.ts'

class HandClock {
  nowMs = 0
  monotonicMs(): number {
    return this.nowMs
  }
  wallMs(): number {
    return this.nowMs
  }
}

/** 0: it was allowed. */
function waitMs(limits: RateLimits, caller: string, bytes = 0): number {
  try {
    limits.take(caller, bytes)
    return 0
  } catch (error) {
    if (!isAlthingError(error, 'overloaded')) throw error
    expect(error.outcome).toBe('none')
    return error.details?.['retryAfterMs'] as number
  }
}

describe('a rate limit', () => {
  test("lets a second's worth come at once, then one by one as time goes by, and says when", () => {
    const clock = new HandClock()
    const limits = new RateLimits(clock, { requestsPerSecond: 4 })
    expect([1, 2, 3, 4].map(() => waitMs(limits, 'ann'))).toEqual([0, 0, 0, 0])
    expect(waitMs(limits, 'ann')).toBe(250)
    clock.nowMs += 249
    expect(waitMs(limits, 'ann')).toBe(1)
    clock.nowMs += 1
    expect(waitMs(limits, 'ann')).toBe(0)
    expect(waitMs(limits, 'ann')).toBe(250)
    clock.nowMs += 3_600_000
    expect([1, 2, 3, 4].map(() => waitMs(limits, 'ann'))).toEqual([0, 0, 0, 0])
    expect(waitMs(limits, 'ann')).toBe(250)
  })

  test('of one caller is nothing to another', () => {
    const limits = new RateLimits(new HandClock(), { requestsPerSecond: 1 })
    expect(waitMs(limits, 'ann')).toBe(0)
    expect(waitMs(limits, 'ann')).toBe(1_000)
    expect(waitMs(limits, 'bob')).toBe(0)
  })

  test('in bytes lets a larger request pass when nothing is owed, and has the rest paid for', () => {
    const clock = new HandClock()
    const limits = new RateLimits(clock, { bytesPerSecond: 1_000 })
    expect(waitMs(limits, 'ann', 5_000)).toBe(0)
    expect(waitMs(limits, 'ann', 1)).toBe(4_001)
    clock.nowMs += 4_001
    expect(waitMs(limits, 'ann', 1)).toBe(0)
  })

  test('forgets who was heard longest ago, so that callers cannot fill the memory', () => {
    const limits = new RateLimits(new HandClock(), { requestsPerSecond: 1 })
    expect(waitMs(limits, 'first')).toBe(0)
    for (let i = 0; i < 10_000; i++) waitMs(limits, `caller-${i}`)
    expect(waitMs(limits, 'caller-9999')).toBe(1_000)
    expect(waitMs(limits, 'first')).toBe(0)
  })

  test('that makes no sense is refused', () => {
    for (const options of [
      { requestsPerSecond: 0 },
      { bytesPerSecond: -1 },
      { requestsPerSecond: Number.NaN },
    ])
      expect(() => new RateLimits(new HandClock(), options)).toThrow(/invalid|but must be|> 0/)
  })
})
