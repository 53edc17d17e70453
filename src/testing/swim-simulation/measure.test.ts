import { describe, expect, test } from 'vitest'
import type { Refinements } from '../../protocols/membership/types.ts'
import { measureDetection, measureWrongFailures, type SlowMembers } from './measure.ts'

const none: Refinements = { localHealth: false, dynamicSuspicion: false, buddy: false, stallAware: false }
const lifeguard: Refinements = { ...none, localHealth: true, dynamicSuspicion: true, buddy: true }

const slowGroup: SlowMembers = {
  size: 40,
  what: 'messages',
  slow: 4,
  blockedMs: 10_000,
  openMs: 500,
  forMs: 60_000,
}

/** The same on every machine: simulated time, seeded. */
describe('where some members are slow and nobody crashes', () => {
  const plain = measureWrongFailures(slowGroup, none, 1)

  test('Lifeguard takes fewer members for failed than plain SWIM, and less than a tenth of the healthy ones', () => {
    const full = measureWrongFailures(slowGroup, lifeguard, 1)
    expect(plain.ofHealthy).toBeGreaterThan(100)
    expect(full.ofHealthy).toBeLessThan(plain.ofHealthy / 10)
    expect(full.all).toBeLessThan(plain.all)
  })

  test('each of LHA-Probe and LHA-Suspicion by itself at least halves the failures of healthy members', () => {
    const probe = measureWrongFailures(slowGroup, { ...none, localHealth: true }, 1)
    const suspicion = measureWrongFailures(slowGroup, { ...none, dynamicSuspicion: true }, 1)
    expect(probe.ofHealthy).toBeLessThan(plain.ofHealthy / 2)
    expect(suspicion.ofHealthy).toBeLessThan(plain.ofHealthy / 2)
  })
})

describe('a crash in a quiet group of 100 members', () => {
  test('is known to all within five seconds when each probes every 200 ms, and nobody else is suspected', () => {
    const found = measureDetection(100, 5, 200)
    expect(found.knownP99Ms).toBeLessThan(5_000)
    expect(found.wrong).toBe(0)
  })
})
