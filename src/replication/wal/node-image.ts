import type { Configuration } from '../../protocols/raft/types.ts'
import type { GroupId } from '../group-id.ts'
import type { GroupStart, Item } from './items.ts'
import { LogImage } from './log-image.ts'
import { RemovedGroups } from './removed-groups.ts'

export interface GroupImage {
  readonly log: LogImage
  initialConfiguration: Configuration | undefined
}

/** All groups as the items of the segments, applied in their order, make them. Pure: what recovery decides, it decides here and in {@link LogImage}. */
export class NodeImage {
  readonly groups = new Map<GroupId, GroupImage>()
  readonly removed = new RemovedGroups()

  start(group: GroupId, { nextIndex, hardState, initialConfiguration }: GroupStart): void {
    this.groups.set(group, { log: new LogImage(nextIndex, hardState), initialConfiguration })
  }

  /** The first record of the oldest segment. A text says what is wrong. */
  begin(items: readonly Item[]): string | undefined {
    for (const item of items) {
      if (item.type === 'group') this.start(item.group, item.start)
      else if (item.type === 'gone') this.removed.add(item.group, item.last)
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
    return gone.join() === removed.join() ? undefined : 'the groups that were removed are not the same'
  }

  /** A text says why the item cannot follow what came before it. */
  apply(item: Item): string | undefined {
    switch (item.type) {
      case 'created':
        return this.#create(item.group, item.initialConfiguration)
      case 'removed':
        this.removed.add(item.group)
        return this.groups.delete(item.group)
          ? undefined
          : `group ${item.group}, which is removed, does not exist`
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
    this.start(group, { nextIndex: 1, hardState: { term: 0, vote: 0 }, initialConfiguration })
    return undefined
  }

  #compareGroup(group: GroupId, { hardState, initialConfiguration }: GroupStart): string | undefined {
    const image = this.groups.get(group)
    if (image === undefined) return `group ${group} goes on, but does not exist`
    const { term, vote } = image.log.hardState
    if (hardState.term !== term || hardState.vote !== vote)
      return `group ${group} goes on with term ${hardState.term} and vote ${hardState.vote}, not with ${term} and ${vote}`
    // Format version 1 did not keep it: the first segment of version 2 is where it may have been told.
    image.initialConfiguration ??= initialConfiguration
    return undefined
  }
}
