import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap } from './heap.ts'

test('pops what was pushed in rising order, whatever the order of pushes and pops', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer())), (steps) => {
      const heap = new Heap<number>((a, b) => a < b)
      const twin: number[] = []
      for (const pushed of steps) {
        if (pushed === null) expect(heap.pop()).toBe(twin.shift())
        else {
          heap.push(pushed)
          twin.push(pushed)
          twin.sort((a, b) => a - b)
        }
        expect(heap.peek()).toBe(twin[0])
        expect(heap.size).toBe(twin.length)
      }
    }),
  )
})

test('a cleared heap is empty', () => {
  const heap = new Heap<number>((a, b) => a < b)
  heap.push(1)
  heap.clear()
  expect(heap.pop()).toBeUndefined()
})
