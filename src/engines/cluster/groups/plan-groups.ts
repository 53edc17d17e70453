import type { NodeId } from '../../../protocols/raft/types.ts'
import { type GroupDescriptor, isSettled, moveTo } from './group-descriptor.ts'

export interface Place {
  readonly id: NodeId
  /** It answers now, so it may be given something new. */
  readonly isAvailable: boolean
}

/** The nodes for a new group: those with the fewest copies; the first, who is to lead, is one that leads the fewest groups. */
export function placeGroup(
  groups: readonly GroupDescriptor[],
  places: readonly Place[],
  replicas: number,
): NodeId[] {
  const chosen: NodeId[] = []
  while (chosen.length < replicas) {
    const next = leastLoaded(places, copiesOn(groups), (id) => !chosen.includes(id))
    if (next === undefined) break
    chosen.push(next)
  }
  const first = minimumBy(chosen, (id) => leads(groups, id))
  return first === undefined ? [] : [first, ...chosen.filter((id) => id !== first)]
}

/**
 * The descriptors that should change now. Copies of members that are gone move to the members with the fewest; missing ones are added; and when all of
 * that is settled one copy at a time moves from the fullest member to the emptiest, and the right to lead with it. Returns few changes, and none when
 * nothing is to be done.
 */
export function planGroups(
  groups: readonly GroupDescriptor[],
  places: readonly Place[],
): readonly GroupDescriptor[] {
  const planned = [...groups]
  const changed: GroupDescriptor[] = []
  for (const [i, group] of groups.entries()) {
    // Counted with what is planned already, or all would choose the same member.
    const repaired = repair(group, planned, places)
    if (repaired === group) continue
    planned[i] = repaired
    changed.push(repaired)
    if (changed.length === changesMax) break
  }
  if (changed.length > 0) return changed
  if (!groups.every(isSettled)) return []
  const moved = spreadCopies(groups, places) ?? spreadLeaders(groups, places)
  return moved === undefined ? [] : [moved]
}

/** More wait for the next look: a transaction is bounded, and so is the work of catching up. */
const changesMax = 16

function repair(
  group: GroupDescriptor,
  groups: readonly GroupDescriptor[],
  places: readonly Place[],
): GroupDescriptor {
  const isPlace = (id: NodeId): boolean => places.some((place) => place.id === id)
  const kept = group.members.filter(isPlace)
  const members = [...kept]
  while (members.length < group.replicas) {
    const next = leastLoaded(places, copiesOn(groups), (id) => !members.includes(id) && mayGetCopy(group, id))
    if (next === undefined) break
    members.push(next)
  }
  if (members.length === 0 || members.join() === group.members.join()) return group
  return moveTo(group, members)
}

function spreadCopies(
  groups: readonly GroupDescriptor[],
  places: readonly Place[],
): GroupDescriptor | undefined {
  const copies = copiesOn(groups)
  const order = places.map(({ id }) => id).sort((a, b) => (copies.get(b) ?? 0) - (copies.get(a) ?? 0))
  const to = leastLoaded(places, copies, () => true)
  if (to === undefined) return undefined
  for (const from of order) {
    if ((copies.get(from) ?? 0) - (copies.get(to) ?? 0) < 2) return undefined
    const group = groups.find((each) => each.members.includes(from) && mayGetCopy(each, to))
    if (group === undefined) continue
    return moveTo(
      group,
      group.members.map((id) => (id === from ? to : id)),
    )
  }
  return undefined
}

function spreadLeaders(
  groups: readonly GroupDescriptor[],
  places: readonly Place[],
): GroupDescriptor | undefined {
  const available = places.filter(({ isAvailable }) => isAvailable).map(({ id }) => id)
  const to = minimumBy(available, (id) => leads(groups, id))
  if (to === undefined) return undefined
  const most = [...available].sort((a, b) => leads(groups, b) - leads(groups, a))
  for (const from of most) {
    if (leads(groups, from) - leads(groups, to) < 2) return undefined
    const direct = ledBy(groups, from, to)
    if (direct !== undefined) return led(direct, to)
    // Over a third: what it gets now it gives on with the next look.
    const over = available.find(
      (id) => ledBy(groups, from, id) !== undefined && ledBy(groups, id, to) !== undefined,
    )
    const first = over === undefined ? undefined : ledBy(groups, from, over)
    if (over !== undefined && first !== undefined) return led(first, over)
  }
  return undefined
}

/** A group that `leader` should lead and `other` could. */
function ledBy(
  groups: readonly GroupDescriptor[],
  leader: NodeId,
  other: NodeId,
): GroupDescriptor | undefined {
  return groups.find(({ members }) => members[0] === leader && leader !== other && members.includes(other))
}

function led(group: GroupDescriptor, first: NodeId): GroupDescriptor {
  return { ...group, members: [first, ...group.members.filter((id) => id !== first)] }
}

function mayGetCopy({ members, former }: GroupDescriptor, id: NodeId): boolean {
  return !members.includes(id) && !former.includes(id)
}

function copiesOn(groups: readonly GroupDescriptor[]): ReadonlyMap<NodeId, number> {
  const copies = new Map<NodeId, number>()
  for (const { members } of groups) for (const id of members) copies.set(id, (copies.get(id) ?? 0) + 1)
  return copies
}

/** In how many groups it is the one that should lead. */
function leads(groups: readonly GroupDescriptor[], id: NodeId): number {
  return groups.filter(({ members }) => members[0] === id).length
}

function leastLoaded(
  places: readonly Place[],
  copies: ReadonlyMap<NodeId, number>,
  isWanted: (id: NodeId) => boolean,
): NodeId | undefined {
  const able = places.filter(({ id, isAvailable }) => isAvailable && isWanted(id)).map(({ id }) => id)
  return minimumBy(able, (id) => copies.get(id) ?? 0)
}

/** The first of those with the least. */
function minimumBy(ids: readonly NodeId[], measure: (id: NodeId) => number): NodeId | undefined {
  let best: NodeId | undefined
  for (const id of ids) if (best === undefined || measure(id) < measure(best)) best = id
  return best
}
