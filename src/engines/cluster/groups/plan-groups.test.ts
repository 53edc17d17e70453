import { describe, expect, test } from 'vitest'
import { type GroupDescriptor, isSettled, released } from './group-descriptor.ts'
import { type Place, placeGroup, planGroups } from './plan-groups.ts'

const places = (...ids: number[]): Place[] => ids.map((id) => ({ id, isAvailable: true }))

/** Creates so many groups, one after the other. */
function created(count: number, on: readonly Place[], replicas = 3): GroupDescriptor[] {
  const groups: GroupDescriptor[] = []
  for (let id = 2; id < count + 2; id++) {
    const members = placeGroup(groups, on, replicas)
    groups.push({ id, name: `g${id}`, replicas, members, founders: members, placed: members, former: [] })
  }
  return groups
}

/** Plans and carries out until nothing changes. Fails when that has no end. */
function settled(groups: readonly GroupDescriptor[], on: readonly Place[]): GroupDescriptor[] {
  let now = [...groups]
  for (let step = 0; step < 500; step++) {
    const changed = planGroups(now, on)
    if (changed.length === 0) return now
    now = now.map((group) => {
      const next = changed.find(({ id }) => id === group.id) ?? group
      return { ...next, placed: next.members }
    })
  }
  return expect.fail('the plan never comes to rest')
}

const count = (groups: readonly GroupDescriptor[], of: (group: GroupDescriptor) => readonly number[]) => {
  const counts = new Map<number, number>()
  for (const id of groups.flatMap(of)) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
const spread = (counts: ReadonlyMap<number, number>, on: readonly Place[]): number => {
  const all = on.map(({ id }) => counts.get(id) ?? 0)
  return Math.max(...all) - Math.min(...all)
}

describe('placing', () => {
  test('new groups go where the fewest copies are, and leaders to where the fewest lead', () => {
    const on = places(1, 2, 3, 4, 5)
    const groups = created(50, on)
    expect(groups.every(({ members }) => new Set(members).size === 3)).toBe(true)
    expect(
      spread(
        count(groups, ({ members }) => members),
        on,
      ),
    ).toBeLessThanOrEqual(1)
    expect(
      spread(
        count(groups, ({ members }) => [members[0] as number]),
        on,
      ),
    ).toBeLessThanOrEqual(2)
    expect(planGroups(settled(groups, on), on)).toEqual([])
  })

  test('a small cluster gives as many copies as it has members, and none to those that do not answer', () => {
    expect(placeGroup([], places(1, 2), 3)).toHaveLength(2)
    expect(placeGroup([], [...places(1, 2, 3), { id: 4, isAvailable: false }], 4)).not.toContain(4)
  })
})

describe('planning', () => {
  test('settled groups on the members that there are need nothing', () => {
    const groups = created(9, places(1, 2, 3))
    expect(planGroups(groups, places(1, 2, 3))).toEqual([])
  })

  test('copies of a member that is gone move to others, never back to one that had it, evenly', () => {
    const groups = created(20, places(1, 2, 3, 4))
    const on = places(1, 2, 4, 5)
    const after = settled(groups, on)
    for (const { members, former } of after) {
      expect(members).toHaveLength(3)
      expect(members).not.toContain(3)
      expect(members.some((id) => former.includes(id))).toBe(false)
    }
    expect(
      spread(
        count(after, ({ members }) => members),
        on,
      ),
    ).toBeLessThanOrEqual(2)
    expect(
      spread(
        count(after, ({ members }) => [members[0] as number]),
        on,
      ),
    ).toBeLessThanOrEqual(1)
  })

  test('a member that comes gets its share of copies and of leaders', () => {
    const on = places(1, 2, 3, 4, 5, 6)
    const after = settled(created(30, places(1, 2, 3)), on)
    expect(
      spread(
        count(after, ({ members }) => members),
        on,
      ),
    ).toBeLessThanOrEqual(1)
    expect(
      spread(
        count(after, ({ members }) => [members[0] as number]),
        on,
      ),
    ).toBeLessThanOrEqual(1)
  })

  test('one copy moves at a time, and none while another is on its way', () => {
    const groups = created(10, places(1, 2, 3))
    const on = places(1, 2, 3, 4, 5)
    const changed = planGroups(groups, on)
    expect(changed).toHaveLength(1)
    const underWay = groups.map((group) => changed.find(({ id }) => id === group.id) ?? group)
    expect(underWay.every(isSettled)).toBe(false)
    expect(planGroups(underWay, on)).toEqual([])
  })

  test('a member that has not given up its copy yet gets none, one that has may', () => {
    const [group] = settled(created(1, places(1, 2, 3)), places(1, 2, 4))
    expect(group).toMatchObject({ members: [1, 2, 4], former: [3] })
    expect(settled([group as GroupDescriptor], places(1, 2, 3))[0]?.members).toEqual([1, 2])
    const given = released(group as GroupDescriptor, 3)
    expect(settled([given], places(1, 2, 3))[0]?.members).toEqual([1, 2, 3])
  })

  test('members come and go, and come again: every group always has the copies it wants', () => {
    const sets = [places(1, 2, 3), places(1, 2, 3, 4, 5), places(2, 4, 5), places(1, 3, 5), places(1, 2, 3)]
    let groups = created(12, places(1, 2, 3))
    for (const on of [...sets, ...sets]) {
      groups = settled(groups, on).map((group) => group.former.reduce(released, group))
      expect(groups.every(({ members }) => members.length === 3)).toBe(true)
      expect(
        spread(
          count(groups, ({ members }) => members),
          on,
        ),
      ).toBeLessThanOrEqual(1)
    }
  })

  test('a member that does not answer keeps its copies and its right to lead', () => {
    const groups = created(6, places(1, 2, 3))
    expect(planGroups(groups, [...places(1, 2), { id: 3, isAvailable: false }])).toEqual([])
  })

  test('a group made in a small cluster grows to the copies it wants', () => {
    const [group] = created(1, places(1))
    expect(group?.members).toEqual([1])
    expect(settled(created(1, places(1)), places(1, 2, 3))[0]?.members).toHaveLength(3)
  })

  test('without any member nothing is planned', () => {
    expect(planGroups(created(3, places(1, 2, 3)), [])).toEqual([])
  })
})
