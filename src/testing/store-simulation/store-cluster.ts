import { byteStringFromBytes, byteStringFromText } from '../../base/bytes.ts'
import { asAlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { type ClusterNode, openClusterNode } from '../../engines/cluster/cluster-node.ts'
import { type MemberRecord, memberKeys } from '../../engines/cluster/membership/member-record.ts'
import { quotaBytesMin } from '../../engines/local/store-admission.ts'
import { membersOf } from '../../protocols/raft/configuration.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { GroupId } from '../../replication/group-id.ts'
import type { Member } from '../../replication/peer-transport.ts'
import type { GroupObserver } from '../../replication/raft-group.ts'
import type { MemberStep } from '../invariants/cluster-view.ts'
import { InvariantViolation } from '../invariants/violation.ts'
import type { Damage } from '../world/simulated-disk.ts'
import type { ProcessExit, SimulatedProcess } from '../world/simulated-process.ts'
import type { Simulation } from '../world/simulation.ts'
import type { StoreConfiguration } from './configuration.ts'
import { judgeDamage } from './damage.ts'
import { GroupUnderTest } from './group-under-test.ts'
import { SystemRecords } from './system-records.ts'

export interface StoreClusterOptions {
  readonly simulation: Simulation
  readonly configuration: StoreConfiguration
  violated(violation: InvariantViolation): void
  /** The damage of this node's disk hit no data: it takes part again. */
  harmless(process: SimulatedProcess): void
  /** Sees every step of every machine of group 1. */
  stepped?(step: MemberStep): void
}

/** How a node is started: as a founder, or with what it was invited with. */
interface Place extends Member {
  readonly process: SimulatedProcess
  readonly members: readonly Member[]
  readonly join?: { readonly secret: string }
  /** Its disk was emptied: nobody may take it for the member that it was. */
  isWiped: boolean
}

export const clusterId = 'simulated'
const ownGroup: GroupId = 1

/** The nodes under test, each on a machine of its own, with every step of theirs under the eyes of the invariants. */
export class StoreCluster {
  /** Of all nodes that ever were, in the order of their numbers. Grows. */
  readonly endpoints: string[] = []
  readonly processes: SimulatedProcess[] = []
  readonly hosts: string[] = []
  readonly founders: readonly Member[]
  readonly records: SystemRecords
  readonly #options: StoreClusterOptions
  readonly #groups = new Map<GroupId, GroupUnderTest>()
  readonly #places = new Map<NodeId, Place>()
  readonly #nodes = new Map<NodeId, ClusterNode>()
  readonly #damaged = new Map<NodeId, Damage>()
  #refusals = 0

  constructor(options: StoreClusterOptions) {
    this.#options = options
    this.founders = Array.from({ length: options.configuration.nodes }, (_, i) => ({
      id: i + 1,
      address: `node${i + 1}:7400`,
    }))
    this.records = new SystemRecords(() => this.own.log.model)
    this.group(ownGroup)
    for (const member of this.founders) this.#place(member, this.founders)
  }

  /** Group 1. */
  get own(): GroupUnderTest {
    return this.group(ownGroup)
  }

  get groups(): ReadonlyMap<GroupId, GroupUnderTest> {
    return this.#groups
  }

  /** The group of that number, whose copies are watched from their first step. */
  group(id: GroupId): GroupUnderTest {
    let group = this.#groups.get(id)
    if (group === undefined) {
      const { simulation, violated, stepped } = this.#options
      const founders = id === ownGroup ? this.founders.map((member) => member.id) : []
      const nowMs = (): number => simulation.nowMs
      const watched = id === ownGroup && stepped !== undefined ? { stepped } : {}
      group = new GroupUnderTest({ id, founders, nowMs, violated, ...watched })
      this.#groups.set(id, group)
    }
    return group
  }

  /** Nodes that run and serve now. */
  get nodes(): ClusterNode[] {
    return [...this.#nodes].filter(([id]) => this.processOf(id)?.isRunning === true).map(([, node]) => node)
  }

  idOf(process: SimulatedProcess): NodeId {
    for (const place of this.#places.values()) if (place.process === process) return place.id
    return 0
  }

  processOf(id: NodeId): SimulatedProcess | undefined {
    return this.#places.get(id)?.process
  }

  /** How often a node refused to start from a damaged disk. */
  get refusals(): number {
    return this.#refusals
  }

  /** A new node on a machine of its own, with the invitation that it was given. */
  add(member: Member, members: readonly Member[], secret: string): void {
    if (this.#places.has(member.id)) return
    this.#place(member, [...members, member], { secret })
  }

  /** It was asked to come, and has not been let in yet. */
  isInvited(id: NodeId): boolean {
    const state = this.records.get<MemberRecord>(memberKeys.record(id))?.state
    return state === 'invited' || state === 'joined'
  }

  isOut(id: NodeId): boolean {
    return this.#damaged.has(id) || this.#places.get(id)?.isWiped === true
  }

  /** A bit was flipped on the disk of a node that is down, or the like: starts it, to see whether it notices. */
  damaged(process: SimulatedProcess, damage: Damage): void {
    this.#damaged.set(this.idOf(process), damage)
    process.start()
  }

  /** All other voters have on their disks which folder the member came with: none of them will take another for it, whenever it is started. */
  isKnown(id: NodeId, storageId: string): boolean {
    return this.own.configuration.voters.every((voter) => {
      if (voter === id || this.isOut(voter)) return true
      const names = this.processOf(voter)?.disk.names
      const file = names?.get(`node-${voter}/known-members.json`)
      if (names === undefined || file === undefined || file === 'folder' || names.hasUnsynced) return false
      // Not as text: it may be damaged.
      return byteStringFromBytes(file.read(0, file.size)).includes(byteStringFromText(storageId))
    })
  }

  /** The machine gets a new, empty disk, and its node comes back as if nothing had been. */
  wipe(id: NodeId): void {
    const place = this.#places.get(id)
    if (place === undefined) return
    place.isWiped = true
    place.process.crash('power')
    this.#nodes.delete(id)
    place.process.disk.wipe()
    place.process.start()
  }

  /** A node that has lost its disk must not be taken for the member that it was: it neither leads nor is ready to serve. */
  lookAtWiped(): void {
    for (const { id, isWiped } of this.#places.values()) {
      const node = isWiped ? this.#nodes.get(id) : undefined
      if (node === undefined || this.processOf(id)?.isRunning !== true) continue
      const isLeading = [...node.groups.values()].some(({ group }) => group.role === 'leader')
      if (!isLeading && !node.status().isReady) continue
      const what = `node ${id} came back with an empty disk, and ${isLeading ? 'leads' : 'serves'}`
      this.#options.violated(new InvariantViolation('wiped-node-stays-out', what))
    }
  }

  /** Compares what every running node has with the end of the logs. */
  checkReplicas(): InvariantViolation | undefined {
    for (const node of this.nodes) {
      if (this.isOut(node.id)) continue
      for (const [id, { group, model }] of node.groups) {
        if (group.appliedIndex !== this.group(id).log.index) continue
        const violation = this.group(id).checkWhole(node.id, group.appliedIndex, model)
        if (violation !== undefined) return violation
      }
    }
    return undefined
  }

  #place(member: Member, members: readonly Member[], join?: { readonly secret: string }): void {
    const { id } = member
    const process = this.#options.simulation.process(`node${id}`, (world) => this.#run(id, world), {
      acceptExit: (exit) => this.#acceptExit(id, exit),
      autoStart: false,
    })
    const joining = join === undefined ? {} : { join }
    this.#places.set(id, { ...member, ...joining, process, members, isWiped: false })
    this.endpoints.push(member.address)
    this.processes.push(process)
    this.hosts.push(process.host)
    process.start()
  }

  async #run(id: NodeId, world: World): Promise<void> {
    this.#nodes.delete(id)
    const place = this.#places.get(id) as Place
    if (!(await this.#mayTakePart(id, world))) return
    const { configuration } = this.#options
    const node = await openClusterNode({
      world,
      id,
      clusterId,
      members: place.members,
      ...(place.join === undefined ? {} : { join: place.join }),
      raft: {
        electionTimeoutMs: configuration.electionTimeoutMs,
        heartbeatMs: configuration.heartbeatMs,
        inflightMessagesMax: configuration.inflightMessagesMax,
        messageBytesMax: configuration.messageBytesMax,
        leaseDriftMax: configuration.leaseDriftMax,
      },
      files: {
        segmentBytes: configuration.segmentBytes,
        snapshotBlockBytes: configuration.snapshotBlockBytes,
        spaceLowBytes: configuration.segmentBytes,
      },
      snapshotEntries: configuration.snapshotEntries,
      snapshotAgeMs: configuration.snapshotAgeMs,
      keepEntries: configuration.keepEntries,
      keepRevisions: configuration.keepRevisions,
      replicaCheckMs: configuration.replicaCheckMs,
      ...(configuration.hasQuota ? { store: { bounds: { quotaBytes: quotaBytesMin } } } : {}),
      ...this.#observersOf(place),
    })
    this.#nodes.set(id, node)
    const failure = await node.closed
    if (failure !== undefined) throw failure
  }

  /** What an emptied node does is no member's doing: it is only looked at from outside. */
  #observersOf({ id, isWiped }: Place): {
    observer?: GroupObserver
    groupObserver?: (group: GroupId) => GroupObserver
  } {
    if (isWiped) return {}
    const observe = (group: GroupId): GroupObserver =>
      this.group(group).observe(id, {
        model: () => this.#nodes.get(id)?.groups.get(group)?.model,
        isFull: () => this.#nodes.get(id)?.storage.space.isLow === true,
      })
    return { observer: observe(ownGroup), groupObserver: observe }
  }

  /**
   * Judges a damaged disk. A node that refuses it stays out for the rest of the run: with an emptied disk it would have forgotten votes and entries
   * that the others count on, so that it can only come back as another member.
   */
  async #mayTakePart(id: NodeId, world: World): Promise<boolean> {
    const damage = this.#damaged.get(id)
    if (damage === undefined) return true
    const verdict = await judgeDamage(world, `node-${id}`, { clusterId, nodeId: id }, damage, this.#groups)
    if (verdict === 'harmless') {
      this.#damaged.delete(id)
      this.#options.harmless(this.processOf(id) as SimulatedProcess)
      return true
    }
    if (verdict === 'refused') this.#refusals++
    else this.#options.violated(verdict)
    return false
  }

  /** A node may end by itself only because its disk failed it, or because it is no member any more, or does not look like the one that it was. */
  #acceptExit(id: NodeId, { error }: ProcessExit): boolean {
    this.#nodes.delete(id)
    if (isDiskFailure(error)) return true
    if (isAlthingError(error, 'not-member') && this.#hasLeft(id)) return true
    // One that came by invitation shows its token again, which has been used.
    const isRefused = isAlthingError(error, 'incompatible-peer') || isAlthingError(error, 'permission-denied')
    if (isRefused && this.#places.get(id)?.isWiped === true) return true
    this.#options.violated(toViolation(id, error))
    return true
  }

  #hasLeft(id: NodeId): boolean {
    const record = this.records.get<MemberRecord>(memberKeys.record(id))
    const isOnItsWay = record?.state === 'leaving' || record?.state === 'removed'
    return (
      isOnItsWay || this.#places.get(id)?.isWiped === true || !membersOf(this.own.configuration).includes(id)
    )
  }
}

/** A node may end by itself for this. */
export function isDiskFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isAlthingError(cause, 'disk-failed')) return true
  }
  return false
}

function toViolation(id: NodeId, error: unknown): InvariantViolation {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof InvariantViolation) return cause
    if (cause.name === 'AssertionError')
      return new InvariantViolation('assertion', `node ${id}: ${cause.message}`, cause.stack)
  }
  const { code, message } = asAlthingError(error)
  const stack = error instanceof Error ? error.stack : undefined
  return new InvariantViolation('node-goes-on', `node ${id} ended by itself: ${message} [${code}]`, stack)
}
