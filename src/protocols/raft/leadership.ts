import { assert } from '../../base/assert.ts'
import { encodeConfiguration, isJoint, leaveJoint, stepTowards, targetProblem } from './configuration.ts'
import type { Core } from './core.ts'
import { LeaderLease } from './leader-lease.ts'
import { entryBytes, entryOverheadBytes } from './log.ts'
import { Peers } from './peers.ts'
import type { Progress } from './progress.ts'
import { LeaderReads } from './read-index.ts'
import { Replicator } from './replicator.ts'
import type { Configuration, Entry, EntryKind, Message, NodeId, RaftEffect } from './types.ts'

type AppendEntriesReply = Extract<Message, { type: 'appendEntriesReply' }>
type InstallSnapshotReply = Extract<Message, { type: 'installSnapshotReply' }>
type Propose = { readonly id: number; readonly data: readonly Uint8Array[] }
type ChangeConfiguration = { readonly id: number; readonly target: Configuration }
type ChangeRefusal = Extract<RaftEffect, { type: 'configurationRefused' }>['reason']

interface Transfer {
  readonly to: NodeId
  readonly deadlineMs: number
  hasToldTarget: boolean
}

/** One reign: all that a node keeps only while it leads one term. Dropped as a whole when the reign ends. */
export class Leadership {
  readonly term: number
  readonly #core: Core
  readonly #replicator: Replicator
  readonly #reads: LeaderReads
  readonly #peers: Peers
  /** Absent where reads are always confirmed by a quorum. */
  readonly #lease: LeaderLease | undefined
  #committedInTerm = false
  #isOver = false
  #uncommittedBytes: number
  #heartbeatDueMs = 0
  /** When the followers that have not heard of the newest commit are told. */
  #announceDueMs = Number.POSITIVE_INFINITY
  #quorumDeadlineMs: number
  #transfer: Transfer | undefined
  /** When a leader that should not lead goes, whoever has or has not taken over. */
  #resignationMs = Number.POSITIVE_INFINITY
  /** Of the configuration that something has to follow upon once it is committed; 0 when the one in use is committed and not joint. */
  #openChangeIndex: number

