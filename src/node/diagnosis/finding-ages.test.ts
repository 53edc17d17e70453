import { describe, expect, test } from 'vitest'
import { FindingAges, withKnownAges } from './finding-ages.ts'
import { ok, problem, warning } from './finding.ts'

const slow = warning('disk', 'a write takes 20 ms', 'look', { node: 2 })
const slower = problem('disk', 'a write takes 200 ms', 'look', { node: 2 })

describe('the ages of findings', () => {
  test('run from the first time that a thing was wrong, however bad it is, and begin anew once it was well', () => {
    const ages = new FindingAges()
    expect(ages.add([slow], 1_000)).toEqual([{ ...slow, forMs: 0 }])
    expect(ages.add([slower], 31_000)).toEqual([{ ...slower, forMs: 30_000 }])
    const well = ok('disk', 'a write takes 1 ms', { node: 2 })
    expect(ages.add([well], 32_000)).toEqual([well])
    expect(ages.add([slow], 40_000)).toEqual([{ ...slow, forMs: 0 }])
  })

  test('are those that the finding measured itself, where it did', () => {
    const silent = problem('cluster', 'node 3 does not answer', 'look', { node: 3, forMs: 5_000 })
    expect(new FindingAges().add([silent], 1_000)).toEqual([silent])
  })

  test('tell apart members, and the groups and files of one member', () => {
    const ages = new FindingAges()
    ages.add([warning('quota', 'a', 'x', { subject: 'one' })], 0)
    const found = ages.add(
      [warning('quota', 'a', 'x', { subject: 'one' }), warning('quota', 'b', 'x', { subject: 'two' })],
      100,
    )
    expect(found.map(({ forMs }) => forMs)).toEqual([100, 0])
  })

  test('are taken over from whoever has looked for longest', () => {
    const known = [
      { ...slower, forMs: 60_000 },
      { ...slow, forMs: 90_000 },
    ]
    expect(withKnownAges([slow], known)).toEqual([{ ...slow, forMs: 90_000 }])
    expect(withKnownAges([ok('disk', 'fine', { node: 2 })], known)).toEqual([ok('disk', 'fine', { node: 2 })])
  })
})
