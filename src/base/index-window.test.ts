import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IndexWindow } from './index-window.ts'

describe('a window over a sequence', () => {
  test('moves up with what is put in and taken out', () => {
    const window = new IndexWindow<string>()
    for (let index = 1_000; index < 11_000; index++) {
      window.set(index, `v${index}`)
      if (index >= 1_050) expect(window.take(index - 50)).toBe(`v${index - 50}`)
    }
    expect(window.size).toBe(50)
    expect([...window.values()]).toHaveLength(50)
    expect(window.get(10_949)).toBeUndefined()
    expect(window.get(10_950)).toBe('v10950')
    expect(window.get(11_000)).toBeUndefined()
  })

  test('behaves as a map with ordered keys does, whatever is put and taken', () => {
    const step = fc.record({ index: fc.nat(300), isTaken: fc.boolean(), base: fc.constantFrom(0, 40, 5_000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const window = new IndexWindow<number>()
        const model = new Map<number, number>()
        steps.forEach(({ index, isTaken, base }, i) => {
          const at = base + index
          if (isTaken) {
            expect(window.take(at)).toBe(model.get(at))
            model.delete(at)
          } else {
            window.set(at, i)
            model.set(at, i)
          }
          expect(window.size).toBe(model.size)
        })
        expect([...window.entries()]).toEqual([...model].toSorted(([a], [b]) => a - b))
        window.clear()
        expect([...window.values()]).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  test('has no place for what is no index', () => {
    expect(() => new IndexWindow<number>().set(-1, 1)).toThrow('whole number')
  })
})