  constructor(core: Core) {
    this.#core = core
    this.term = core.term
    this.#replicator = new Replicator(core)
    this.#reads = new LeaderReads(core)
    this.#uncommittedBytes = core.log.bytesAfter(core.commitIndex)
    this.#quorumDeadlineMs = core.nowMs + core.options.electionTimeoutMs
    this.#peers = new Peers(core)
    const { electionTimeoutMs, leaseDriftMax } = core.options
    if (leaseDriftMax > 0) this.#lease = new LeaderLease(electionTimeoutMs, leaseDriftMax)
    const isChanging = core.configurationIndex > core.commitIndex || isJoint(core.configuration)
    this.#openChangeIndex = isChanging ? core.configurationIndex : 0
  }

  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.#peers.all
  }

  /** The leader steps down by itself, when all of the step is done. */
  get isOver(): boolean {
    return this.#isOver
  }

  get committedInTerm(): boolean {
    return this.#committedInTerm
  }

  get round(): number {
    return this.#replicator.round
  }

  get nextDeadlineMs(): number {
    const transferMs = this.#transfer?.deadlineMs ?? Number.POSITIVE_INFINITY
    const dueMs = Math.min(this.#heartbeatDueMs, this.#announceDueMs)
    return Math.min(dueMs, this.#quorumDeadlineMs, transferMs, this.#resignationMs)
  }

  /** Announces itself with an empty entry: only by committing one of its own term does it learn what is committed (paper section 8). */
  begin(): void {
    this.#append('empty', [new Uint8Array(0)])
    this.#beginRound()
  }

  /** Tells everyone who waits on this leader that it leads no more. */
  end(): void {
    this.#reads.dropAll()
    for (const peer of this.#peers.values()) {
      if (peer.state === 'snapshot') this.#core.emit({ type: 'cancelSnapshot', to: peer.id })
    }
  }

  /**
   * Whether a quorum was heard from within the last election timeout (thesis section 6.2). The deadline is worked out anew only when the
   * last one has passed.
   */
  hasQuorumContact(): boolean {
    const { nowMs } = this.#core
    if (nowMs >= this.#quorumDeadlineMs) this.#renewQuorumDeadline()
    return nowMs < this.#quorumDeadlineMs
  }

  tick(): void {
    const { nowMs } = this.#core
    this.#peers.dropDeparted()
    if (this.#transfer !== undefined && nowMs >= this.#transfer.deadlineMs) {
      this.#transfer = undefined
      this.#followUpChange()
    }
    if (nowMs >= this.#resignationMs) {
      this.#resignationMs = Number.POSITIVE_INFINITY
      if (!this.#core.isEligible && !this.#core.isOnlyVoter) this.#isOver = true
    }
    if (nowMs >= this.#heartbeatDueMs) this.#beginRound()
    if (nowMs >= this.#announceDueMs) this.#announceCommit()
  }

  propose({ id, data }: Propose): void {
    assert(data.length > 0, 'a proposal has an entry', { id })
    if (this.#transfer !== undefined) {
      this.#core.emit({ type: 'proposalsDropped', id, reason: 'transferring' })
      return
    }
    if (!this.#hasRoomFor(data)) {
      this.#core.emit({ type: 'proposalsDropped', id, reason: 'overloaded' })
      return
    }
    const firstIndex = this.#core.log.lastIndex + 1
    this.#core.emit({ type: 'proposalsAppended', id, firstIndex, term: this.term, count: data.length })
    this.#append('command', data)
    for (const peer of this.#peers.values()) this.#replicator.replicate(peer)
  }

  /** One change at a time, and only under a leader that knows what is committed (thesis section 4.1 and its erratum of 2015). */
  changeConfiguration({ id, target }: ChangeConfiguration): void {
    const problem = targetProblem(target)
    assert(problem === undefined, 'a change has a target that can decide', { problem, target })
    const reason = this.#changeRefusal()
    if (reason !== undefined) {
      this.#core.emit({ type: 'configurationRefused', id, reason })
      return
    }
    const index = this.#core.log.lastIndex + 1
    this.#core.emit({ type: 'configurationAppended', id, index, term: this.term })
    this.#enter(stepTowards(this.#core.configuration, target))
  }

  read(from: NodeId, id: number): void {
    if (this.#committedInTerm && this.#lease?.isHeld(this.#core.nowMs) === true) {
      this.#reads.answerNow(from, id)
      return
    }
    this.#reads.add(from, id)
    this.#beginReadRound()
  }

  /** This leader should not lead: the voter that is furthest along takes over, or nobody (thesis section 3.10). */
  handOver(): void {
    if (this.#core.isOnlyVoter) return
    this.#resignationMs = this.#core.nowMs + this.#core.options.electionTimeoutMs
    const heir = this.#peers.mostAdvancedVoter()
    if (heir !== undefined && this.#transfer === undefined) this.transferTo(heir.id)
  }

  /** Only to a voter: nobody else could win. */
  transferTo(to: NodeId): void {
    const peer = this.#peers.get(to)
    if (peer === undefined || this.#transfer?.to === to) return
    if (!this.#core.configuration.voters.includes(to)) return
    const deadlineMs = this.#core.nowMs + this.#core.options.electionTimeoutMs
    this.#lease?.forfeit()
    this.#transfer = { to, deadlineMs, hasToldTarget: false }
    this.#replicator.replicate(peer)
    this.#finishTransfer(peer)
  }

  /** This node's own disk went on. */
  persisted(): void {
    this.#advanceCommit()
  }

  handleAppendReply(message: AppendEntriesReply): void {
    const peer = this.#heardFrom(message.from, message.round)
    if (peer === undefined) return
    if (!message.success) {
      this.#replicator.refused(peer, message)
      return
    }
    if (this.#replicator.matched(peer, message.matchIndex)) {
      this.#advanceCommit()
      this.#finishTransfer(peer)
    }
    this.#replicator.replicate(peer)
  }

  handleSnapshotReply(message: InstallSnapshotReply): void {
    const peer = this.#heardFrom(message.from, message.round)
    if (peer === undefined) return
    if (message.installed) {
      if (peer.state === 'snapshot') peer.leaveSnapshot(message.index)
      this.#replicator.matched(peer, message.index)
      this.#advanceCommit()
      this.#replicator.replicate(peer)
    }
    this.#core.emit({ type: 'snapshotProgress', message })
  }

  /** A snapshot that this node received before it was elected has moved its commit index: those entries wait for nothing any more. */
  snapshotInstalled(): void {
    this.#uncommittedBytes = this.#core.log.bytesAfter(this.#core.commitIndex)
  }

  snapshotSent(to: NodeId, index: number, ok: boolean): void {
    const peer = this.#peers.get(to)
    if (peer?.state !== 'snapshot') return
    // Not taken as a match: only the follower's own word is. The next heartbeat finds out, or asks for the next transfer.
    if (ok) peer.becomeProbe(index + 1)
    else peer.becomeProbe()
  }

  peerUnreachable(id: NodeId): void {
    const peer = this.#peers.get(id)
    if (peer?.state === 'replicate') peer.becomeProbe()
  }

  /** One proposal is let in however large it is when nothing else waits: otherwise it never could be. */
  #hasRoomFor(data: readonly Uint8Array[]): boolean {
    let bytes = this.#uncommittedBytes
    if (bytes === 0) return true
    for (const datum of data) bytes += datum.byteLength + entryOverheadBytes
    return bytes <= this.#core.options.uncommittedBytesMax
  }

  #heardFrom(from: NodeId, round: number): Progress | undefined {
    const peer = this.#peers.get(from)
    if (peer === undefined || round < peer.firstRound) return undefined
    peer.lastReplyMs = this.#core.nowMs
    if (round > peer.ackedRound) {
      peer.ackedRound = round
      this.#confirmReads()
    }
    return peer
  }

  #append(kind: EntryKind, data: readonly Uint8Array[]): void {
    const { log } = this.#core
    const entries: Entry[] = []
    let index = log.lastIndex
    for (const datum of data) {
      const entry: Entry = { index: ++index, term: this.term, kind, data: datum }
      this.#uncommittedBytes += entryBytes(entry)
      entries.push(entry)
    }
    this.#core.append(entries)
  }

  /** Paper section 5.4.2: only an entry of its own term is committed by counting; the earlier ones follow with it. */
  #advanceCommit(): void {
    const { log, quorum, commitIndex } = this.#core
    const index = quorum.acknowledged(this.#peers.matchIndexOf)
    if (index <= commitIndex || log.term(index) !== this.term) return
    for (const entry of log.entries(commitIndex + 1, index, Number.POSITIVE_INFINITY)) {
      this.#uncommittedBytes -= entryBytes(entry)
    }
    assert(this.#uncommittedBytes >= 0, 'uncommitted bytes are counted in and out', {
      bytes: this.#uncommittedBytes,
    })
    this.#core.commitTo(index)
    this.#committedInTerm = true
    this.#followUpChange()
    this.#beginReadRound()
    // While entries are on their way they will carry the commit index; when all is committed, nothing else would before the next heartbeat.
    if (index === log.lastIndex) this.#armAnnouncement()
  }

  #armAnnouncement(): void {
    const { nowMs, options } = this.#core
    this.#announceDueMs = Math.min(this.#announceDueMs, nowMs + options.announceDelayMs)
    if (nowMs >= this.#announceDueMs) this.#announceCommit()
  }

  #announceCommit(): void {
    this.#announceDueMs = Number.POSITIVE_INFINITY
    for (const peer of this.#peers.values()) {
      if (peer.toldCommitIndex < this.#core.commitIndex) this.#replicator.announce(peer)
    }
  }

  /** What has to follow upon a configuration that is committed. */
  #followUpChange(): void {
    const { configuration, commitIndex, isVoter, isEligible } = this.#core
    if (this.#openChangeIndex === 0 || commitIndex < this.#openChangeIndex || !this.#committedInTerm) return
    if (isJoint(configuration)) {
      // A transfer's target leaves it when it leads; one more entry could make it lose.
      if (this.#transfer === undefined) this.#enter(leaveJoint(configuration))
      return
    }
    this.#openChangeIndex = 0
    this.#peers.configurationCommitted()
    if (!isVoter) this.#resign()
    else if (!isEligible) this.handOver()
  }

  #changeRefusal(): ChangeRefusal | undefined {
    if (this.#transfer !== undefined || this.#isOver) return 'transferring'
    if (!this.#committedInTerm) return 'not-ready'
    return this.#openChangeIndex === 0 ? undefined : 'in-progress'
  }

  /** Puts `configuration` into the log, and decides by it from now on (thesis section 4.1). */
  #enter(configuration: Configuration): void {
    this.#append('configuration', [encodeConfiguration(configuration)])
    this.#openChangeIndex = this.#core.configurationIndex
    const hasNewcomers = this.#peers.configurationChanged(this.round + 1)
    this.#lease?.renounce()
    this.#renewQuorumDeadline()
    if (hasNewcomers) this.#beginRound()
    else for (const peer of this.#peers.values()) this.#replicator.replicate(peer)
  }

  /** The configuration without this leader is committed (thesis section 4.2.2). Its successor need not wait for an election timeout (section 3.10). */
  #resign(): void {
    this.#isOver = true
    this.#lease?.forfeit()
    for (const peer of this.#peers.values()) this.#replicator.announce(peer)
    const heir = this.#peers.mostAdvancedVoter()
    if (heir !== undefined) this.#core.send(heir.id, { type: 'timeoutNow' })
  }

  #renewQuorumDeadline(): void {
    const { quorum, options } = this.#core
    this.#quorumDeadlineMs = quorum.acknowledged(this.#peers.lastReplyMsOf) + options.electionTimeoutMs
  }

  #beginReadRound(): void {
    if (this.#committedInTerm && this.#reads.needsRound) this.#beginRound()
  }

  #beginRound(): void {
    const { nowMs, options } = this.#core
    const round = this.#replicator.beginRound()
    // Multiples of the interval, so that all the groups of a node beat in one turn of its loop.
    this.#heartbeatDueMs = (Math.floor(nowMs / options.heartbeatMs) + 1) * options.heartbeatMs
    this.#lease?.roundBegun(round, nowMs)
    if (this.#committedInTerm) this.#reads.roundBegun(round)
    for (const peer of this.#peers.values()) this.#replicator.heartbeat(peer)
    this.#confirmReads()
  }

  #confirmReads(): void {
    if (!this.#reads.isConfirming && this.#lease === undefined) return
    const round = Math.min(this.#core.quorum.acknowledged(this.#peers.ackedRoundOf), this.#replicator.round)
    this.#lease?.roundConfirmed(round)
    if (!this.#reads.isConfirming) return
    this.#reads.roundConfirmed(round)
    this.#beginReadRound()
  }

  #finishTransfer(peer: Progress): void {
    const transfer = this.#transfer
    if (transfer?.to !== peer.id || transfer.hasToldTarget) return
    if (peer.matchIndex !== this.#core.log.lastIndex) return
    transfer.hasToldTarget = true
    this.#core.send(peer.id, { type: 'timeoutNow' })
  }
}
