import type { Configuration, HardState } from '../../protocols/raft/types.ts'
import type { GroupId } from '../group-id.ts'
import type { Item } from './items.ts'
import type { GroupImage } from './node-image.ts'
import type { RemovedGroups } from './removed-groups.ts'
import type { RetiredGroup } from './retired-groups.ts'

/** What the log knows of a group while it is written. */
export interface GroupState {
  readonly group: GroupId
  readonly initialConfiguration: Configuration | undefined
  hardState: HardState
  /** One more than the last index of the log, or more after a reset, of which the log does not know what it has dropped. */
  nextIndex: number
  /** Entries up to here are not needed. */
  compactedIndex: number
  /** Of the newest snapshot that is durable; 0 for none. */
  snapshotIndex: number
  /** The segment at whose start the group was last told that it holds others back. */
  toldAtSequence: number
  /** Told so. */
  pinned: () => void
}

export function newGroupState(
  group: GroupId,
  initialConfiguration: Configuration | undefined,
  hardState: HardState,
): GroupState {
  return {
    group,
    initialConfiguration,
    hardState,
    nextIndex: 1,
    compactedIndex: 0,
    snapshotIndex: 0,
    toldAtSequence: 0,
    pinned: () => {},
  }
}

export function groupStateOf(group: GroupId, { log, initialConfiguration }: GroupImage): GroupState {
  return {
    ...newGroupState(group, initialConfiguration, log.hardState),
    nextIndex: log.nextIndexMax,
    compactedIndex: log.firstIndex - 1,
  }
}

/** Takes note of an item that is about to be written. */
export function noteItem(state: GroupState, item: Item): void {
  switch (item.type) {
    case 'hardState':
      state.hardState = item.hardState
      return
    case 'entry':
      state.nextIndex = item.entry.index + 1
      return
    case 'reset':
      state.nextIndex = Math.max(state.nextIndex, item.index + 1)
  }
}

/** What a segment begins with, so that those before it can be removed. */
export function startItems(
  groups: ReadonlyMap<GroupId, GroupState>,
  removed: RemovedGroups,
  retired: ReadonlyMap<GroupId, RetiredGroup>,
): Item[] {
  const going = [...groups.values()].map(({ group, nextIndex, hardState, initialConfiguration }): Item => {
    const start = { nextIndex, hardState }
    return {
      type: 'group',
      group,
      start: initialConfiguration === undefined ? start : { ...start, initialConfiguration },
    }
  })
  const gone = removed.runs.map(({ first, last }): Item => ({ type: 'gone', group: first, last }))
  const kept = [...retired].map(([group, kept]): Item => ({ type: 'retired', group, kept }))
  return [...going, ...gone, ...kept]
}
