import { describe, expect, test } from 'vitest'
import { belongsOn, type GroupDescriptor, isNeeded, isSettled, moveTo } from './group-descriptor.ts'

const settled: GroupDescriptor = {
  id: 2,
  name: 'orders',
  replicas: 3,
  members: [1, 2, 3],
  founders: [1, 2, 3],
  placed: [1, 2, 3],
  former: [],
}
const unreported: GroupDescriptor = { ...settled, placed: [] }
const nodes = [1, 2, 3, 4, 5]
const holders = (group: GroupDescriptor): number[] => nodes.filter((id) => belongsOn(group, id))
/** What the leader of group 1 writes when the group's leader has reported. */
const reported = (group: GroupDescriptor): GroupDescriptor => ({ ...group, placed: group.members })

describe('moving the copies of a group', () => {
  test('a copy that has to go stays until the leader of the group reports', () => {
    const moving = moveTo(settled, [1, 2, 4])
    expect(holders(moving)).toEqual([1, 2, 3, 4])
    expect(moving.former).toEqual([3])
    expect(holders(reported(moving))).toEqual([1, 2, 4])
  })

  test('a founder keeps its copy as long as no leader has ever reported: the first one needs its vote', () => {
    const moving = moveTo(moveTo(unreported, [1, 4]), [4, 5])
    expect(holders(moving)).toEqual([1, 2, 3, 4, 5])
    expect(holders(reported(moving))).toEqual([4, 5])
  })

  test('a newcomer that has to go again before the leader reported keeps its copy: it may vote by then', () => {
    const moving = moveTo(moveTo(settled, [2, 3, 4]), [2, 3, 5])
    expect(holders(moving)).toEqual([1, 2, 3, 4, 5])
    expect(holders(reported(moving))).toEqual([2, 3, 5])
  })

  test('back among those that the leader reported last, they are still to be reported anew', () => {
    const back = moveTo(moveTo(settled, [1, 2, 3, 4]), [1, 2, 3])
    expect(isSettled(back)).toBe(false)
    expect(isSettled(reported(back))).toBe(true)
  })
})

describe('a member that does not answer and is to leave', () => {
  test('may go when the others of every group are a majority', () => {
    expect(isNeeded(settled, 3, new Set([1, 2]))).toBe(false)
    expect(isNeeded(settled, 3, new Set([1]))).toBe(true)
    expect(isNeeded(settled, 4, new Set([1]))).toBe(false)
  })

  test('must stay while copies move, for nobody here knows who votes by then', () => {
    const moving = moveTo(settled, [3, 4])
    expect([1, 2, 3, 4, 5].filter((id) => isNeeded(moving, id, new Set(nodes)))).toEqual([1, 2, 3, 4])
    expect(isNeeded(unreported, 3, new Set([1, 2]))).toBe(true)
    expect(isNeeded(reported(moving), 2, new Set([3, 4]))).toBe(false)
  })
})
