import { describe, expect, test } from 'vitest'
import { actingLeaders } from './acting-leaders.ts'
import type { GroupDescriptor } from './group-descriptor.ts'

const group = (id: number, ...members: number[]): GroupDescriptor => ({
  id,
  name: `g${id}`,
  replicas: members.length,
  members,
  founders: members,
  placed: members,
  former: [],
})
const six = [
  group(2, 1, 2, 3),
  group(3, 2, 1, 3),
  group(4, 3, 1, 2),
  group(5, 1, 2, 3),
  group(6, 2, 1, 3),
  group(7, 3, 1, 2),
]

describe('who should lead now', () => {
  test('while all members are there the first of each group', () => {
    const acting = actingLeaders(six, () => true)
    expect(six.map(({ id }) => acting.get(id))).toEqual([1, 2, 3, 1, 2, 3])
  })

  test('the groups of a member that is away go to the others evenly, and no other group changes', () => {
    const acting = actingLeaders(six, (id) => id !== 3)
    expect(six.map(({ id }) => acting.get(id))).toEqual([1, 2, 1, 1, 2, 2])
  })

  test('those who lead much already get less, whatever the order in which groups are listed', () => {
    const uneven = [group(5, 3, 1, 2), group(2, 1, 2, 3), group(3, 1, 2, 3), group(4, 3, 1, 2)]
    for (const groups of [uneven, [...uneven].reverse()]) {
      const acting = actingLeaders(groups, (id) => id !== 3)
      expect([4, 5].map((id) => acting.get(id))).toEqual([2, 2])
    }
  })

  test('only a member of the group stands in, and nobody where all are away', () => {
    const acting = actingLeaders([group(2, 3, 4), group(3, 3)], (id) => id !== 3)
    expect([...acting]).toEqual([[2, 4]])
  })
})
