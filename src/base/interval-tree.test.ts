import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IntervalTree } from './interval-tree.ts'

const point = fc.integer({ min: 0, max: 12 })
const change = fc.record({
  start: point,
  end: fc.option(point, { freq: 5 }),
  isRemoval: fc.boolean(),
})

describe('interval tree', () => {
  test('finds the intervals that a list finds, whatever came and went', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
        const tree = new IntervalTree<number, string>()
        const list = new Map<string, { start: number; end: number | null }>()
        for (const { start, end, isRemoval } of changes) {
          const name = `${start}-${end}`
          if (isRemoval) expect(tree.delete(start, end)).toBe(list.delete(name))
          else {
            tree.set(start, end, name)
            list.set(name, { start, end })
          }
        }
        expect(tree.size).toBe(list.size)
        expect([...tree.values()].sort()).toEqual([...list.keys()].sort())
        for (let x = 0; x <= 13; x++) {
          const found: string[] = []
          tree.stab(x, (name) => found.push(name))
          const expected = [...list].filter(([, { start, end }]) => start <= x && (end === null || x < end))
          expect(found.sort()).toEqual(expected.map(([name]) => name).sort())
        }
        for (const [name, { start, end }] of list) expect(tree.get(start, end)).toBe(name)
      }),
      { numRuns: 500 },
    )
  })

  test('looks at few of 20,000 intervals, also when they come in order', () => {
    const tree = new IntervalTree<number, number>()
    for (let i = 0; i < 20_000; i++) tree.set(i * 10, i * 10 + 10, i)
    let comparisons = 0
    const counted = { [Symbol.toPrimitive]: () => (comparisons++, 100_005) } as unknown as number
    const found: number[] = []
    tree.stab(counted, (value) => found.push(value))
    expect(found).toEqual([10_000])
    expect(comparisons).toBeLessThan(200)
  })
})
