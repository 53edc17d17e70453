import type { World } from '../../../contracts/world.ts'
import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import { isJoint } from '../../../protocols/raft/configuration.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { StoreHost } from '../../local/store-host.ts'
import { CatchUp, following } from '../membership/catch-up.ts'
import { canDecide } from '../membership/quorum-safety.ts'
import { actingLeaders } from './acting-leaders.ts'
import { type GroupDescriptor, isSettled } from './group-descriptor.ts'
import { LeaderSpread } from './leader-spread.ts'

export interface GroupKeeperOptions {
  readonly world: World
  readonly self: NodeId
  readonly electionTimeoutMs: number
  /** Tells the leader of group 1 who votes in the group now. */
  report(group: GroupDescriptor, voters: readonly NodeId[]): Promise<void>
  isConnected(peer: NodeId): boolean
  /** Members that drain, or whose disk cannot take more: no leadership goes there. */
  readonly stableMs?: number
}

/**
 * What the leader of a group sees to: that the voters become those of the descriptor, one step at a time, and that the member which should lead does. Looks
 * only at groups that this node leads.
 */
export class GroupKeeper {
  readonly #options: GroupKeeperOptions
  readonly #spread: LeaderSpread
  readonly #catchUps = new Map<GroupId, CatchUp>()
  readonly #changing = new Set<GroupId>()
  readonly #reporting = new Set<GroupId>()

  constructor(options: GroupKeeperOptions) {
    this.#options = options
    this.#spread = new LeaderSpread(options)
  }

  tick(hosts: ReadonlyMap<GroupId, StoreHost>, groups: ReadonlyMap<GroupId, GroupDescriptor>): void {
    this.#spread.tick()
    const { self, isConnected } = this.#options
    const acting = actingLeaders(groups.values(), (id) => id === self || isConnected(id))
    for (const descriptor of groups.values()) {
      const host = hosts.get(descriptor.id)
      if (host?.group.isLeaderReady === true) this.#keep(host, descriptor, acting.get(descriptor.id) ?? 0)
      else this.#catchUps.delete(descriptor.id)
    }
  }

  #keep(host: StoreHost, descriptor: GroupDescriptor, leader: NodeId): void {
    const { configuration } = host.group
    if (isJoint(configuration) || this.#changing.has(descriptor.id)) return
    const next = this.#next(host, configuration, descriptor)
    if (next !== undefined) {
      this.#change(host, descriptor.id, next)
      return
    }
    if (!hasVoters(configuration, descriptor.members)) return
    const { configurationIndex, commitIndex } = host.group.status()
    // Until it is committed the voters before may be needed again.
    if (configurationIndex > commitIndex) return
    if (!isSettled(descriptor)) this.#report(descriptor, configuration.voters)
    this.#spread.consider(descriptor.id, host.group, leader)
  }

  /** New ones learn first; once all of them have caught up they take their places and the others leave, in one change. */
  #next(host: StoreHost, now: Configuration, { id, members }: GroupDescriptor): Configuration | undefined {
    const learners = now.learners ?? []
    const isDone = hasVoters(now, members) && learners.length === 0
    if (isDone) {
      this.#catchUps.delete(id)
      return undefined
    }
    const joining = members.filter((member) => !now.voters.includes(member))
    if (joining.some((member) => !learners.includes(member))) return { voters: now.voters, learners: joining }
    const nowMs = this.#options.world.clock.monotonicMs()
    const status = host.group.status()
    const caughtUp = this.#catchUpOf(id).observe(nowMs, status)
    const isReady =
      joining.every((member) => caughtUp.has(member)) &&
      canDecide(members, following(status, nowMs, this.#options.electionTimeoutMs))
    return isReady ? { voters: members } : undefined
  }

  #catchUpOf(id: GroupId): CatchUp {
    const known = this.#catchUps.get(id) ?? new CatchUp(this.#options.electionTimeoutMs)
    this.#catchUps.set(id, known)
    return known
  }

  #change(host: StoreHost, id: GroupId, next: Configuration): void {
    const { voters, learners = [] } = next
    this.#options.world.logger.log('info', 'changing the members of a group', { group: id, voters, learners })
    this.#changing.add(id)
    // Refused or not: the next look finds what is left to do.
    host.group.changeConfiguration(next, () => void this.#changing.delete(id))
  }

  #report(group: GroupDescriptor, voters: readonly NodeId[]): void {
    const { id } = group
    if (this.#reporting.has(id)) return
    this.#reporting.add(id)
    const done = (): void => void this.#reporting.delete(id)
    this.#options.report(group, voters).then(done, done)
  }
}

function hasVoters({ voters }: Configuration, members: readonly NodeId[]): boolean {
  return voters.length === members.length && members.every((id) => voters.includes(id))
}
