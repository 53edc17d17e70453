import { expect, test } from 'vitest'
import { forEachAtOnce } from './at-once.ts'

test('all items are worked on once, and no more than allowed at a time', async () => {
  const done: number[] = []
  let underWay = 0
  let most = 0
  await forEachAtOnce([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    underWay++
    most = Math.max(most, underWay)
    await Promise.resolve()
    underWay--
    done.push(item)
  })
  expect(done).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(most).toBe(3)
})

test('a failure is told', async () => {
  const failing = forEachAtOnce([1, 2, 3], 2, async (item) => {
    if (item === 2) throw new Error('no item 2')
  })
  await expect(failing).rejects.toThrow('no item 2')
})
