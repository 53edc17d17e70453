import { describe, expect, test } from 'vitest'
import { roundedSpread, spreadOf } from './statistics.ts'

describe('spread of several rounds', () => {
  test('an odd number of rounds has one middle', () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 })
  })

  test('an even number of rounds takes the mean of the two in the middle', () => {
    expect(spreadOf([4, 1, 2, 100])).toEqual({ median: 3, min: 1, max: 100 })
  })

  test('one round is its own median', () => {
    expect(spreadOf([7])).toEqual({ median: 7, min: 7, max: 7 })
  })

  test('no rounds have no median', () => {
    expect(() => spreadOf([])).toThrow(RangeError)
  })

  test('figures keep three significant digits', () => {
    expect(roundedSpread({ median: 5308.4, min: 0.012345, max: 99.96 })).toEqual({
      median: 5310,
      min: 0.0123,
      max: 100,
    })
  })
})
