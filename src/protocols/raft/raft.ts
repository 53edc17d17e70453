import { assert, unreachable } from '../../base/assert.ts'
import type { Random } from '../../contracts/world.ts'
import { acceptEntries, refuseStaleEntries } from './append.ts'
import { Core } from './core.ts'
import { Election } from './election.ts'
import { Leadership } from './leadership.ts'
import { ForwardedReads, refuseReadIndex } from './read-index.ts'
import { acceptChunk, completeInstall, refuseStaleChunk } from './snapshot.ts'
import {
  type Configuration,
  type Entry,
  type Message,
  type NodeId,
  type ProgressStatus,
  type RaftEffect,
  type RaftEvent,
  type RaftOptions,
  type RaftStatus,
  type RestoredState,
  raftDefaults,
  type SnapshotMeta,
} from './types.ts'

type InstallSnapshot = Extract<Message, { type: 'installSnapshot' }>

const noProgress: ReadonlyMap<NodeId, ProgressStatus> = new Map()

/** Questions of one start of a node on the wire: more than it can ask before its next start. */
const questionsPerStart = 2 ** 32

/**
 * One member of a raft group, as a pure machine: events in, effects out; no I/O, no clock, no promise. The same events with the same times
 * and the same random numbers give the same effects.
 *
 *     event ──> step ──┬─ Election      votes, both sides
 *                      ├─ append.ts     a follower's log
 *                      ├─ snapshot.ts   a follower's snapshot
 *                      ├─ Leadership    one reign: progress of followers, commit index, reads, transfer, changes of members
 *                      └─ Core          term, vote, log, what is durable ──> effects
 *
 * It throws an `AssertionError` when an invariant of raft is broken (a bug, or a disk that lost what it had called durable); the node must then
 * stop, for nothing it says can be trusted.
 */
export class Raft {
  readonly #core: Core
  readonly #election: Election
  readonly #forwardedReads: ForwardedReads
  #leadership: Leadership | undefined

  /**
   * `random` is used for the election timeouts, and for a number that tells this start of the node from its earlier ones.
   * `nowMs` is the monotonic time. Step a `tick` right away: a group with one voter has something to do.
   */
  constructor(
    options: Partial<RaftOptions> & { readonly id: NodeId },
    restored: RestoredState,
    random: Random,
    nowMs: number,
  ) {
    this.#core = new Core(validated({ ...raftDefaults, ...options }), restored, random, nowMs)
    this.#election = new Election(this.#core)
    this.#forwardedReads = new ForwardedReads(this.#core, random.integer(1, 2 ** 20) * questionsPerStart)
  }

  /** Handles one event. `nowMs` never goes back. The effects are the caller's to perform, in order: see {@link RaftEffect}. */
  step(event: RaftEvent, nowMs: number): RaftEffect[] {
    this.#core.beginStep(nowMs)
    // Before anything else: after a stall this node may have been deposed without having heard of it.
    if (this.#leadership?.hasQuorumContact() === false) {
      this.#core.becomeFollower(this.#core.term, 0)
      this.#settle()
    }
    this.#handle(event)
    this.#settle()
    return this.#core.endStep()
  }

  /** A fresh object; `progress` in it is a live view. */
  status(): RaftStatus {
    const core = this.#core
    return {
      id: core.id,
      role: core.role,
      term: core.term,
      vote: core.vote,
      leader: core.leader,
      commitIndex: core.commitIndex,
      appliedIndex: core.appliedIndex,
      firstIndex: core.log.firstIndex,
      lastIndex: core.log.lastIndex,
      lastTerm: core.log.lastTerm,
      persistedIndex: core.durability.persistedIndex,
      configuration: core.configuration,
      configurationIndex: core.configurationIndex,
      isEligible: core.isEligible,
      progress: this.#leadership?.progress ?? noProgress,
      nextDeadlineMs: this.nextDeadlineMs,
      committedInTerm: this.#leadership?.committedInTerm ?? false,
    }
  }

