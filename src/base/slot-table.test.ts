import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlotTable } from './slot-table.ts'

describe('a table of slots', () => {
  test('gives each value a number of its own, and gives it back once', () => {
    const table = new SlotTable<string>()
    const a = table.add('a')
    const b = table.add('b')
    expect(a).toBeGreaterThan(0)
    expect(b).toBeGreaterThan(a)
    expect([table.get(a), table.get(b), table.size]).toEqual(['a', 'b', 2])
    expect([table.take(a), table.take(a), table.get(a), table.size]).toEqual(['a', undefined, undefined, 1])
  })

  test('keeps what stays for long while thousands come and go', () => {
    const table = new SlotTable<string>()
    const kept = table.add('kept')
    const given = new Set([kept])
    for (let i = 0; i < 5_000; i++) {
      const id = table.add('passing')
      expect(given.has(id)).toBe(false)
      given.add(id)
      expect(table.take(id)).toBe('passing')
    }
    expect(table.get(kept)).toBe('kept')
    expect(table.get(table.skip())).toBeUndefined()
  })

  test('behaves as a map does, whatever is added and taken', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 600 }), (steps) => {
        const table = new SlotTable<number>()
        const model = new Map<number, number>()
        steps.forEach((step, i) => {
          const ids = [...model.keys()]
          if (step > 2 || ids.length === 0) {
            const id = table.add(i)
            expect(model.has(id)).toBe(false)
            model.set(id, i)
          } else {
            const id = ids[(step * i) % ids.length] as number
            expect(table.take(id)).toBe(model.get(id))
            model.delete(id)
          }
          expect(table.size).toBe(model.size)
        })
        for (const [id, value] of model) expect(table.get(id)).toBe(value)
        expect(table.takeAll()).toEqual([...model.values()])
        expect(table.size).toBe(0)
      }),
      { numRuns: 100 },
    )
  })
})
