import type { World } from '../../../contracts/world.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { SystemEntry, SystemStore } from '../system-store.ts'
import { type GroupDescriptor, groupKeys } from './group-descriptor.ts'

/** The groups that exist, as this node's copy of group 1 says. */
export class GroupDirectory {
  readonly #world: World
  readonly #system: SystemStore
  readonly #changed: () => void
  #entries: readonly SystemEntry<GroupDescriptor>[] | undefined
  #byId: ReadonlyMap<GroupId, GroupDescriptor> | undefined
  #isAnnounced = false

  /** `changed` is called, a turn of the loop later, when there may be something new. */
  constructor(world: World, system: SystemStore, changed: () => void) {
    this.#world = world
    this.#system = system
    this.#changed = changed
    system.follow(groupKeys.prefix, () => this.#invalidate())
  }

  get all(): ReadonlyMap<GroupId, GroupDescriptor> {
    this.#byId ??= new Map(this.#listed.map(({ value }) => [value.id, value]))
    return this.#byId
  }

  named(name: string): GroupDescriptor | undefined {
    for (const group of this.all.values()) if (group.name === name) return group
    return undefined
  }

  /** Of the last change of its descriptor; 0 when there is none. */
  revisionOf(name: string): number {
    return this.#listed.find(({ value }) => value.name === name)?.modRevision ?? 0
  }

  get #listed(): readonly SystemEntry<GroupDescriptor>[] {
    this.#entries ??= this.#system.list<GroupDescriptor>(groupKeys.prefix)
    return this.#entries
  }

  #invalidate(): void {
    this.#entries = undefined
    this.#byId = undefined
    if (this.#isAnnounced) return
    this.#isAnnounced = true
    this.#world.timers.immediate(() => {
      this.#isAnnounced = false
      this.#changed()
    })
  }
}
