import { isBehind } from '../../protocols/raft/log-position.ts'
import type { Configuration, HardState } from '../../protocols/raft/types.ts'
import type { GroupId } from '../group-id.ts'
import type { GroupStart, Item } from './items.ts'
import { LogImage } from './log-image.ts'
import { RemovedGroups } from './removed-groups.ts'
import { isSameRetired, type RetiredGroup } from './retired-groups.ts'

export interface GroupImage {
  readonly log: LogImage
  initialConfiguration: Configuration | undefined
}

/** All groups as the items of the segments, applied in their order, make them. Pure: what recovery decides, it decides here and in {@link LogImage}. */
export class NodeImage {
  readonly groups = new Map<GroupId, GroupImage>()
  readonly removed = new RemovedGroups()
  /** What is kept of copies that were retired, also where the group has a new copy. */
  readonly retired = new Map<GroupId, RetiredGroup>()

  start(group: GroupId, { nextIndex, hardState, initialConfiguration }: GroupStart): void {
    this.groups.set(group, { log: new LogImage(nextIndex, hardState), initialConfiguration })
  }

  /** The first record of the oldest segment. A text says what is wrong. */
  begin(items: readonly Item[]): string | undefined {
    for (const item of items) {
      if (item.type === 'group') this.start(item.group, item.start)
      else if (item.type === 'gone') this.removed.add(item.group, item.last)
      else if (item.type === 'retired') this.retired.set(item.group, item.kept)
      else return `the first record holds an item of type ${item.type}`
    }
    return undefined
  }

  /** The first record of a later segment must say what the segments before it have made. A text says what differs. */
  compare(items: readonly Item[]): string | undefined {
    const groups = items.filter((item) => item.type === 'group')
    if (groups.length !== this.groups.size)
      return `${groups.length} groups go on, but there are ${this.groups.size}`
    for (const { group, start } of groups) {
      const problem = this.#compareGroup(group, start)
      if (problem !== undefined) return problem
    }
    const gone = items.filter((item) => item.type === 'gone').map(({ group, last }) => `${group}-${last}`)
    const removed = this.removed.runs.map(({ first, last }) => `${first}-${last}`)
    if (gone.join() !== removed.join()) return 'the groups that were removed are not the same'
    return this.#compareRetired(items.filter((item) => item.type === 'retired'))
  }

  /** A text says why the item cannot follow what came before it. */
  apply(item: Item): string | undefined {
    switch (item.type) {
      case 'created':
        return this.#create(item.group, item.initialConfiguration)
      case 'removed':
        return this.#remove(item.group)
      case 'retired':
        return this.#retire(item.group, item.kept)
      case 'group':
      case 'gone':
        return `an item of type ${item.type} stands only in the first record of a segment`
      default: {
        const group = this.groups.get(item.group)
        if (group === undefined) return `group ${item.group} does not exist`
        return group.log.apply(item)
      }
    }
  }

  #create(group: GroupId, initialConfiguration: Configuration): string | undefined {
    if (this.groups.has(group) || this.removed.has(group)) return `group ${group} is made a second time`
    const hardState = this.retired.get(group)?.hardState ?? { term: 0, vote: 0 }
    this.start(group, { nextIndex: 1, hardState, initialConfiguration })
    return undefined
  }

  #remove(group: GroupId): string | undefined {
    const isAlive = this.groups.delete(group)
    const isRetired = this.retired.delete(group)
    this.removed.add(group)
    return isAlive || isRetired ? undefined : `group ${group}, which is removed, does not exist`
  }

  #retire(group: GroupId, kept: RetiredGroup): string | undefined {
    const image = this.groups.get(group)
    if (image === undefined) return `group ${group}, which is retired, does not exist`
    const before = this.retired.get(group)
    if (before !== undefined && isBehind(kept.last.index, kept.last.term, before.last))
      return `group ${group} is retired at an earlier end of its log than the last time`
    this.groups.delete(group)
    this.retired.set(group, kept)
    return compareHardState(group, 'is retired', kept.hardState, image.log.hardState)
  }

  #compareRetired(items: readonly Extract<Item, { type: 'retired' }>[]): string | undefined {
    const isSame = ({ group, kept }: (typeof items)[number]): boolean => {
      const known = this.retired.get(group)
      return known !== undefined && isSameRetired(kept, known)
    }
    return items.length === this.retired.size && items.every(isSame)
      ? undefined
      : 'what is kept of retired groups is not the same'
  }

  #compareGroup(group: GroupId, { hardState, initialConfiguration }: GroupStart): string | undefined {
    const image = this.groups.get(group)
    if (image === undefined) return `group ${group} goes on, but does not exist`
    const problem = compareHardState(group, 'goes on', hardState, image.log.hardState)
    if (problem !== undefined) return problem
    // Format version 1 did not keep it: the first segment of version 2 is where it may have been told.
    image.initialConfiguration ??= initialConfiguration
    return undefined
  }
}

function compareHardState(
  group: GroupId,
  does: string,
  stated: HardState,
  { term, vote }: HardState,
): string | undefined {
  if (stated.term === term && stated.vote === vote) return undefined
  return `group ${group} ${does} with term ${stated.term} and vote ${stated.vote}, not with ${term} and ${vote}`
}
