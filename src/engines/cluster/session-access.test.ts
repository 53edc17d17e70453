import { describe, expect, test } from 'vitest'
import { AccessControl } from '../../access/access-control.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { RateLimits } from '../../access/rate-limits.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import { SessionAccess } from './session-access.ts'

const clock = { monotonicMs: () => 0, wallMs: () => 0 }
const timers = { after: () => ({ cancel: () => {} }) }

function session(ref: PrincipalRef, isCountedElsewhere = false): SessionAccess {
  const limits = new RateLimits(clock, { requestsPerSecond: 2 })
  const control = new AccessControl({
    world: { clock, timers } as unknown as ConstructorParameters<typeof AccessControl>[0]['world'],
    applied: { range: () => ({ kvs: [], more: false, count: 0, revision: 0 }) },
    barrier: (done) => done(),
  })
  return new SessionAccess({
    control,
    limits,
    origin: { remoteAddress: '10.0.0.1:5' },
    ref,
    isCountedElsewhere,
  })
}

function taken(access: SessionAccess): number {
  for (let i = 0; i < 10; i++) {
    try {
      access.take(1)
    } catch (error) {
      if (isAlthingError(error, 'overloaded')) return i
      throw error
    }
  }
  return 10
}

describe('the rate limit of a connection', () => {
  test('counts its caller, and neither a node nor one for whom a node speaks that has counted it', () => {
    expect(taken(session(['anonymous']))).toBe(2)
    expect(taken(session(['node']))).toBe(10)
    expect(taken(session(['token', 'a'], true))).toBe(10)
  })
})
