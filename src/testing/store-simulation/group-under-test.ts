import { decodeConfiguration, isJoint } from '../../protocols/raft/configuration.ts'
import type { Configuration, NodeId, RaftEffect, RaftEvent } from '../../protocols/raft/types.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import type { GroupId } from '../../replication/group-id.ts'
import type { GroupObserver } from '../../replication/raft-group.ts'
import { ClusterView, type MemberStep, type RaftView } from '../invariants/cluster-view.ts'
import { CommittedLog } from '../invariants/committed-log.ts'
import { createRaftInvariants } from '../invariants/raft-invariants.ts'
import { ReplicasEqual } from '../invariants/replicas-equal.ts'
import { InvariantViolation } from '../invariants/violation.ts'
import { Observations } from './observations.ts'

export interface GroupUnderTestOptions {
  readonly id: GroupId
  /** Its first configuration. */
  readonly founders: readonly NodeId[]
  nowMs(): number
  violated(violation: InvariantViolation): void
  /** Sees every step of every machine. */
  stepped?(step: MemberStep): void
}

/** What happened to the members of a group. */
export interface MemberCounts {
  jointChanges: number
  learnersAdded: number
  votersRemoved: number
  snapshotsInstalled: number
  /** Copies made on nodes that had given up one before. */
  copiesReturned: number
  /** Leaderships given up by nodes whose disk was all but full, or slow. */
  givenUpFull: number
  givenUpSlow: number
  /** Reads that a leader answered by its lease, without asking anybody. */
  leaseReads: number
}

/** What is to be seen of a node besides its machine. */
export interface NodeUnderTest {
  model(): StoreModel | undefined
  /** Its disk is all but full. */
  isFull(): boolean
}

/** One group: all its copies under the eyes of the invariants, the truth of its log, and what its clients saw. */
export class GroupUnderTest {
  readonly id: GroupId
  readonly log = new CommittedLog()
  readonly view: ClusterView
  readonly observations: Observations
  readonly counts: MemberCounts = {
    jointChanges: 0,
    learnersAdded: 0,
    votersRemoved: 0,
    snapshotsInstalled: 0,
    copiesReturned: 0,
    givenUpFull: 0,
    givenUpSlow: 0,
    leaseReads: 0,
  }
  readonly #options: GroupUnderTestOptions
  readonly #replicas: ReplicasEqual
  #configuration: Configuration
  #configurationIndex = 0

  constructor(options: GroupUnderTestOptions) {
    this.#options = options
    this.id = options.id
    this.#configuration = { voters: options.founders }
    this.#replicas = new ReplicasEqual(this.log)
    const violated = (violation: InvariantViolation): void => options.violated(this.#named(violation))
    this.view = new ClusterView(options.founders, createRaftInvariants(), violated)
    this.observations = new Observations({ monotonicMs: () => options.nowMs() }, violated)
  }

  /** The newest one that was committed. */
  get configuration(): Configuration {
    return this.#configuration
  }

  get isJoint(): boolean {
    return isJoint(this.#configuration)
  }

  /** A node opens its copy: what it is to tell of it. */
  observe(node: NodeId, { model, isFull }: NodeUnderTest): GroupObserver {
    if (this.view.members.get(node)?.hasGivenUp === true) this.counts.copiesReturned++
    const life = this.view.started(node)
    const applied = (index: number): void => {
      const state = model()
      if (state === undefined || this.view.members.get(node)?.life !== life) return
      this.#report(this.#replicas.checkApplied(node, index, state))
    }
    return {
      stepped: (event, effects, raft) => {
        const step = this.#stepped(node, life, event, effects, raft)
        if (step !== undefined) this.#count(step, isFull)
      },
      givenUp: () => this.view.givenUp(node),
      applied,
      restored: (snapshot) => applied(snapshot.index),
    }
  }

  /** Compares all of a copy, which must have applied the whole log. */
  checkWhole(node: NodeId, index: number, model: StoreModel): InvariantViolation | undefined {
    const violation = this.#replicas.checkWhole(node, index, model)
    return violation && this.#named(violation)
  }

  #stepped(
    node: NodeId,
    life: number,
    event: RaftEvent,
    effects: readonly RaftEffect[],
    raft: RaftView,
  ): MemberStep | undefined {
    if (this.view.members.get(node)?.life !== life) return undefined
    const nowMs = this.#options.nowMs()
    const step = this.view.stepped(nowMs, node, event, effects, raft)
    for (const effect of effects) {
      if (effect.type !== 'apply') continue
      this.log.add(nowMs, effect.entries)
      for (const { index, kind, data } of effect.entries)
        if (kind === 'configuration' && index > this.#configurationIndex)
          this.#committed(decodeConfiguration(data), index)
    }
    if (this.#configurationIndex === 0 && this.#configuration.voters.length === 0)
      this.#configuration = step.after.configuration
    this.#options.stepped?.(step)
    return step
  }

  #count({ event, before, effects, after }: MemberStep, isFull: () => boolean): void {
    const { counts } = this
    if (event.type === 'snapshotInstalled') counts.snapshotsInstalled++
    if (before?.role !== 'leader') return
    if (event.type === 'setEligible' && !event.eligible) {
      if (isFull()) counts.givenUpFull++
      else counts.givenUpSlow++
    }
    // A lone voter needs no lease.
    const isAnswered = effects.some(({ type }) => type === 'readReady')
    if (event.type === 'read' && isAnswered && after.configuration.voters.length > 1) counts.leaseReads++
  }

  #committed(next: Configuration, index: number): void {
    const before = this.#configuration
    this.#configuration = next
    this.#configurationIndex = index
    if (isJoint(next)) this.counts.jointChanges++
    const learned = (next.learners ?? []).filter((id) => before.learners?.includes(id) !== true)
    this.counts.learnersAdded += learned.length
    const gone = before.voters.filter((id) => !next.voters.includes(id))
    this.counts.votersRemoved += gone.length
  }

  #report(violation: InvariantViolation | undefined): void {
    if (violation !== undefined) this.#options.violated(this.#named(violation))
  }

  #named(violation: InvariantViolation): InvariantViolation {
    if (this.id === 1) return violation
    const { invariant, explanation, message } = violation
    const what = message.slice(invariant.length + 2)
    return new InvariantViolation(invariant, `group ${this.id}: ${what}`, explanation)
  }
}
