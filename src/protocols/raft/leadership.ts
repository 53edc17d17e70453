import { assert } from '../../base/assert.ts'
import type { Core } from './core.ts'
import { entryBytes, entryOverheadBytes } from './log.ts'
import { Progress } from './progress.ts'
import { LeaderReads } from './read-index.ts'
import { Replicator } from './replicator.ts'
import type { Entry, EntryKind, Message, NodeId } from './types.ts'

type AppendEntriesReply = Extract<Message, { type: 'appendEntriesReply' }>
type InstallSnapshotReply = Extract<Message, { type: 'installSnapshotReply' }>
type Propose = { readonly id: number; readonly data: readonly Uint8Array[] }

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
  readonly #progress = new Map<NodeId, Progress>()
  #committedInTerm = false
  #uncommittedBytes: number
  #heartbeatDueMs = 0
  #quorumDeadlineMs: number
  #transfer: Transfer | undefined

  constructor(core: Core) {
    this.#core = core
    this.term = core.term
    this.#replicator = new Replicator(core)
    this.#reads = new LeaderReads(core)
    this.#uncommittedBytes = core.log.bytesAfter(core.commitIndex)
    this.#quorumDeadlineMs = core.nowMs + core.options.electionTimeoutMs
    for (const voter of core.quorum.voters) {
      if (voter === core.id) continue
      this.#progress.set(voter, new Progress(voter, core.log.lastIndex + 1, core.nowMs, core.options))
    }
  }

  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.#progress
  }

  get committedInTerm(): boolean {
    return this.#committedInTerm
  }

  get round(): number {
    return this.#replicator.round
  }

  get nextDeadlineMs(): number {
    const transferMs = this.#transfer?.deadlineMs ?? Number.POSITIVE_INFINITY
    return Math.min(this.#heartbeatDueMs, this.#quorumDeadlineMs, transferMs)
  }

  /** Announces itself with an empty entry: only by committing one of its own term does it learn what is committed (paper section 8). */
  begin(): void {
    this.#append('empty', [new Uint8Array(0)])
    this.#beginRound()
  }

  /** Tells everyone who waits on this leader that it leads no more. */
  end(): void {
    this.#reads.dropAll()
    for (const peer of this.#progress.values()) {
      if (peer.state === 'snapshot') this.#core.emit({ type: 'cancelSnapshot', to: peer.id })
    }
  }

  /**
   * Whether a quorum was heard from within the last election timeout (thesis section 6.2). The deadline is worked out anew only when the
   * last one has passed.
   */
  hasQuorumContact(): boolean {
    const { nowMs, quorum, options } = this.#core
    if (nowMs < this.#quorumDeadlineMs) return true
    this.#quorumDeadlineMs = quorum.acknowledged(this.#lastReplyMsOf) + options.electionTimeoutMs
    return nowMs < this.#quorumDeadlineMs
  }

  tick(): void {
    const { nowMs } = this.#core
    if (this.#transfer !== undefined && nowMs >= this.#transfer.deadlineMs) this.#transfer = undefined
    if (nowMs >= this.#heartbeatDueMs) this.#beginRound()
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
    for (const peer of this.#progress.values()) this.#replicator.replicate(peer)
  }

  read(from: NodeId, id: number): void {
    this.#reads.add(from, id)
    this.#beginReadRound()
  }

  transferTo(to: NodeId): void {
    const peer = this.#progress.get(to)
    if (peer === undefined || this.#transfer?.to === to) return
    const deadlineMs = this.#core.nowMs + this.#core.options.electionTimeoutMs
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
    const peer = this.#progress.get(to)
    if (peer?.state !== 'snapshot') return
    // Not taken as a match: only the follower's own word is. The next heartbeat finds out, or asks for the next transfer.
    if (ok) peer.becomeProbe(index + 1)
    else peer.becomeProbe()
  }

  peerUnreachable(id: NodeId): void {
    const peer = this.#progress.get(id)
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
    const peer = this.#progress.get(from)
    if (peer === undefined) return undefined
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
    log.append(entries)
    this.#core.persist(entries)
  }

  /** Paper section 5.4.2: only an entry of its own term is committed by counting; the earlier ones follow with it. */
  #advanceCommit(): void {
    const { log, quorum, commitIndex } = this.#core
    const index = quorum.acknowledged(this.#matchIndexOf)
    if (index <= commitIndex || log.term(index) !== this.term) return
    for (const entry of log.entries(commitIndex + 1, index, Number.POSITIVE_INFINITY)) {
      this.#uncommittedBytes -= entryBytes(entry)
    }
    assert(this.#uncommittedBytes >= 0, 'uncommitted bytes are counted in and out', {
      bytes: this.#uncommittedBytes,
    })
    this.#core.commitTo(index)
    this.#committedInTerm = true
    this.#beginReadRound()
    // While entries are on their way they will carry the commit index; when all is committed, nothing else would before the next heartbeat.
    if (index === log.lastIndex) for (const peer of this.#progress.values()) this.#replicator.announce(peer)
  }

  #beginReadRound(): void {
    if (this.#committedInTerm && this.#reads.needsRound) this.#beginRound()
  }

  #beginRound(): void {
    const round = this.#replicator.beginRound()
    this.#heartbeatDueMs = this.#core.nowMs + this.#core.options.heartbeatMs
    if (this.#committedInTerm) this.#reads.roundBegun(round)
    for (const peer of this.#progress.values()) this.#replicator.heartbeat(peer)
    this.#confirmReads()
  }

  #confirmReads(): void {
    if (!this.#reads.isConfirming) return
    this.#reads.roundConfirmed(this.#core.quorum.acknowledged(this.#ackedRoundOf))
    this.#beginReadRound()
  }

  #finishTransfer(peer: Progress): void {
    const transfer = this.#transfer
    if (transfer?.to !== peer.id || transfer.hasToldTarget) return
    if (peer.matchIndex !== this.#core.log.lastIndex) return
    transfer.hasToldTarget = true
    this.#core.send(peer.id, { type: 'timeoutNow' })
  }

  // The leader counts itself too: what is on its own disk, and what it says now.
  readonly #matchIndexOf = (id: NodeId): number =>
    id === this.#core.id ? this.#core.durability.persistedIndex : this.#peer(id).matchIndex

  readonly #ackedRoundOf = (id: NodeId): number =>
    id === this.#core.id ? this.#replicator.round : this.#peer(id).ackedRound

  readonly #lastReplyMsOf = (id: NodeId): number =>
    id === this.#core.id ? this.#core.nowMs : this.#peer(id).lastReplyMs

  #peer(id: NodeId): Progress {
    const peer = this.#progress.get(id)
    assert(peer !== undefined, 'every other voter has a progress', { id })
    return peer
  }
}
