import type { NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { GroupDescriptor } from './group-descriptor.ts'

export interface CopyReleasesOptions {
  readonly self: NodeId
  /** Tells the leader of group 1 that this node has no copy of the group any more. */
  release(group: GroupDescriptor): Promise<void>
}

/** What a node sees to that had copies of groups which have moved: that it is known to have given them up, so that it may get others. */
export class CopyReleases {
  readonly #options: CopyReleasesOptions
  readonly #releasing = new Set<GroupId>()

  constructor(options: CopyReleasesOptions) {
    this.#options = options
  }

  /** Says it again until the descriptor shows that it was heard. */
  tick(released: ReadonlySet<GroupId>, groups: ReadonlyMap<GroupId, GroupDescriptor>): void {
    const { self, release } = this.#options
    for (const id of released) {
      const group = groups.get(id)
      if (group?.former.includes(self) !== true || this.#releasing.has(id)) continue
      this.#releasing.add(id)
      const done = (): void => void this.#releasing.delete(id)
      release(group).then(done, done)
    }
  }
}
