import { asAlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { type ClusterNode, openClusterNode } from '../../engines/cluster/cluster-node.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import { ClusterView, type Member, type MemberStep, type RaftView } from '../invariants/cluster-view.ts'
import type { CommittedLog } from '../invariants/committed-log.ts'
import { createRaftInvariants } from '../invariants/raft-invariants.ts'
import { ReplicasEqual } from '../invariants/replicas-equal.ts'
import { InvariantViolation } from '../invariants/violation.ts'
import type { Damage } from '../world/simulated-disk.ts'
import type { ProcessExit, SimulatedProcess } from '../world/simulated-process.ts'
import type { Simulation } from '../world/simulation.ts'
import type { StoreConfiguration } from './configuration.ts'
import { judgeDamage } from './damage.ts'

export interface StoreClusterOptions {
  readonly simulation: Simulation
  readonly configuration: StoreConfiguration
  readonly log: CommittedLog
  violated(violation: InvariantViolation): void
  /** The damage of this node's disk hit no data: it takes part again. */
  harmless(process: SimulatedProcess): void
  /** Sees every step of every machine: for traces. */
  stepped?(step: MemberStep): void
}

const clusterId = 'simulated'

/** The nodes under test, each on a machine of its own, with every step of theirs under the eyes of the invariants. */
export class StoreCluster {
  readonly members: readonly { readonly id: NodeId; readonly address: string }[]
  readonly processes: readonly SimulatedProcess[]
  readonly view: ClusterView
  readonly #options: StoreClusterOptions
  readonly #replicas: ReplicasEqual
  readonly #nodes = new Map<NodeId, ClusterNode>()
  readonly #damaged = new Map<NodeId, Damage>()
  #refusals = 0
  #snapshotsInstalled = 0

  constructor(options: StoreClusterOptions) {
    this.#options = options
    const { configuration, log, simulation } = options
    this.members = Array.from({ length: configuration.nodes }, (_, i) => ({
      id: i + 1,
      address: `node${i + 1}:7400`,
    }))
    this.#replicas = new ReplicasEqual(log)
    const ids = this.members.map(({ id }) => id)
    this.view = new ClusterView(ids, createRaftInvariants(), (violation) => options.violated(violation))
    this.processes = ids.map((id) =>
      simulation.process(`node${id}`, (world) => this.#run(id, world), {
        acceptExit: (exit) => this.#acceptExit(id, exit),
      }),
    )
  }

  /** Nodes that run and serve now. */
  get nodes(): ClusterNode[] {
    return [...this.#nodes].filter(([id]) => this.#processOf(id).isRunning).map(([, node]) => node)
  }

  idOf(process: SimulatedProcess): NodeId {
    return this.processes.indexOf(process) + 1
  }

  /** How often a node refused to start from a damaged disk. */
  get refusals(): number {
    return this.#refusals
  }

  /** How often a node has taken over the state of another. */
  get snapshotsInstalled(): number {
    return this.#snapshotsInstalled
  }

  /** A bit was flipped on the disk of a node that is down: starts it, to see whether it notices. */
  damaged(process: SimulatedProcess, flip: Damage): void {
    this.#damaged.set(this.idOf(process), flip)
    process.start()
  }

  /** Compares what every running node has with the end of the log. */
  checkReplicas(): InvariantViolation | undefined {
    for (const { id, host } of this.nodes) {
      const violation = this.#replicas.checkWhole(id, host.group.appliedIndex, host.model)
      if (violation !== undefined) return violation
    }
    return undefined
  }

  async #run(id: NodeId, world: World): Promise<void> {
    this.#nodes.delete(id)
    if (!(await this.#mayTakePart(id, world))) return
    const { configuration } = this.#options
    const life = this.view.started(id)
    const node = await openClusterNode({
      world,
      id,
      members: this.members,
      clusterId,
      raft: {
        electionTimeoutMs: configuration.electionTimeoutMs,
        heartbeatMs: configuration.heartbeatMs,
        inflightMessagesMax: configuration.inflightMessagesMax,
        messageBytesMax: configuration.messageBytesMax,
      },
      files: {
        segmentBytes: configuration.segmentBytes,
        snapshotBlockBytes: configuration.snapshotBlockBytes,
      },
      snapshotEntries: configuration.snapshotEntries,
      keepEntries: configuration.keepEntries,
      observer: {
        stepped: (event, effects, raft) => this.#stepped(id, life, event, effects, raft),
        applied: (index) => this.#applied(id, index),
        restored: (snapshot) => this.#applied(id, snapshot.index),
      },
    })
    this.#nodes.set(id, node)
    const failure = await node.closed
    if (failure !== undefined) throw failure
  }

  /**
   * Judges a damaged disk. A node that refuses it stays out for the rest of the run: with an emptied disk it would have forgotten votes and entries
   * that the others count on, so that it could only come back as another member.
   */
  async #mayTakePart(id: NodeId, world: World): Promise<boolean> {
    const flip = this.#damaged.get(id)
    if (flip === undefined) return true
    const identity = { clusterId, nodeId: id }
    const verdict = await judgeDamage(
      world,
      `node-${id}`,
      identity,
      flip,
      this.view.members.get(id) as Member,
    )
    if (verdict === 'harmless') {
      this.#damaged.delete(id)
      this.#options.harmless(this.#processOf(id))
      return true
    }
    if (verdict === 'refused') this.#refusals++
    else this.#options.violated(verdict)
    return false
  }

  #stepped(
    id: NodeId,
    life: number,
    event: MemberStep['event'],
    effects: MemberStep['effects'],
    raft: RaftView,
  ): void {
    if (this.view.members.get(id)?.life !== life) return
    const { simulation, log } = this.#options
    if (event.type === 'snapshotInstalled') this.#snapshotsInstalled++
    const step = this.view.stepped(simulation.nowMs, id, event, effects, raft)
    for (const effect of effects) if (effect.type === 'apply') log.add(simulation.nowMs, effect.entries)
    this.#options.stepped?.(step)
  }

  #applied(id: NodeId, index: number): void {
    const node = this.#nodes.get(id)
    if (node === undefined) return
    const violation = this.#replicas.checkApplied(id, index, node.host.model)
    if (violation !== undefined) this.#options.violated(violation)
  }

  /** A node may end by itself only because its disk failed it. */
  #acceptExit(id: NodeId, { error }: ProcessExit): boolean {
    this.#nodes.delete(id)
    if (isDiskFailure(error)) return true
    this.#options.violated(toViolation(id, error))
    return true
  }

  #processOf(id: NodeId): SimulatedProcess {
    return this.processes[id - 1] as SimulatedProcess
  }
}

function isDiskFailure(error: unknown): boolean {
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
