import { describe, expect, test } from 'vitest'
import { type Figure, ratioOf, reportOf, tableOfFigures, verdictOf } from './figure.ts'

const rate = (ours: number[], peer: number[]): Figure => ({
  name: 'put, 64 clients',
  unit: 'op/s',
  better: 'more',
  ours,
  peer,
  goal: { must: 2, aim: 3 },
})
const latency = (ours: number[], peer: number[]): Figure => ({
  ...rate(ours, peer),
  better: 'less',
  goal: { must: 0.6 },
})

describe('a figure of both sides', () => {
  test('is compared round by round: a machine that was slow for one round spoils only that one', () => {
    // The medians of the sides alone would say 100 / 60.
    expect(ratioOf(rate([100, 300, 90], [50, 100, 60]))).toBe(2)
  })

  test('has no ratio when a side was not measured', () => {
    expect(ratioOf(rate([1, 2], []))).toBeNull()
    expect(verdictOf(rate([1, 2], []))).toBe('')
  })

  test.each([
    [rate([30], [10]), 'aim'],
    [rate([29], [10]), 'must'],
    [rate([19], [10]), 'no'],
    [latency([6], [10]), 'must'],
    [latency([6.1], [10]), 'no'],
  ] as const)('meets its goals in the direction that is better', (figure, verdict) => {
    expect(verdictOf(figure)).toBe(verdict)
  })

  test('says in its table and in its report what was asked and whether it is met', () => {
    const figures = [rate([30, 32, 31], [10, 10, 10]), latency([9], [10])]
    const [head, first, second] = tableOfFigures(figures).split('\n')
    expect(head).toMatch(/ours +peer +ours\/peer +must +aim +met/)
    expect(first).toMatch(/3\.10 +>= 2 +>= 3 +yes \(aim\)/)
    expect(second).toMatch(/0\.90 +<= 0\.6 +NO/)
    expect(reportOf(figures[1] as Figure)).toMatchObject({ ratio: 0.9, must: 0.6, aim: null, met: 'no' })
  })
})
