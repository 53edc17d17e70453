import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../contracts/errors.ts'
import { LoginGuard } from './login-guard.ts'

class HandClock {
  nowMs = 0
  monotonicMs(): number {
    return this.nowMs
  }
  wallMs(): number {
    return this.nowMs
  }
}

function waitMs(guard: LoginGuard, address: string): number {
  try {
    guard.admit(address)
    return 0
  } catch (error) {
    if (isAlthingError(error, 'overloaded')) return error.details?.['retryAfterMs'] as number
    throw error
  }
}

describe('an address that fails to sign in', () => {
  test('has five tries, then waits, twice as long each time and a minute at most', () => {
    const clock = new HandClock()
    const guard = new LoginGuard(clock)
    for (let i = 0; i < 5; i++) guard.failed('10.0.0.1:999')
    expect(waitMs(guard, '10.0.0.1:1000')).toBe(0)
    const waits: number[] = []
    for (let i = 0; i < 9; i++) {
      guard.failed('10.0.0.1:1000')
      waits.push(waitMs(guard, '10.0.0.1:1001'))
      clock.nowMs += waits.at(-1) ?? 0
      expect(waitMs(guard, '10.0.0.1:1001')).toBe(0)
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    expect(waitMs(guard, '10.0.0.2:1000')).toBe(0)
  })

  test('begins anew once it has succeeded, or kept quiet for a quarter of an hour', () => {
    const clock = new HandClock()
    const guard = new LoginGuard(clock)
    for (let i = 0; i < 7; i++) guard.failed('[::1]:1')
    expect(waitMs(guard, '[::1]:2')).toBe(1_000)
    guard.succeeded('[::1]:3')
    expect(waitMs(guard, '[::1]:2')).toBe(0)
    for (let i = 0; i < 7; i++) guard.failed('[::1]:1')
    clock.nowMs += 16 * 60_000
    guard.failed('[::1]:1')
    expect(waitMs(guard, '[::1]:2')).toBe(0)
  })

  test('is one of a bounded number remembered', () => {
    const guard = new LoginGuard(new HandClock())
    for (let i = 0; i < 7; i++) guard.failed('first:1')
    for (let i = 0; i < 10_000; i++) guard.failed(`host-${i}:1`)
    expect(waitMs(guard, 'first:1')).toBe(0)
  })
})
