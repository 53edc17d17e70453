import { expect, test } from 'vitest'
import { canDecide, riskOf } from './quorum-safety.ts'

const risk = (voters: number[], target: number[], answering: number[]): string | undefined =>
  riskOf({ voters, target, answering: new Set(answering) })

test('taking one of three healthy voters away is no risk, nor is taking a dead one away', () => {
  expect(risk([1, 2, 3], [1, 2], [1, 2, 3])).toBeUndefined()
  expect(risk([1, 2, 3], [1, 2], [1, 2])).toBeUndefined()
  expect(risk([1, 2, 3, 4, 5], [1, 2, 3, 4], [1, 2, 3, 4])).toBeUndefined()
})

test('a change after which no majority would answer is refused, and the one to bring back is named', () => {
  expect(risk([1, 2, 3], [1, 3], [1, 2])).toMatch(/of the 2 voters left only 1 would answer.*node 3/)
})

test('taking a healthy voter while another is down is refused when one more failure would stop the cluster', () => {
  expect(risk([1, 2, 3, 4, 5], [1, 2, 3, 5], [1, 2, 3, 4])).toMatch(
    /node 5 does not answer.*one more failure/,
  )
  expect(risk([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 7], [1, 2, 3, 4, 5, 6])).toBeUndefined()
})

test('without a majority now nothing can be changed', () => {
  expect(risk([1, 2, 3], [1], [1])).toMatch(/only 1 of 3 voters answer, 2 are needed/)
})

test('a cluster without voters is refused', () => {
  expect(risk([1], [], [1])).toMatch(/no voter would be left/)
})

test('voters can decide while a majority of them follows, whoever else does', () => {
  expect(canDecide([1, 2], new Set([1, 2, 3]))).toBe(true)
  expect(canDecide([1, 2], new Set([1, 3]))).toBe(false)
  expect(canDecide([1, 2, 4], new Set([1, 3, 4]))).toBe(true)
})
