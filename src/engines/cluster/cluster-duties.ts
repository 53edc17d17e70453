import type { Credentials } from '../../access/access-control.ts'
import { anonymous, node, type PrincipalRef } from '../../access/principal.ts'
import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { PeerTransport } from '../../replication/peer-transport.ts'
import type { StoreHost } from '../local/store-host.ts'
import { GroupCalls } from './groups/group-calls.ts'
import { GroupDirector } from './groups/group-director.ts'
import { CopyReleases } from './groups/copy-releases.ts'
import { belongsOn, isNeeded } from './groups/group-descriptor.ts'
import { GroupDirectory } from './groups/group-directory.ts'
import type { GroupHosts } from './groups/group-hosts.ts'
import { GroupKeeper } from './groups/group-keeper.ts'
import { ServedGroups } from './groups/served-groups.ts'
import type { AddressBook } from './membership/address-book.ts'
import { Admission } from './membership/admission.ts'
import type { KnownMembers } from './membership/known-members.ts'
import { MemberCalls } from './membership/member-calls.ts'
import { Membership } from './membership/membership.ts'
import type { MemberSight } from './node-status.ts'
import { NodeAccess, type NodeAccessOptions } from './node-access.ts'
import {
  type Caller,
  mayRepeat,
  type OperatorCall,
  type OperatorCalls,
  type Plain,
} from './operator-calls.ts'
import { methods } from './protocol.ts'
import { SystemStore } from './system-store.ts'
import { type GroupsView, TroubledGroups } from './troubled-groups.ts'

export interface ClusterDutiesOptions {
  readonly world: World
  readonly self: NodeId
  readonly clusterId: string
  readonly storageId: string
  readonly electionTimeoutMs: number
  /** See {@link GroupKeeperOptions}. */
  readonly leaderStableMs?: number
  /** Group 1 on this node. */
  readonly host: StoreHost
  readonly hosts: GroupHosts
  readonly book: AddressBook
  readonly known: KnownMembers
  readonly transport: PeerTransport
  readonly operators: OperatorCalls
  readonly access?: NodeAccessOptions
  /** Descriptors of groups may have changed. */
  groupsChanged(): void
  /** How this node sees the member. */
  sightOf(member: NodeId): MemberSight | undefined
}

const forwardTimeoutMs = 30_000
const handOnAgainMs = 100
/** After the first failure: so long an election takes. */
const handOnWithinMs = 5_000

