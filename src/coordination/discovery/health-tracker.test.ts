import { describe, expect, test } from 'vitest'
import { HealthTracker } from './health-tracker.ts'

const thresholds = { unhealthyAfter: 3, healthyAfter: 2, flapChangesMax: 2, flapWindowMs: 10_000 }

/** Feeds results one second apart ('+' success, '-' failure), and tells the state after each. */
function states(tracker: HealthTracker, results: string, startMs = 0): string {
  return [...results]
    .map((result, index) => {
      tracker.record({ ok: result === '+', atMs: 0 }, startMs + index * 1_000)
      const { state, flapping } = tracker.health
      return flapping ? 'F' : state === 'healthy' ? 'h' : state === 'unhealthy' ? 'u' : '?'
    })
    .join('')
}

describe('health tracker', () => {
  test('is unhealthy after 3 failures in a row and healthy after 2 successes in a row', () => {
    expect(states(new HealthTracker('healthy', thresholds), '--+---+-++')).toBe('hhhhhuuuuh')
  })

  test('knows nothing until the first verdict', () => {
    expect(states(new HealthTracker('unknown', thresholds), '++')).toBe('?h')
    expect(states(new HealthTracker('unknown', thresholds), '-+---')).toBe('????u')
  })

  test('holds an instance that flaps at unhealthy until it was quiet for a whole window', () => {
    const tracker = new HealthTracker('healthy', thresholds)
    //                       u    h     u: the third change within 10 s
    expect(states(tracker, '---++---')).toBe('hhuuhhhF')
    expect(tracker.health.state).toBe('unhealthy')
    //           healthy again at 9 s, quiet from then on
    expect(states(tracker, '++++++++++++', 8_000)).toBe('FFFFFFFFFFFh')
  })

  test('says when the health that others see has changed', () => {
    const tracker = new HealthTracker('healthy', thresholds)
    const changed = [1, 2, 3, 4].map((n) => tracker.record({ ok: false, atMs: n }, n))
    expect(changed).toEqual([false, false, true, false])
  })

  test('keeps the last eight results, newest first', () => {
    const tracker = new HealthTracker('healthy', thresholds)
    for (let n = 1; n <= 12; n++) tracker.record({ ok: true, atMs: n }, n)
    expect(tracker.health.results.map(({ atMs }) => atMs)).toEqual([12, 11, 10, 9, 8, 7, 6, 5])
  })
})
