import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { createFailureDetector, type FailureDetectorOptions } from './failure-detector.ts'
import { PhiAccrualDetector } from './phi-accrual.ts'

const kinds: readonly FailureDetectorOptions[] = [{ kind: 'fixed' }, { kind: 'phi-accrual' }]

/** Heartbeats for `seconds`, each late by a random time; tells when the last one came. */
function feed(detector: ReturnType<typeof createFailureDetector>, seconds: number, jitterMs: number): number {
  const random = new SeededRandom('heartbeats')
  let lastMs = 0
  for (let i = 1; i <= seconds; i++) {
    lastMs = Math.max(lastMs, i * 1_000 + random.float() * jitterMs)
    detector.heartbeat(lastMs)
  }
  return lastMs
}

describe.each(kinds)('the detector $kind', (options) => {
  test('suspects nobody of whom nothing was heard yet', () => {
    expect(createFailureDetector(options).isSuspected(1e9)).toBe(false)
  })

  test('suspects one that stopped, and for ever', () => {
    const detector = createFailureDetector(options)
    const lastMs = feed(detector, 100, 100)
    expect(detector.isSuspected(lastMs + 1_200)).toBe(false)
    for (const laterMs of [6_000, 60_000, 1e9]) expect(detector.isSuspected(lastMs + laterMs)).toBe(true)
  })

  test('takes the suspicion back with the next heartbeat', () => {
    const detector = createFailureDetector(options)
    const lastMs = feed(detector, 100, 100)
    expect(detector.isSuspected(lastMs + 10_000)).toBe(true)
    detector.heartbeat(lastMs + 10_000)
    expect(detector.isSuspected(lastMs + 10_100)).toBe(false)
  })

  test('only grows in suspicion while nothing comes', () => {
    const detector = createFailureDetector(options)
    const lastMs = feed(detector, 100, 300)
    let before = 0
    for (let ms = 0; ms < 20_000; ms += 10) {
      const now = detector.suspicion(lastMs + ms)
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
    }
  })
})

describe('the fixed time-out', () => {
  test('suspects at its time, no sooner and no later', () => {
    const detector = createFailureDetector({ kind: 'fixed', intervalMs: 2_000, missedMax: 3 })
    detector.heartbeat(5_000)
    expect(detector.isSuspected(10_999)).toBe(false)
    expect(detector.isSuspected(11_000)).toBe(true)
  })
})

describe('phi accrual', () => {
  test('is -log10 of the tail of the normal distribution', () => {
    // Mean 1,000, deviation 100 (the floor): one, two, three, six and ten deviations late.
    const detector = new PhiAccrualDetector({ windowSize: 4 })
    for (let i = 0; i <= 10; i++) detector.heartbeat(i * 1_000)
    const at = (deviations: number): number => detector.suspicion(11_000 + 100 * deviations)
    expect(at(0)).toBeCloseTo(-Math.log10(0.5), 6)
    expect(at(1)).toBeCloseTo(-Math.log10(0.15865525), 6)
    expect(at(3)).toBeCloseTo(-Math.log10(0.001349898), 6)
    expect(at(6)).toBeCloseTo(-Math.log10(9.8658765e-10), 4)
    expect(at(10)).toBeCloseTo(-Math.log10(7.619853e-24), 1)
    expect(at(1_000)).toBeGreaterThan(at(999))
  })

  test('waits longer where heartbeats come irregularly', () => {
    const regular = new PhiAccrualDetector()
    const irregular = new PhiAccrualDetector()
    const silenceOf = (detector: PhiAccrualDetector, lastMs: number): number => {
      let ms = 0
      while (!detector.isSuspected(lastMs + ms)) ms += 10
      return ms
    }
    expect(silenceOf(irregular, feed(irregular, 300, 900))).toBeGreaterThan(
      1.3 * silenceOf(regular, feed(regular, 300, 50)),
    )
  })

  test('bears the pause that it was told of', () => {
    const detector = new PhiAccrualDetector({ acceptablePauseMs: 3_000 })
    const lastMs = feed(detector, 100, 50)
    expect(detector.isSuspected(lastMs + 4_000)).toBe(false)
    expect(detector.isSuspected(lastMs + 5_000)).toBe(true)
  })

  test('does not learn from the silence after which it was wrong', () => {
    const detector = new PhiAccrualDetector()
    const lastMs = feed(detector, 50, 50)
    const before = detector.meanMs
    detector.heartbeat(lastMs + 600_000)
    expect(detector.meanMs).toBe(before)
  })
})

test('names what is not allowed', () => {
  expect(() => createFailureDetector({ kind: 'phi' as 'fixed' })).toThrow(/kind/)
  expect(() => createFailureDetector({ kind: 'fixed', missedMax: 0 })).toThrow(/missedMax/)
  expect(() => createFailureDetector({ kind: 'phi-accrual', windowSize: 1 })).toThrow(/windowSize/)
})
