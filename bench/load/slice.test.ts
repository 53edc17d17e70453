import { expect, test } from 'vitest'
import { runSlice } from './slice.ts'

test('each caller makes its next call when the last one was answered', async () => {
  const turns = new Map<number, number[]>()
  let underWay = 0
  let most = 0
  await runSlice(3, 20, async (caller, turn) => {
    most = Math.max(most, ++underWay)
    turns.set(caller, [...(turns.get(caller) ?? []), turn])
    await new Promise((resolve) => setImmediate(resolve))
    underWay--
  })
  expect(most).toBe(3)
  expect([...turns.keys()].sort()).toEqual([0, 1, 2])
  for (const seen of turns.values()) expect(seen).toEqual(seen.map((_, turn) => turn))
})

test('a failed call is told and is no part of the rate', async () => {
  const { operationsPerSecond, failures, failure } = await runSlice(1, 20, async () => {
    await new Promise((resolve) => setImmediate(resolve))
    throw new Error('no such server')
  })
  expect(operationsPerSecond).toBe(0)
  expect(failures).toBeGreaterThan(0)
  expect(failure).toContain('no such server')
})
