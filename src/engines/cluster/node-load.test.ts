import { describe, expect, test } from 'vitest'
import { NodeLoad } from './node-load.ts'

describe('the cost of asking a node', () => {
  test('is lower for the nearer one, and grows with the calls under way', () => {
    const near = new NodeLoad(1, 0)
    const far = new NodeLoad(20, 0)
    expect(near.cost(0, 0)).toBeLessThan(far.cost(0, 0))
    expect(near.cost(30, 0)).toBeGreaterThan(far.cost(0, 0))
  })

  test('rises with one slow answer and falls with many fast ones', () => {
    const load = new NodeLoad(1, 0)
    load.answered(100, 0)
    expect(load.cost(0, 0)).toBe(100)
    load.answered(1, 0)
    expect(load.cost(0, 0)).toBeGreaterThan(50)
    for (let i = 0; i < 50; i++) load.answered(1, 0)
    expect(load.cost(0, 0)).toBeCloseTo(1, 1)
  })

  test('is forgotten with time, so that a node that was slow once is asked again', () => {
    const slow = new NodeLoad(1_000, 0)
    const other = new NodeLoad(2, 60_000)
    expect(slow.cost(0, 60_000)).toBeLessThan(other.cost(0, 60_000))
  })
})
