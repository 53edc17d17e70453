import { asAlthingError } from '../../../contracts/errors.ts'
import type { Timer, World } from '../../../contracts/world.ts'
import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { NodeStorage, OpenedGroup } from '../../../replication/node-storage.ts'
import type { StoreHost } from '../../local/store-host.ts'
import { belongsOn, type GroupDescriptor } from './group-descriptor.ts'

export interface GroupHostsOptions {
  readonly world: World
  readonly self: NodeId
  readonly storage: NodeStorage
  /** Sets a group up over its storage; it is started by the caller. */
  open(id: GroupId, opened: OpenedGroup): Promise<StoreHost>
  /** Before its copy is removed: its clients must go elsewhere. */
  closing(id: GroupId): void
  /** The disk has failed. */
  failed(error: unknown): void
  /** Something could not be done now: calls {@link GroupHosts.reconcile} again with the groups of then. */
  again(): void
}

/** Group 1: every node has it, and it is not described by itself. */
export const ownGroup: GroupId = 1

const retryMs = 1_000

/**
 * The copies of groups that this node runs. What should be here follows from the descriptors; creating and removing are done one after the other, and each
 * can be done again: a node that died half-way through goes on where it was.
 */
export class GroupHosts {
  readonly #options: GroupHostsOptions
  readonly #hosts = new Map<GroupId, StoreHost>()
  #released: ReadonlySet<GroupId> = new Set()
  #wanted: ReadonlyMap<GroupId, GroupDescriptor> | undefined
  #isWorking = false
  #isClosed = false
  #retry: Timer | undefined

  constructor(options: GroupHostsOptions) {
    this.#options = options
  }

  get all(): ReadonlyMap<GroupId, StoreHost> {
    return this.#hosts
  }

  /** Groups that count this node among their `former` members, and that it has no copy of, nor is about to make one. */
  get released(): ReadonlySet<GroupId> {
    return this.#released
  }

  add(id: GroupId, host: StoreHost): void {
    this.#hosts.set(id, host)
  }

  /** Runs what lies on the disk: whether it still belongs here shows when group 1 has caught up. */
  async openAll(): Promise<void> {
    for (const [id, opened] of this.#options.storage.groups) {
      if (!this.#hosts.has(id)) this.#hosts.set(id, await this.#options.open(id, opened))
    }
  }

  /** Creates and removes copies until they are those that `groups` wants here. Call it only with groups that are surely not out of date. */
  reconcile(groups: ReadonlyMap<GroupId, GroupDescriptor>): void {
    this.#wanted = groups
    if (this.#isWorking || this.#isClosed) return
    this.#isWorking = true
    this.#work().then(
      () => (this.#isWorking = false),
      (error: unknown) => this.#failed(error),
    )
  }

  close(): void {
    this.#isClosed = true
    this.#retry?.cancel()
    for (const host of this.#hosts.values()) host.close()
  }

  async #work(): Promise<void> {
    while (this.#wanted !== undefined && !this.#isClosed) {
      const wanted = this.#wanted
      this.#wanted = undefined
      this.#released = new Set()
      for (const [id, host] of [...this.#hosts])
        if (id !== ownGroup && !this.#isHere(wanted.get(id))) await this.#giveUp(id, host, wanted.has(id))
      for (const id of [...this.#options.storage.retired])
        if (!wanted.has(id)) await this.#options.storage.removeGroup(id)
      for (const group of wanted.values()) {
        if (this.#isHere(group) && !this.#hosts.has(group.id)) await this.#create(group)
      }
      this.#released = this.#releasedAmong(wanted)
    }
  }

  #releasedAmong(groups: ReadonlyMap<GroupId, GroupDescriptor>): ReadonlySet<GroupId> {
    const { self } = this.#options
    const left = [...groups.values()].filter((group) => group.former.includes(self) && !this.#isHere(group))
    return new Set(left.map(({ id }) => id).filter((id) => !this.#hosts.has(id)))
  }

  #isHere(group: GroupDescriptor | undefined): boolean {
    return group !== undefined && belongsOn(group, this.#options.self)
  }

  async #create(group: GroupDescriptor): Promise<void> {
    const { storage, world, self } = this.#options
    if (this.#isClosed) return
    const opened =
      storage.groups.get(group.id) ?? (await storage.createGroup(group.id, initialOf(group, self)))
    const host = await this.#options.open(group.id, opened)
    if (this.#isClosed) {
      host.close()
      return
    }
    this.#hosts.set(group.id, host)
    host.start()
    world.logger.log('info', 'group started', { node: self, group: group.id, name: group.name })
  }

  /** Where the group lives on, this node may get a copy again: what this one stood for in elections is kept. */
  async #giveUp(id: GroupId, host: StoreHost, livesOn: boolean): Promise<void> {
    const { storage, world, self, closing } = this.#options
    closing(id)
    const last = host.giveUp()
    this.#hosts.delete(id)
    await (livesOn ? storage.retireGroup(id, last) : storage.removeGroup(id))
    world.logger.log('info', livesOn ? 'copy of a group given up' : 'group removed', {
      node: self,
      group: id,
    })
  }

  #failed(error: unknown): void {
    this.#isWorking = false
    if (this.#isClosed) return
    const { code, message } = asAlthingError(error)
    this.#options.world.logger.log('error', 'a group cannot be created or removed', { reason: message })
    // What a failed disk leaves is for the node to end; all else may pass.
    if (code === 'disk-failed' || code === 'corrupt') this.#options.failed(error)
    else this.#retry = this.#options.world.timers.after(retryMs, () => this.#options.again())
  }
}

/** A founder knows the others; who comes later, or comes back, waits until the leader calls. */
function initialOf(group: GroupDescriptor, self: NodeId): Configuration {
  return { voters: group.founders.includes(self) ? group.founders : [] }
}