  /** When `tick` has something to do next; `Infinity` for never. Allocates nothing. */
  get nextDeadlineMs(): number {
    if (this.#leadership !== undefined) return this.#leadership.nextDeadlineMs
    const electionMs = this.#core.mayCampaign ? this.#core.electionDeadlineMs : Number.POSITIVE_INFINITY
    return Math.min(electionMs, this.#forwardedReads.deadlineMs)
  }

  /** The newest in the log: the one in use. */
  get configuration(): Configuration {
    return this.#core.configuration
  }

  /** The configuration that a snapshot of the state at `index` carries. `index` is not before the last `applied`. */
  configurationAt(index: number): Configuration {
    return this.#core.configurationAt(index)
  }

  /** Term of the entry at `index`; `undefined` when it is past the end or was cut off (the one right before `firstIndex` is known). */
  term(index: number): number | undefined {
    return this.#core.log.term(index)
  }

  /** Entries `from..through`, both included and held, as many as fit into `bytesMax` but at least one. The array is never changed. */
  entries(from: number, through: number, bytesMax: number): readonly Entry[] {
    return this.#core.log.entries(from, through, bytesMax)
  }

  /** One chunk for the transfer that `sendSnapshot` asked for; `undefined` when this node leads no more. May be sent at once. */
  snapshotMessage(
    to: NodeId,
    transferId: number,
    snapshot: SnapshotMeta,
    offset: number,
    data: Uint8Array,
    done: boolean,
  ): InstallSnapshot | undefined {
    const leadership = this.#leadership
    if (leadership === undefined) return undefined
    const { id: from, term } = this.#core
    const { round } = leadership
    return { type: 'installSnapshot', from, to, term, snapshot, transferId, offset, data, done, round }
  }

  /**
   * The answer to a chunk of `acceptSnapshot`: `offset` bytes of the snapshot at `index` have come without a gap. May be sent at once. That
   * the snapshot is installed is not said with it but by the effects of `snapshotInstalled`.
   */
  snapshotReply(
    to: NodeId,
    transferId: number,
    index: number,
    offset: number,
  ): Extract<Message, { type: 'installSnapshotReply' }> {
    const { id: from, term, leader, heardRound } = this.#core
    return {
      type: 'installSnapshotReply',
      from,
      to,
      term,
      transferId,
      offset,
      installed: false,
      index,
      round: leader === to ? heardRound : 0,
    }
  }

  #handle(event: RaftEvent): void {
    const core = this.#core
    switch (event.type) {
      case 'tick':
        this.#election.tick()
        return this.#leadership?.tick()
      case 'receive':
        return this.#receive(event.message)
      case 'propose':
        if (this.#leadership !== undefined) return this.#leadership.propose(event)
        return core.emit({ type: 'proposalsDropped', id: event.id, reason: 'not-leader' })
      case 'persisted':
        core.durability.complete(event.sequence)
        this.#election.persisted()
        return this.#leadership?.persisted()
      case 'applied':
        return core.applied(event.index)
      case 'read':
        if (this.#leadership !== undefined) return this.#leadership.read(core.id, event.id)
        return this.#forwardedReads.add(event.id)
      case 'compacted':
        return core.compact(event.snapshot, event.keepEntries)
      case 'snapshotInstalled':
        completeInstall(core, event.from, event.transferId, event.snapshot)
        return this.#leadership?.snapshotInstalled()
      case 'snapshotSent':
        return this.#leadership?.snapshotSent(event.to, event.index, event.ok)
      case 'peerUnreachable':
        this.#leadership?.peerUnreachable(event.peer)
        if (event.peer === core.leader) this.#forwardedReads.dropAll()
        if (event.isGone === true) core.leaderGone(event.peer)
        return
      case 'transferLeadership':
        return this.#leadership?.transferTo(event.to)
      case 'changeConfiguration':
        if (this.#leadership !== undefined) return this.#leadership.changeConfiguration(event)
        return core.emit({ type: 'configurationRefused', id: event.id, reason: 'not-leader' })
      case 'setEligible':
        if (event.eligible === core.isEligible) return
        core.setEligible(event.eligible)
        if (!event.eligible) this.#leadership?.handOver()
        return
      default:
        return unreachable(event)
    }
  }

  #receive(message: Message): void {
    const core = this.#core
    assert(message.to === core.id && message.from !== core.id, 'a message is for this node', {
      id: core.id,
      from: message.from,
      to: message.to,
    })
    if (message.term > core.term && !this.#entersTerm(message)) return
    if (message.term < core.term) this.#handleStale(message)
    else this.#handleCurrent(message)
  }

  /** Takes on a later term (paper section 5.1). Returns whether the message is to be handled. */
  #entersTerm(message: Message): boolean {
    const core = this.#core
    // Neither a question about a term nor its answer makes anyone enter it (thesis section 9.6).
    if (message.type === 'requestVote' && message.preVote) return true
    if (message.type === 'requestVoteReply' && message.preVote && message.granted) return true
    // A server that this node's leader cannot reach any more must not depose it (thesis section 4.2.3).
    if (message.type === 'requestVote' && !message.transfer && core.isInTouchWithLeader) return false
    const isFromLeader = message.type === 'appendEntries' || message.type === 'installSnapshot'
    core.becomeFollower(message.term, isFromLeader ? message.from : 0)
    this.#settle()
    return true
  }

  /** Of an earlier term: those who ask are told the present one, the rest is void. */
  #handleStale(message: Message): void {
    const core = this.#core
    switch (message.type) {
      case 'requestVote': {
        const { preVote } = message
        return core.send(message.from, { type: 'requestVoteReply', preVote, granted: false })
      }
      case 'requestVoteReply':
        if (message.preVote && !message.granted) this.#election.handleReply(message)
        return
      case 'appendEntries':
        return refuseStaleEntries(core, message)
      case 'installSnapshot':
        return refuseStaleChunk(core, message)
      case 'readIndex':
        return refuseReadIndex(core, message.from, message.id)
      case 'appendEntriesReply':
      case 'installSnapshotReply':
      case 'timeoutNow':
      case 'readIndexReply':
        return
      default:
        return unreachable(message)
    }
  }

  #handleCurrent(message: Message): void {
    const core = this.#core
    switch (message.type) {
      case 'appendEntries':
        return acceptEntries(core, message)
      case 'appendEntriesReply':
        return this.#leadership?.handleAppendReply(message)
      case 'requestVote':
        return this.#election.handleRequest(message)
      case 'requestVoteReply':
        return this.#election.handleReply(message)
      case 'installSnapshot':
        return acceptChunk(core, message)
      case 'installSnapshotReply':
        return this.#leadership?.handleSnapshotReply(message)
      case 'timeoutNow':
        return this.#election.handleTimeoutNow()
      case 'readIndex':
        if (this.#leadership !== undefined) return this.#leadership.read(message.from, message.id)
        return refuseReadIndex(core, message.from, message.id)
      case 'readIndexReply':
        return this.#forwardedReads.answered(message.id, message.index)
      default:
        return unreachable(message)
    }
  }

  /** Opens and ends reigns as the role says, and gives up on what was asked of a leader that is none any more. */
  #settle(): void {
    const core = this.#core
    if (this.#leadership?.isOver === true && core.role === 'leader') core.becomeFollower(core.term, 0)
    if (this.#leadership !== undefined && core.role !== 'leader') {
      const ended = this.#leadership
      this.#leadership = undefined
      ended.end()
    }
    this.#forwardedReads.check()
    if (this.#leadership === undefined && core.role === 'leader') {
      this.#leadership = new Leadership(core)
      this.#leadership.begin()
    }
  }
}

function validated(options: RaftOptions): RaftOptions {
  const { id, electionTimeoutMs, heartbeatMs, leaseDriftMax, announceDelayMs } = options
  assert(Number.isSafeInteger(id) && id > 0, 'id is an integer > 0', { id })
  assert(heartbeatMs > 0, 'heartbeatMs is > 0', { heartbeatMs })
  assert(electionTimeoutMs >= 2 * heartbeatMs, 'electionTimeoutMs is at least twice heartbeatMs', {
    electionTimeoutMs,
    heartbeatMs,
  })
  assert(leaseDriftMax >= 0 && leaseDriftMax < 1, 'leaseDriftMax is 0 or more, and below 1', {
    leaseDriftMax,
  })
  assert(announceDelayMs >= 0 && announceDelayMs <= heartbeatMs, 'announceDelayMs is at most heartbeatMs', {
    announceDelayMs,
  })
  const names = [
    'messageBytesMax',
    'inflightMessagesMax',
    'inflightBytesMax',
    'uncommittedBytesMax',
    'pendingReadsMax',
  ] as const
  for (const name of names) {
    const value = options[name]
    assert(Number.isSafeInteger(value) && value > 0, `${name} is an integer > 0`, { [name]: value })
  }
  return options
}
