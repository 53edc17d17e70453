import { describe, expect, test } from 'vitest'
import { HistoryPolicy, type HistoryState } from './history-policy.ts'

const gibibyte = 1024 ** 3
const small = { bytes: 1_000, historyBytes: 500, quotaBytes: gibibyte }

function state(revision: number, revisionsKept: number, more: Partial<HistoryState> = {}): HistoryState {
  return { ...small, revision, revisionsKept, ...more }
}

describe('history policy', () => {
  test('by number: compacts when half as many more have gathered as are to be kept', () => {
    const policy = new HistoryPolicy({ keepRevisions: 100, keepMs: 0 })
    expect(policy.due(state(1_000, 149), 0)).toBeUndefined()
    expect(policy.due(state(1_000, 150), 0)).toBe(900)
  })

  test('by age: compacts to the newest revision that was noted so long ago, and keeps what is younger', () => {
    const policy = new HistoryPolicy({ keepRevisions: 0, keepMs: 3_200 })
    expect(policy.lookEveryMs).toBe(100)
    for (let nowMs = 0; nowMs <= 3_000; nowMs += 50) policy.note(1 + nowMs / 50, nowMs)
    expect(policy.due(state(61, 60), 3_299)).toBeUndefined()
    expect(policy.due(state(61, 60), 3_300)).toBe(3)
    expect(policy.due(state(61, 58), 3_950)).toBe(15)
    expect(policy.due(state(61, 46), 9_999)).toBe(61)
    expect(policy.due(state(61, 0), 99_999)).toBeUndefined()
  })

  test('by age: a new leader takes all to be as young as its leadership', () => {
    const policy = new HistoryPolicy({ keepRevisions: 0, keepMs: 1_000 })
    policy.note(5, 0)
    policy.restart()
    policy.note(9, 900)
    expect(policy.due(state(9, 8), 1_800)).toBeUndefined()
    expect(policy.due(state(9, 8), 1_900)).toBe(9)
  })

  test('by size: a store that is nearly full gives up half of a large history, a full one all of it', () => {
    const policy = new HistoryPolicy({ keepRevisions: 1_000_000, keepMs: 0 })
    const nearlyFull = { bytes: 0.81 * gibibyte, historyBytes: 0.2 * gibibyte }
    expect(policy.due(state(5_000, 4_000, nearlyFull), 0)).toBe(3_000)
    expect(
      policy.due(state(5_000, 4_000, { ...nearlyFull, historyBytes: 0.05 * gibibyte }), 0),
    ).toBeUndefined()
    expect(policy.due(state(5_000, 4_000, { bytes: gibibyte, historyBytes: 1 }), 0)).toBe(5_000)
  })

  test('keeps everything where both bounds are 0', () => {
    const policy = new HistoryPolicy({ keepRevisions: 0, keepMs: 0 })
    policy.note(1, 0)
    expect(policy.due(state(5_000, 4_999, { bytes: gibibyte }), 1e12)).toBeUndefined()
  })

  test('remembers a bounded number of moments', () => {
    const policy = new HistoryPolicy({ keepRevisions: 0, keepMs: 3_200 })
    for (let nowMs = 0; nowMs < 1_000_000; nowMs += 10) {
      policy.note(nowMs, nowMs)
      policy.due(state(nowMs, 1_000), nowMs)
    }
    expect(policy.due(state(1_000_000, 1_000_000), 1_000_000)).toBeGreaterThan(1_000_000 - 3_200 - 200)
  })
})