/** What a node does for its cluster besides holding copies and serving clients: membership and groups, looked after a few times in an election timeout. */
export class ClusterDuties {
  readonly system: SystemStore
  readonly access: NodeAccess
  readonly directory: GroupDirectory
  readonly admission: Admission
  readonly membership: Membership
  readonly served: ServedGroups
  readonly troubled: TroubledGroups
  readonly #options: ClusterDutiesOptions
  readonly #director: GroupDirector
  readonly #keeper: GroupKeeper
  readonly #releases: CopyReleases
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: ClusterDutiesOptions) {
    const { world, self, host, hosts, transport, operators } = options
    this.#options = options
    this.system = new SystemStore(host)
    this.access = new NodeAccess(world, { id: self, host, system: this.system }, options.access ?? {})
    this.directory = new GroupDirectory(world, this.system, () => options.groupsChanged())
    const shared = { ...options, system: this.system, directory: this.directory }
    this.admission = new Admission({ ...shared, disconnect: (peer) => transport.disconnect(peer) })
    this.membership = new Membership({
      ...shared,
      admission: this.admission,
      holdsGroups: (id) => this.#holdsGroups(id),
      isNeeded: (id, answering) => this.#isNeeded(id, answering),
    })
    this.served = new ServedGroups({ ...shared, hosts: hosts.all, credentials: () => this.credentials })
    this.#director = new GroupDirector({ ...shared, membership: this.membership })
    this.troubled = new TroubledGroups(world, () => this.#groupsView())
    this.#keeper = new GroupKeeper({
      ...shared,
      isConnected: (peer) => transport.isConnected(peer) && !transport.blocked.has(peer),
      report: async ({ id, name }, voters) => {
        const revision = this.directory.revisionOf(name)
        await operators.call(['group.settled', { id, voters, revision }], itself)
      },
      ...(options.leaderStableMs === undefined ? {} : { stableMs: options.leaderStableMs }),
    })
    this.#releases = new CopyReleases({
      self,
      release: async ({ id, name }) => {
        const revision = this.directory.revisionOf(name)
        await operators.call(['group.released', { id, node: self, revision }], itself)
      },
    })
    const memberCalls = new MemberCalls({
      ...shared,
      membership: this.membership,
      forward: (name, argument) => this.#forward(name, argument),
    })
    const groupCalls = new GroupCalls({
      ...shared,
      membership: this.membership,
      places: () => this.#director.places(),
    })
    operators.register(this.#atLeader({ ...memberCalls.calls, ...groupCalls.calls, ...this.access.calls }))
    operators.register(this.access.ownCalls)
  }

  start(): void {
    this.#arm()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.served.close()
  }

  #arm(): void {
    if (this.#isClosed) return
    this.#timer = this.#options.world.timers.after(this.#options.electionTimeoutMs / 2, () => {
      this.#tick()
      this.#arm()
    })
  }

  #tick(): void {
    this.admission.tick()
    this.membership.tick()
    this.#director.tick()
    this.troubled.tick()
    this.#keeper.tick(this.#options.hosts.all, this.directory.all)
    this.#releases.tick(this.#options.hosts.released, this.directory.all)
  }

  /** What this node shows of itself where the transport does not prove that it is one. */
  get credentials(): Credentials {
    const { nodeKey } = this.access.control
    return nodeKey === undefined ? {} : { nodeKey }
  }

  /** In whose name it calls others. */
  get principal(): PrincipalRef {
    return this.access.control.isEnabled ? node : anonymous
  }

  #groupsView(): GroupsView | undefined {
    if (!this.#options.host.group.isLeaderReady) return undefined
    const places = this.#director.places().map(({ id }) => id)
    return { groups: this.directory.all.values(), places, answering: this.membership.answering }
  }

  #holdsGroups(id: NodeId): boolean {
    for (const group of this.directory.all.values()) if (belongsOn(group, id)) return true
    return false
  }

  #isNeeded(id: NodeId, answering: ReadonlySet<NodeId>): boolean {
    for (const group of this.directory.all.values()) if (isNeeded(group, id, answering)) return true
    return false
  }

  /** The calls that only the leader of group 1 can carry out: made anywhere else, they are handed on to it. */
  #atLeader(calls: Readonly<Record<string, OperatorCall>>): Record<string, OperatorCall> {
    const { group } = this.#options.host
    const wrapped = Object.entries(calls).map(([name, call]): [string, OperatorCall] => [
      name,
      (argument: Plain, caller: Caller) => {
        if (group.isLeaderReady) return call(argument, caller)
        if (caller.isForwarded === true || group.role === 'leader')
          throw unavailable('this node does not lead')
        return this.#handOn(name, argument, () => call(argument, caller))
      },
    ])
    return Object.fromEntries(wrapped)
  }

  /** The leader may go while it does what it was asked for, and most surely when it is the one to be removed: then its successor is asked. */
  async #handOn(name: string, argument: Plain, callHere: () => Promise<Plain>): Promise<Plain> {
    const { host, world } = this.#options
    let endMs: number | undefined
    for (;;) {
      try {
        return await (host.group.isLeaderReady ? callHere() : this.#forward(name, argument))
      } catch (cause) {
        const error = asAlthingError(cause)
        const nowMs = world.clock.monotonicMs()
        endMs ??= nowMs + handOnWithinMs
        if (this.#isClosed || !mayRepeat(name, error) || nowMs > endMs) throw error
      }
      await new Promise<void>((resolve) => world.timers.after(handOnAgainMs, resolve))
    }
  }

  #forward(name: string, argument: Plain): Promise<Plain> {
    const { leader } = this.#options.host.group
    if (leader === 0 || leader === this.#options.self)
      return Promise.reject(unavailable('no leader is known: a quorum of the members is needed'))
    return new Promise((resolve, reject) => {
      const handler = {
        done: (error: AlthingError | undefined, answer: unknown) => {
          if (error === undefined) resolve((answer ?? null) as Plain)
          else reject(error)
        },
      }
      this.served.own.link.forward(
        leader,
        methods.operate,
        forwardTimeoutMs,
        [name, argument],
        handler,
        // In this node's own name: that the caller may do it has been checked here.
        this.principal,
      )
    })
  }
}

const itself: Caller = { name: 'cluster', remoteAddress: '' }

function unavailable(problem: string): AlthingError {
  return new AlthingError('unavailable', problem, { outcome: 'none' })
}
