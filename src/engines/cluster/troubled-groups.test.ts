import { expect, test } from 'vitest'
import type { GroupDescriptor } from './groups/group-descriptor.ts'
import { type GroupsView, TroubledGroups } from './troubled-groups.ts'

const orders: GroupDescriptor = {
  id: 7,
  name: 'orders',
  replicas: 3,
  members: [1, 2, 3],
  founders: [1, 2, 3],
  placed: [1, 2, 3],
  former: [],
}

class Leader {
  readonly groups: TroubledGroups
  #nowMs = 0
  #view: GroupsView | undefined

  constructor() {
    this.groups = new TroubledGroups(
      { clock: { monotonicMs: () => this.#nowMs, wallMs: () => 0 } },
      () => this.#view,
    )
  }

  sees(group: Partial<GroupDescriptor>, answering: readonly number[], places = [1, 2, 3, 4]): void {
    this.#view = { groups: [{ ...orders, ...group }], places, answering: new Set(answering) }
    this.groups.tick()
  }

  stepsDown(): void {
    this.#view = undefined
    this.groups.tick()
  }

  after(ms: number): readonly (readonly [string, number])[] {
    this.#nowMs += ms
    this.groups.tick()
    return this.groups.all.map(({ trouble, forMs }) => [trouble, forMs])
  }
}

test('nothing is wrong with a group whose copies are where they belong, though one of them is silent', () => {
  const leader = new Leader()
  leader.sees({}, [1, 2])
  expect(leader.after(600_000)).toEqual([])
  // There are no more members than copies.
  leader.sees({ replicas: 5 }, [1, 2, 3], [1, 2, 3])
  expect(leader.after(600_000)).toEqual([])
})

test('a group most of whose voters are silent is in trouble, and no more when one is back', () => {
  const leader = new Leader()
  leader.sees({}, [1, 4])
  expect(leader.after(1_000)).toEqual([])
  expect(leader.after(4_000)).toEqual([['no-majority', 5_000]])
  expect(leader.groups.all).toMatchObject([{ name: 'orders', voters: [1, 2, 3], silent: [2, 3] }])
  leader.sees({}, [1, 2, 4])
  expect(leader.after(4_000)).toEqual([])
})

test('a group with fewer copies than there are members to have one is in trouble, with who might take one', () => {
  const leader = new Leader()
  leader.sees({ members: [1, 2], placed: [1, 2] }, [1, 2, 3])
  expect(leader.after(3_000)).toEqual([['few-copies', 3_000]])
  expect(leader.groups.all).toMatchObject([{ members: [1, 2], wanted: 3, silent: [4] }])
  leader.sees({ members: [1, 2], placed: [1, 2] }, [1, 2], [1, 2])
  expect(leader.after(3_000)).toEqual([])
})

test('copies may move for a minute; whoever does not lead the cluster knows of no trouble', () => {
  const leader = new Leader()
  leader.sees({ members: [1, 2, 4] }, [1, 2, 3, 4])
  expect(leader.after(60_000)).toEqual([])
  expect(leader.after(1_000)).toEqual([['moving', 61_000]])
  // The worst of it is told.
  leader.sees({ members: [1, 2, 4] }, [1])
  expect(leader.after(10_000)).toEqual([['no-majority', 10_000]])
  leader.stepsDown()
  expect(leader.after(10_000)).toEqual([])
  leader.sees({ members: [1, 2, 4] }, [1, 2, 3, 4])
  expect(leader.after(10_000)).toEqual([])
})
