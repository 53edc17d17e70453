import type { AccessControl } from '../../access/access-control.ts'
import { anonymous } from '../../access/principal.ts'
import { AlthingError, asAlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { membersOf } from '../../protocols/raft/configuration.ts'
import {
  type Configuration,
  type NodeId,
  raftDefaults,
  type RaftOptions,
} from '../../protocols/raft/types.ts'
import type { GroupId } from '../../replication/group-id.ts'
import { peerVersion } from '../../replication/message-codec.ts'
import type { NodeStorage, OpenedGroup } from '../../replication/node-storage.ts'
import { type Member, PeerTransport } from '../../replication/peer-transport.ts'
import type { GroupObserver } from '../../replication/raft-group.ts'
import type { DiskStorageOptions } from '../../replication/storage.ts'
import type { StoreBounds } from '../local/store-admission.ts'
import { StoreHost } from '../local/store-host.ts'
import type { WatchHubBounds } from '../local/watch-hub.ts'
import { ClusterDuties } from './cluster-duties.ts'
import { ClusterServer } from './cluster-server.ts'
import { describeGroups, describeMembers, describeStore } from './describe-node.ts'
import { Eligibility } from './drain.ts'
import { ownGroupName } from './groups/group-descriptor.ts'
import { GroupHosts, ownGroup } from './groups/group-hosts.ts'
import { AddressBook } from './membership/address-book.ts'
import { removedMember } from './membership/admission.ts'
import { joinCluster } from './membership/join-cluster.ts'
import { MemberWatch } from './membership/member-watch.ts'
import type { KnownMembers } from './membership/known-members.ts'
import { markRemoved, type NodeFolder, openNodeFolder } from './node-folder.ts'
import type { NodeAccessOptions } from './node-access.ts'
import { registerNodeCalls } from './node-calls.ts'
import type { GroupStatus, NodeStatus, NodeVitals } from './node-status.ts'
import { Operations } from './operations.ts'
import { OperatorCalls } from './operator-calls.ts'
import { decodeWelcome, encodeHello } from './protocol.ts'

export interface ClusterNodeOptions {
  readonly world: World
  readonly id: NodeId
  /**
   * The founding members, this one included; the same list on every founder. They count when the folder is new, as the group's first configuration: later the log
   * says who belongs to the cluster, and only addresses that it does not know are taken from here. With `join`: the members to ask for admission, and this
   * node. May be empty where the folder holds a member's data.
   */
  readonly members: readonly Member[]
  /** The node is new and was invited (`member.add` gives the token that holds this secret): it founds nothing, and asks `members` to let it in. */
  readonly join?: { readonly secret: string }
  /** The same on every member; nodes and clients of another cluster are refused. */
  readonly clusterId: string
  /** Address to listen on; default: this member's own. */
  readonly listen?: string
  /** Folder within the world's disk (default `node-ID`). */
  readonly directory?: string
  /** Shown in the status. */
  readonly version?: string
  readonly httpAddress?: string
  /** How the process does, for the status. */
  readonly vitals?: () => NodeVitals
  /** Of every group of the node. */
  readonly raft?: Partial<Omit<RaftOptions, 'id'>>
  /** Sizes of the files on disk; see `DiskStorageOptions`. */
  readonly files?: Omit<DiskStorageOptions, 'identity'>
  readonly snapshotEntries?: number
  /** See `StoreHostOptions`. */
  readonly keepRevisions?: number
  readonly snapshotBytes?: number
  readonly snapshotAgeMs?: number
  readonly keepEntries?: number
  /** Bounds of each store of which this node has a copy. The same on all nodes: the leader's hold. */
  readonly store?: StoreNodeOptions
  /** Of group 1. */
  readonly observer?: GroupObserver
  /** Of each other group, asked for when its copy is opened. */
  readonly groupObserver?: (group: GroupId) => GroupObserver
  /** How callers are told apart and bounded; what is allowed to whom is in the store. */
  readonly access?: NodeAccessOptions
  /** For so long the member that should lead a group must have been well before the group is handed to it (default 5000). */
  readonly leaderStableMs?: number
  /** How often this node compares the copies of the groups that it leads (default 0: only when asked). See `ReplicaChecker`. */
  readonly replicaCheckMs?: number
}

export interface StoreNodeOptions extends Partial<WatchHubBounds> {
  /** See `HistoryBounds`. */
  readonly keepMs?: number
  readonly bounds?: Partial<StoreBounds>
}

/** Entries that a ready node may be behind what it knows to be committed. */
const readyLagMax = 1_000
const catchUpRetryMs = 100
const diskLow =
  'the disk of the node that leads is all but full: delete keys, compact, or make room on the disk'
/** For the answers that are on their way when a node learns that it belongs to the cluster no more. */
const farewellMs = 500

/**
 * One member of a cluster: its share of the log on its disk, its copies of groups, and the socket that peers and clients come to. Rejects with
 * `corrupt`, `conflict`, `disk-failed`, `invalid-argument`, `not-member` (it was removed), or `unavailable` (address taken) before it has taken any part.
 */
export async function openClusterNode(options: ClusterNodeOptions): Promise<ClusterNode> {
  validateMembers(options)
  const { world, id, clusterId, directory = `node-${id}`, files } = options
  const folder = await openNodeFolder({
    world,
    directory,
    clusterId,
    nodeId: id,
    files: isFounded(options)
      ? { ...files, version1Configuration: firstConfiguration(options) }
      : { ...files },
  })
  const { storage } = folder
  try {
    const own =
      storage.groups.get(ownGroup) ?? (await storage.createGroup(ownGroup, firstConfiguration(options)))
    const node = new ClusterNode({ ...options, directory }, folder, own.restored.initialConfiguration)
    await node.start(own)
    return node
  } catch (error) {
    await storage.close()
    throw error
  }
}

export class ClusterNode {
  readonly id: NodeId
  readonly transport: PeerTransport
  /** What operators may ask of this node, besides its status. */
  readonly operators = new OperatorCalls()
  /** Resolves when the node has failed for good, was removed from the cluster, or was closed (`undefined`). Never rejects. */
  readonly closed: Promise<AlthingError | undefined>
  #resolveClosed: (error: AlthingError | undefined) => void = () => {}
  readonly #options: ClusterNodeOptions & { readonly directory: string }
  readonly #world: World
  readonly #storage: NodeStorage
  readonly #storageId: string
  readonly #known: KnownMembers
  readonly #startedMs: number
  readonly #book: AddressBook
  readonly #hosts: GroupHosts
  readonly #eligibility: Eligibility
  readonly #operations: Operations
  readonly #watch: MemberWatch
  readonly #advertised: string
  #duties: ClusterDuties | undefined
  #server: ClusterServer | undefined
  #address = ''
  #isCaughtUp = false
  /** This node stood in a configuration of group 1 that it used. */
  #wasMember = false
  #isLeaving = false
  #catchUpTimer: Timer | undefined
  #closing: Promise<void> | undefined

  constructor(
    options: ClusterNodeOptions & { readonly directory: string },
    folder: NodeFolder,
    initial: Configuration,
  ) {
    const { world, id, clusterId, members } = options
    this.#options = options
    this.#world = world
    this.id = id
    this.#storage = folder.storage
    this.#storageId = folder.storageId
    this.#known = folder.known
    this.#startedMs = world.clock.monotonicMs()
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#advertised = addressOf(options, initial)
    this.#book = new AddressBook(members, () => this.transport.setMembers(this.#book.reachable))
    const { storageId } = folder
    const address = this.#advertised
    this.transport = new PeerTransport({
      world,
      self: id,
      members,
      hello: encodeHello({ kind: 'peer', clusterId, from: id, peerVersion, storageId, address }),
      answered: (peer, frame) => this.#refusedBy(peer, frame),
      gossiped: (peer, message) => this.#watch.receive(peer, message),
    })
    this.#hosts = new GroupHosts({
      world,
      self: id,
      storage: folder.storage,
      open: (group, opened) => this.#openHost(group, opened),
      closing: (group) => {
        this.#server?.closeGroup((served) => served.id() === group)
        this.#operations.closing(group)
      },
      failed: (error) => void this.#close(asAlthingError(error)),
      again: () => this.#reconcileGroups(),
    })
    this.#eligibility = new Eligibility({
      world,
      self: id,
      hosts: () => this.#hosts.all.values(),
      isConnected: (peer) => this.transport.isConnected(peer),
      electionTimeoutMs: options.raft?.electionTimeoutMs ?? raftDefaults.electionTimeoutMs,
      lookAtSpace: () => void this.#storage.lookAtSpace(),
    })
    this.#operations = this.#makeOperations()
    this.#watch = new MemberWatch({
      world,
      self: id,
      transport: this.transport,
      members: () => this.members,
      recordedProtocol: (member) => this.#duties?.membership.entry(member)?.value.peerVersion,
      vitals: () => options.vitals?.(),
      isDiskLow: () => this.#eligibility.hindrances.has('no-space'),
    })
  }

  /** Group 1's copy: the default store. */
  get host(): StoreHost {
    const host = this.#hosts.all.get(ownGroup)
    if (host === undefined) throw new AlthingError('closed', 'the node has not started')
    return host
  }

  /** This node's copies, by group; they come and go while it runs. */
  get groups(): ReadonlyMap<GroupId, StoreHost> {
    return this.#hosts.all
  }

  get storage(): NodeStorage {
    return this.#storage
  }

  /** Who may do what at this node. */
  get access(): AccessControl {
    if (this.#duties === undefined) throw new AlthingError('closed', 'the node has not started')
    return this.#duties.access.control
  }

  get address(): string {
    return this.#address
  }

  /** Who belongs to the cluster, as this node's copy of group 1 says. */
  get members(): readonly Member[] {
    return this.#book.members
  }

  async start(own: OpenedGroup): Promise<void> {
    try {
      await this.#start(own)
    } catch (error) {
      // Its timer would keep the process of a node that cannot start.
      this.#watch.close()
      throw error
    }
  }

  async #start(own: OpenedGroup): Promise<void> {
    const host = await this.#openHost(ownGroup, own)
    this.#hosts.add(ownGroup, host)
    await this.#hosts.openAll()
    const { clusterId, listen = this.#advertised, raft, leaderStableMs } = this.#options
    const shared = { world: this.#world, clusterId, operators: this.operators, transport: this.transport }
    this.#duties = new ClusterDuties({
      ...shared,
      self: this.id,
      storageId: this.#storageId,
      electionTimeoutMs: raft?.electionTimeoutMs ?? raftDefaults.electionTimeoutMs,
      host,
      hosts: this.#hosts,
      book: this.#book,
      known: this.#known,
      access: this.#options.access ?? {},
      groupsChanged: () => this.#reconcileGroups(),
      sightOf: (member) => this.#watch.sightOf(member),
      ...(leaderStableMs === undefined ? {} : { leaderStableMs }),
    })
    const { served, admission, access } = this.#duties
    this.#server = new ClusterServer({
      ...shared,
      groups: served,
      access: access.control,
      limits: access.limits,
      nodeId: this.id,
      status: () => this.status(),
      admitPeer: (hello) => admission.admit(hello),
      catchUp: (done) => host.group.readBarrier(done),
    })
    registerNodeCalls(this.operators, this)
    this.#storage.onSpace(() => this.#followSpace())
    this.#followSpace()
    this.#configurationChanged(host.group.configuration)
    this.#compareWithFlags(host.group.configuration)
    this.#address = await this.#server.listen(listen)
    for (const each of this.groups.values()) each.start()
    this.#duties.start()
    this.#eligibility.start()
    this.#operations.start()
    this.#watch.start()
    this.#catchUp()
    this.#joinWhenNew()
  }

  status(): NodeStatus {
    const { host } = this
    const raft = host.group.status()
    const problem = this.#problem()
    const { httpAddress, vitals, clusterId, version = '' } = this.#options
    return {
      id: this.id,
      clusterId,
      address: this.#address,
      ...(httpAddress === undefined ? {} : { httpAddress }),
      version,
      ...describeStore(host, raft),
      clients: this.#server?.clients ?? 0,
      uptimeMs: this.#world.clock.monotonicMs() - this.#startedMs,
      wallMs: this.#world.clock.wallMs(),
      ...(vitals === undefined ? {} : { vitals: vitals() }),
      isReady: problem === undefined,
      ...(problem === undefined ? {} : { problem }),
      members: describeMembers({
        self: this.id,
        members: this.members,
        raft,
        transport: this.transport,
        nowMs: this.#world.clock.monotonicMs(),
        learnerForMs: (member) => this.#duties?.membership.learnerForMs(member),
        sightOf: (member) => this.#watch.sightOf(member),
      }),
      groups: { copies: this.groups.size, leading: this.#leading },
      blocked: [...this.transport.blocked],
      operations: this.#operations.status(),
    }
  }

  groupStatuses(): readonly GroupStatus[] {
    return describeGroups(this.groups, (id) => this.#nameOf(id))
  }

  /**
   * Hands over all that this node leads and takes no new clients: those it has are served on, so that it can be stopped without anybody noticing. Resolves with
   * how many groups it still leads, which others could lead too, after `withinMs` at most.
   */
  async drain(withinMs: number): Promise<number> {
    this.#server?.drain(true)
    return this.#eligibility.drain(withinMs)
  }

  /** Takes the drain back. */
  undrain(): void {
    this.#server?.drain(false)
    this.#eligibility.set('draining', false)
  }

  /** Stops serving and frees the disk. What is under way fails with `closed`. Idempotent. */
  close(): Promise<void> {
    return this.#close(undefined)
  }

  get #leading(): number {
    return [...this.groups.values()].filter(({ group }) => group.role === 'leader').length
  }

  #nameOf(id: GroupId): string {
    return id === ownGroup ? ownGroupName : (this.#duties?.directory.all.get(id)?.name ?? `group ${id}`)
  }

  #makeOperations(): Operations {
    const { clusterId, version = '', replicaCheckMs = 0 } = this.#options
    return new Operations({
      world: this.#world,
      self: this.id,
      clusterId,
      version,
      operators: this.operators,
      addressOf: (member) => this.#book.addressOf(member),
      credentials: () => this.#duties?.credentials ?? {},
      principal: () => this.#duties?.principal ?? anonymous,
      space: () => this.#storage.space,
      hindrances: () => this.#eligibility.hindrances,
      access: () => this.#duties?.access,
      groups: () => [...this.groups].map(([group, host]) => ({ group, name: this.#nameOf(group), host })),
      troubled: () => this.#duties?.troubled.all ?? [],
      assertAllSpeak: () => this.#duties?.membership.assertAllSpeak(),
      fail: (error) => void this.#close(error),
      replicaCheckMs,
      closed: this.closed,
    })
  }

  /** A node without room gives its leaderships up; where no other can lead, it at least lets nothing grow. */
  #followSpace(): void {
    const { isLow } = this.#storage.space
    this.#eligibility.set('no-space', isLow)
    for (const host of this.groups.values()) host.refuseGrowth(isLow ? diskLow : undefined)
  }

  async #openHost(group: GroupId, { storage, restored }: OpenedGroup): Promise<StoreHost> {
    const { raft, store, keepRevisions, keepEntries } = this.#options
    const { snapshotEntries, snapshotBytes, snapshotAgeMs } = this.#options
    const host = await StoreHost.open({
      world: this.#world,
      raft: { ...raft, id: this.id },
      configuration: restored.initialConfiguration,
      storage,
      restored,
      transport: this.transport.group(group),
      observer: group === ownGroup ? this.#observeOwn() : this.#observe(group),
      ...store,
      ...(keepRevisions === undefined ? {} : { keepRevisions }),
      ...(snapshotEntries === undefined ? {} : { snapshotEntries }),
      ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
      ...(snapshotAgeMs === undefined ? {} : { snapshotAgeMs }),
      ...(keepEntries === undefined ? {} : { keepEntries }),
    })
    this.#eligibility.apply(host)
    if (this.#storage.space.isLow) host.refuseGrowth(diskLow)
    this.#operations.opened(group, host)
    return host
  }

  #observe(
    group: GroupId,
    observer: GroupObserver = this.#options.groupObserver?.(group) ?? {},
  ): GroupObserver {
    return {
      ...observer,
      stateChanged: (status) => {
        const { role, term, leader } = status
        this.#world.logger.log('info', 'raft state changed', { node: this.id, group, role, term, leader })
        this.#server?.leaderChanged(group, leader)
        if (group === ownGroup) this.#operations.leaderChanged(leader)
        observer.stateChanged?.(status)
      },
      lostData: (peer, matchIndex) => {
        this.#world.logger.log('error', 'a member has lost what it had acknowledged: replace it', {
          group,
          member: peer,
          matchIndex,
        })
        observer.lostData?.(peer, matchIndex)
      },
      failed: (error) => {
        observer.failed?.(error)
        void this.#close(error)
      },
    }
  }

  #observeOwn(): GroupObserver {
    const observer = this.#options.observer ?? {}
    return {
      ...this.#observe(ownGroup, observer),
      configurationChanged: (configuration, index) => {
        this.#configurationChanged(configuration)
        observer.configurationChanged?.(configuration, index)
      },
      configurationCommitted: (configuration, index) => {
        // One that catches up commits configurations from before its time; the one in use tells.
        const isNewest = index >= this.host.group.status().configurationIndex
        if (isNewest && this.#wasMember && !membersOf(configuration).includes(this.id))
          this.#leave(removedMember(this.id))
        observer.configurationCommitted?.(configuration, index)
      },
    }
  }

  #configurationChanged(configuration: Configuration): void {
    this.#book.configurationChanged(configuration)
    this.#server?.membersChanged()
    if (membersOf(configuration).includes(this.id)) this.#wasMember = true
    this.#duties?.membership.wake()
  }

  /** The flags are those of the cluster's beginning: what the log says since is what holds. */
  #compareWithFlags({ voters, addresses = {} }: Configuration): void {
    const flags = this.#options.members
    const isSame =
      flags.length === voters.length &&
      flags.every(({ id, address }) => voters.includes(id) && (addresses[id] ?? address) === address)
    if (isSame || flags.length === 0 || voters.length === 0) return
    this.#world.logger.log('info', 'the members given at the start are not those of the log, which holds', {
      given: flags,
      members: this.members,
    })
  }

  #reconcileGroups(): void {
    if (this.#duties === undefined || this.#closing !== undefined) return
    for (const gone of this.#duties.served.prune()) this.#server?.closeGroup((served) => served === gone)
    // A copy of group 1 that is behind may lack the descriptor of a group whose copy lies here.
    if (this.#isCaughtUp) this.#hosts.reconcile(this.#duties.directory.all)
    this.#duties.membership.wake()
  }

  #problem(): string | undefined {
    const { group } = this.host
    if (group.failure !== undefined) return group.failure.message
    if (this.#closing !== undefined) return 'closing'
    const { leader, commitIndex, appliedIndex, configuration } = group.status()
    if (configuration.voters.length === 0) return 'waiting to be admitted to the cluster'
    if (leader === 0) return 'no leader is known: a quorum of the members is needed'
    if (!this.#isCaughtUp) return 'catching up with the leader'
    if (commitIndex - appliedIndex > readyLagMax)
      return `${commitIndex - appliedIndex} committed entries are not yet applied`
    if (this.#eligibility.hindrances.has('no-space'))
      return 'the disk is almost full: this node does not lead; make room, or delete and compact'
    if (this.#eligibility.hindrances.has('draining'))
      return 'draining: it leads nothing and takes no new clients'
    return undefined
  }

  /** A read index that has been applied shows that this copy holds all that was committed when the node started. */
  #catchUp(): void {
    this.host.group.readBarrier((error) => {
      if (this.#closing !== undefined) return
      if (error === undefined) {
        this.#isCaughtUp = true
        this.#reconcileGroups()
      } else this.#catchUpTimer = this.#world.timers.after(catchUpRetryMs, () => this.#catchUp())
    })
  }

  #joinWhenNew(): void {
    const { host } = this
    if (host.group.configuration.voters.length > 0) return
    const { join, members, clusterId } = this.#options
    if (join === undefined) {
      const problem = 'this node was never admitted to its cluster: start it with its token (althing join)'
      void this.#close(new AlthingError('not-member', problem, { outcome: 'none' }))
      return
    }
    joinCluster({
      world: this.#world,
      clusterId,
      id: this.id,
      secret: join.secret,
      storageId: this.#storageId,
      address: this.#advertised,
      members,
      isOver: () => this.#closing !== undefined || host.group.configuration.voters.length > 0,
    }).catch((error: unknown) => this.#close(asAlthingError(error)))
  }

  /** A peer that this node has called will not have it. */
  #refusedBy(peer: NodeId, frame: Uint8Array): void {
    try {
      decodeWelcome(frame)
    } catch (error) {
      if (!isAlthingError(error, 'not-member')) return
      this.#world.logger.log('warn', 'refused by a member', { peer, reason: error.message })
      this.#leave(error)
    }
  }

  /** The folder is marked, so that the node does not come back under its number. */
  #leave(reason: AlthingError): void {
    if (this.#closing !== undefined || this.#isLeaving) return
    this.#isLeaving = true
    this.#world.logger.log('error', 'this node belongs to the cluster no more', { reason: reason.message })
    markRemoved(this.#world.disk, this.#options.directory, reason)
      .catch((error: unknown) => {
        const problem = asAlthingError(error).message
        this.#world.logger.log('warn', 'the folder could not be marked as removed', { reason: problem })
      })
      .finally(() => this.#world.timers.after(farewellMs, () => void this.#close(reason)))
  }

  #close(reason: AlthingError | undefined): Promise<void> {
    this.#closing ??= this.#shutDown(reason)
    return this.#closing
  }

  async #shutDown(reason: AlthingError | undefined): Promise<void> {
    this.#catchUpTimer?.cancel()
    this.#eligibility.close()
    this.#watch.close()
    this.#duties?.close()
    this.#hosts.close()
    this.transport.close()
    await this.#server?.close()
    await this.#duties?.access.close()
    try {
      await this.#storage.close()
    } catch (error) {
      // After a failed write the log cannot be closed in good order either; the reason is already known.
      this.#world.logger.log('warn', 'closing the log failed', { reason: asAlthingError(error).message })
    }
    this.#resolveClosed(reason)
  }
}

/** A new node that founds the cluster knows the voters; one that joins waits to be told. */
/** Its founding members are named, so this may be a folder made when they were named at every start, and not kept. */
function isFounded({ join, members }: ClusterNodeOptions): boolean {
  return join === undefined && members.length > 0
}

function firstConfiguration({ members, join, id }: ClusterNodeOptions): Configuration {
  if (join !== undefined) return { voters: [] }
  if (members.length === 0) {
    const problem = `the folder of node ${id} is new: name the founding members (--members), or join a cluster with the token of \`althing member add\``
    throw new AlthingError('invalid-argument', problem, { outcome: 'none' })
  }
  return {
    voters: members.map((member) => member.id),
    addresses: Object.fromEntries(members.map((member) => [member.id, member.address])),
  }
}

function addressOf({ id, members, listen }: ClusterNodeOptions, initial: Configuration): string {
  const address = members.find((member) => member.id === id)?.address ?? initial.addresses?.[id] ?? listen
  if (address === undefined) throw invalidArgument('listen', listen, 'the address that this node listens on')
  return address
}

function validateMembers({ id, members, clusterId }: ClusterNodeOptions): void {
  if (clusterId === '') throw invalidArgument('clusterId', clusterId, 'a name that all members share')
  const ids = members.map((member) => member.id)
  if (!ids.every((each) => Number.isSafeInteger(each) && each > 0))
    throw invalidArgument('members', ids, 'whole numbers > 0')
  if (new Set(ids).size !== ids.length)
    throw invalidArgument('members', ids, 'a list in which each member id stands once')
  if (ids.length > 0 && !ids.includes(id))
    throw invalidArgument('id', id, `one of the members: ${ids.join(', ')}`)
}
