import { asAlthingError } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import type { StoreHost } from '../../local/store-host.ts'
import type { Membership } from '../membership/membership.ts'
import type { SystemStore } from '../system-store.ts'
import { type GroupDescriptor, groupKeys } from './group-descriptor.ts'
import type { GroupDirectory } from './group-directory.ts'
import { type Place, planGroups } from './plan-groups.ts'

export interface GroupDirectorOptions {
  readonly world: World
  readonly host: StoreHost
  readonly system: SystemStore
  readonly directory: GroupDirectory
  readonly membership: Membership
}

/** What the leader of group 1 sees to: that every group has its copies on members that stay, evenly, and a member that should lead it. */
export class GroupDirector {
  readonly #options: GroupDirectorOptions
  #isWriting = false

  constructor(options: GroupDirectorOptions) {
    this.#options = options
  }

  /** Voters that stay, and whether they answer now. */
  places(): Place[] {
    const { configuration, records, answering } = this.#options.membership
    return configuration.voters
      .filter((id) => records.get(id)?.state !== 'leaving')
      .map((id) => ({ id, isAvailable: answering.has(id) }))
  }

  tick(): void {
    const { host, directory } = this.#options
    if (this.#isWriting || !host.group.isLeaderReady || directory.all.size === 0) return
    const changed = planGroups([...directory.all.values()], this.places())
    if (changed.length > 0) this.#write(changed)
  }

  #write(changed: readonly GroupDescriptor[]): void {
    const { system, world } = this.#options
    this.#isWriting = true
    const changes = changed.map((value) => {
      const key = groupKeys.descriptor(value.id)
      return { key, value, modRevision: system.get(key)?.modRevision ?? -1 }
    })
    const done = (): void => void (this.#isWriting = false)
    system.change(changes).then(done, (error: unknown) => {
      done()
      const reason = asAlthingError(error).message
      world.logger.log('debug', 'descriptors of groups were not written', { reason })
    })
  }
}
