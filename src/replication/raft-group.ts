import { assert } from '../base/assert.ts'
import { AlthingError, withOutcome } from '../contracts/errors.ts'
import type { Timer, World } from '../contracts/world.ts'
import { Raft } from '../protocols/raft/raft.ts'
import type {
  Configuration,
  Entry,
  HardState,
  Message,
  NodeId,
  RaftEffect,
  RaftEvent,
  RaftOptions,
  RaftStatus,
  RestoredState,
  Role,
  SnapshotMeta,
} from '../protocols/raft/types.ts'
import type { GroupTransport } from './group-transport.ts'
import { SnapshotInbox } from './snapshot-inbox.ts'
import { SnapshotOutbox } from './snapshot-outbox.ts'
import type { RaftStorage } from './storage.ts'

/** What the group replicates: a model behind the bytes of its commands. Every call is synchronous. */
export interface GroupModel {
  /** Applies a committed command. `hint` is what `propose` was given for this entry, on the node that proposed it. */
  apply(entry: Entry, hint: unknown): unknown
  /** The state as it is now, frozen. */
  snapshot(): Iterable<Uint8Array>
  restore(chunks: Iterable<Uint8Array>): void
}

export interface GroupObserver {
  /** Role, term or leader changed. */
  stateChanged?(status: RaftStatus): void
  /** This node leads and has applied every entry of earlier terms: its state is the newest (thesis section 6.4). */
  leaderReady?(): void
  /** Entries up to `index` are applied. */
  applied?(index: number): void
  /** The model was replaced by a snapshot from the leader. */
  restored?(snapshot: SnapshotMeta): void
  /** The node cannot go on (disk failed, corrupt state). Nothing is served afterwards. */
  failed?(error: AlthingError): void
  /** After every step of the machine: for traces and for the invariants of the simulator. */
  stepped?(event: RaftEvent, effects: readonly RaftEffect[], raft: Raft): void
}

export type ProposalResult =
  | { readonly ok: true; readonly reply: unknown; readonly index: number }
  | { readonly ok: false; readonly error: AlthingError }

export type ProposalCallback = (result: ProposalResult) => void
export type ReadCallback = (error?: AlthingError) => void

export interface RaftGroupOptions {
  readonly world: World
  readonly raft: Partial<RaftOptions> & { readonly id: NodeId }
  readonly configuration: Configuration
  readonly storage: RaftStorage
  readonly restored: Omit<RestoredState, 'initialConfiguration'>
  readonly model: GroupModel
  /** Absent in a group of one. */
  readonly transport?: GroupTransport
  readonly observer?: GroupObserver
  /** A snapshot is taken once this many entries, or bytes of entries, are applied since the last (defaults 100 000 and 64 MiB). */
  readonly snapshotEntries?: number
  readonly snapshotBytes?: number
  /** Entries kept before a snapshot for followers that are a little behind (default 10 000). */
  readonly keepEntries?: number
  /** Proposals waiting to enter the log past which more are refused (default 50 000). */
  readonly waitingProposalsMax?: number
  /** Bytes waiting to enter the log, or to be written by this node's disk, past which proposals are refused (default 64 MiB). */
  readonly unwrittenBytesMax?: number
  /** Readers waiting past which more are refused (default 100 000). */
  readonly readersMax?: number
}

interface Proposal {
  readonly data: Uint8Array
  readonly hint: unknown
  readonly done: ProposalCallback
}

interface PendingEntry extends Proposal {
  readonly term: number
}

interface ReadBatch {
  readonly startedMs: number
  readonly callbacks: ReadCallback[]
  /** 0 until the leader has answered. */
  index: number
}

/**
 * Runs a raft machine over a model, a disk and a transport: the only place that performs the machine's effects. See `RaftEffect` for the
 * rules of order that it keeps.
 */
export class RaftGroup {
  readonly raft: Raft
  readonly #world: World
  readonly #model: GroupModel
  readonly #storage: RaftStorage
  readonly #transport: GroupTransport | undefined
  readonly #observer: GroupObserver
  readonly #snapshotEntries: number
  readonly #snapshotBytes: number
  readonly #keepEntries: number
  readonly #waitingProposalsMax: number
  readonly #unwrittenBytesMax: number
  readonly #readersMax: number
  readonly #electionTimeoutMs: number
  readonly #inbox: SnapshotInbox
  readonly #outbox: SnapshotOutbox

  #failure: AlthingError | undefined
  #closed = false
  readonly #events: RaftEvent[] = []
  #isStepping = false
  /** What is being performed came of time alone: heartbeats mostly, which fall due in all groups at once. */
  #isTick = false
  #tickTimer: Timer | undefined
  #tickAtMs = Number.POSITIVE_INFINITY

  #waiting: Proposal[] = []
  #waitingBytes = 0
  #flushArmed = false
  #nextBatchId = 1
  readonly #batches = new Map<number, readonly Proposal[]>()
  readonly #pending = new Map<number, PendingEntry>()

  #waitingReads: ReadCallback[] = []
  #readers = 0
  readonly #reads = new Map<number, ReadBatch>()
  /** Batches whose index is known but not yet applied, in no particular order. */
  readonly #readsToApply = new Set<ReadBatch>()

  #persistQueue: Extract<RaftEffect, { type: 'persist' }>[] = []
  #isPersisting = false
  /** Of entries queued or being written. A leader's own disk may be slower than a quorum without it, so raft's bound on what is uncommitted does not do. */
  #unwrittenBytes = 0
  #durableSequence = 0
  #heldSends: { readonly message: Message; readonly after: number }[] = []
  #hardState: HardState

  #role: Role
  #term: number
  #leader: NodeId
  #appliedIndex: number
  #appliedTerm: number
  #snapshotIndex: number
  #bytesSinceSnapshot = 0
  #isSnapshotting = false
  #readyTerm = 0

  constructor(options: RaftGroupOptions) {
    this.#world = options.world
    this.#model = options.model
    this.#storage = options.storage
    this.#transport = options.transport
    this.#observer = options.observer ?? {}
    this.#snapshotEntries = options.snapshotEntries ?? 100_000
    this.#snapshotBytes = options.snapshotBytes ?? 64 * 1024 * 1024
    this.#keepEntries = options.keepEntries ?? 10_000
    this.#waitingProposalsMax = options.waitingProposalsMax ?? 50_000
    this.#unwrittenBytesMax = options.unwrittenBytesMax ?? 64 * 1024 * 1024
    this.#readersMax = options.readersMax ?? 100_000
    const { restored } = options
    this.#hardState = restored.hardState
    this.#appliedIndex = this.#snapshotIndex = restored.snapshot?.index ?? 0
    this.#appliedTerm = restored.snapshot?.term ?? 0
    this.raft = new Raft(
      options.raft,
      { ...restored, initialConfiguration: options.configuration },
      this.#world.random,
      this.#world.clock.monotonicMs(),
    )
    const { role, term, leader } = this.raft.status()
    this.#role = role
    this.#term = term
    this.#leader = leader
    this.#electionTimeoutMs = options.raft.electionTimeoutMs ?? 1_000
    const step = (event: RaftEvent): void => this.#step(event)
    this.#inbox = new SnapshotInbox({
      storage: this.#storage,
      raft: this.raft,
      logger: this.#world.logger,
      send: (message) => this.#transport?.send(message),
      install: (from, transferId, snapshot, chunks) =>
        this.#installSnapshot(from, transferId, snapshot, chunks),
      fail: (cause) => this.#fail(cause),
    })
    this.#outbox = new SnapshotOutbox({
      storage: this.#storage,
      raft: this.raft,
      world: this.#world,
      send: (message) => this.#transport?.send(message),
      finished: (to, index, ok) => step({ type: 'snapshotSent', to, index, ok }),
      fail: (cause) => this.#fail(cause),
    })
  }

  start(): void {
    this.#transport?.start({
      receive: (message) => this.#step({ type: 'receive', message }),
      unreachable: (peer) => this.#step({ type: 'peerUnreachable', peer }),
    })
    this.#step({ type: 'tick' })
  }

  get failure(): AlthingError | undefined {
    return this.#failure
  }

  get appliedIndex(): number {
    return this.#appliedIndex
  }

  status(): RaftStatus {
    return this.raft.status()
  }

  /** This node leads and its state is the newest: it may decide by what it has applied. */
  get isLeaderReady(): boolean {
    return this.#isServing && this.#role === 'leader' && this.#readyTerm === this.#term
  }

  get role(): Role {
    return this.#role
  }

  /** 0: unknown. */
  get leader(): NodeId {
    return this.#leader
  }

  /**
   * Puts a command into the log. `done` is called once: with the model's reply when it has been applied here, or with an error whose `outcome`
   * tells whether it may yet be applied. A node that does not lead refuses (`unavailable`, outcome none).
   */
  propose(data: Uint8Array, hint: unknown, done: ProposalCallback): void {
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      done({ ok: false, error: refusal })
      return
    }
    const unwrittenBytes = this.#waitingBytes + this.#unwrittenBytes
    if (this.#waiting.length >= this.#waitingProposalsMax || unwrittenBytes > this.#unwrittenBytesMax) {
      const problem = `${this.#waiting.length} commands wait to enter the log, ${unwrittenBytes} bytes wait for the disk`
      done({ ok: false, error: new AlthingError('overloaded', problem, { outcome: 'none' }) })
      return
    }
    this.#waiting.push({ data, hint, done })
    this.#waitingBytes += data.byteLength
    this.#armFlush()
  }

  /** Calls `done` when a read of the model made then is linearizable (thesis section 6.4). */
  readBarrier(done: ReadCallback): void {
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      done(refusal)
      return
    }
    if (this.#readers >= this.#readersMax) {
      done(new AlthingError('overloaded', `${this.#readers} reads wait already`, { outcome: 'none' }))
      return
    }
    this.#readers++
    this.#waitingReads.push(done)
    this.#armFlush()
  }

  /** Hands leadership to `to`; the outcome shows in `stateChanged`. */
  transferLeadership(to: NodeId): void {
    this.#step({ type: 'transferLeadership', to })
  }

  /** Stops at once; what is under way fails with `closed`. Idempotent. The storage is left to its owner. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopServing(
      new AlthingError('closed', 'the node is closing', { outcome: 'unknown', retryable: true }),
    )
  }

  #refusal(): AlthingError | undefined {
    if (this.#failure !== undefined) return this.#failure
    if (this.#closed)
      return new AlthingError('closed', 'the node is closing', { outcome: 'none', retryable: true })
    return undefined
  }

  #armFlush(): void {
    if (this.#flushArmed) return
    this.#flushArmed = true
    this.#world.timers.immediate(() => {
      this.#flushArmed = false
      this.#flush()
    })
  }

  /** All that was asked for in one turn of the loop enters the machine as one proposal and one read. */
  #flush(): void {
    if (!this.#isServing) return
    if (this.#waiting.length > 0) {
      const proposals = this.#waiting
      this.#waiting = []
      this.#waitingBytes = 0
      const id = this.#nextBatchId++
      this.#batches.set(id, proposals)
      this.#step({ type: 'propose', id, data: proposals.map((proposal) => proposal.data) })
    }
    if (this.#waitingReads.length > 0) {
      const callbacks = this.#waitingReads
      this.#waitingReads = []
      const id = this.#nextBatchId++
      this.#reads.set(id, { startedMs: this.#world.clock.monotonicMs(), callbacks, index: 0 })
      this.#step({ type: 'read', id })
    }
  }

  /** Events that arise while effects are performed wait their turn, so that effects keep their order. */
  #step(event: RaftEvent): void {
    this.#events.push(event)
    if (this.#isStepping) return
    this.#isStepping = true
    try {
      for (
        let next = this.#events.shift();
        next !== undefined && this.#isServing;
        next = this.#events.shift()
      ) {
        this.#stepOne(next)
      }
    } catch (cause) {
      // A broken invariant: nothing that this node says can be trusted any more.
      this.#fail(cause)
    } finally {
      this.#isStepping = false
    }
    this.#armTick()
  }

  #stepOne(event: RaftEvent): void {
    this.#isTick = event.type === 'tick'
    const effects = this.raft.step(event, this.#world.clock.monotonicMs())
    this.#observer.stepped?.(event, effects, this.raft)
    for (const effect of effects) {
      if (!this.#isServing) return
      this.#perform(effect)
    }
  }

  get #isServing(): boolean {
    return !this.#closed && this.#failure === undefined
  }

  #perform(effect: RaftEffect): void {
    switch (effect.type) {
      case 'persist':
        this.#persistQueue.push(effect)
        this.#unwrittenBytes += bytesOf(effect.entries)
        this.#persistNext()
        return
      case 'send':
        this.#send(effect.message, effect.after)
        return
      case 'apply':
        this.#apply(effect.entries)
        return
      case 'proposalsAppended':
        this.#proposalsAppended(effect.id, effect.firstIndex, effect.term, effect.count)
        return
      case 'proposalsDropped':
        this.#proposalsDropped(effect.id, effect.reason)
        return
      case 'readReady':
        this.#readReady(effect.id, effect.index)
        return
      case 'readDropped':
        this.#readDropped(effect.id)
        return
      case 'stateChanged':
        this.#stateChanged(effect.role, effect.term, effect.leader)
        return
      case 'sendSnapshot':
        this.#outbox.start(effect.to)
        return
      case 'cancelSnapshot':
        this.#outbox.cancel(effect.to)
        return
      case 'acceptSnapshot':
        this.#inbox.accept(effect.message)
        return
      case 'snapshotProgress':
        this.#outbox.progress(effect.message)
        return
      case 'compactLog':
        this.#storage.compact(effect.index).catch((cause: unknown) => this.#fail(cause))
        return
    }
  }

  #send(message: Message, after: number): void {
    if (after > this.#durableSequence) this.#heldSends.push({ message, after })
    else this.#transport?.send(message, this.#isTick)
  }

  /** One write at a time; all that gathers meanwhile becomes the next (group commit). */
  #persistNext(): void {
    if (this.#isPersisting || this.#persistQueue.length === 0) return
    this.#isPersisting = true
    const write = takeWrite(this.#persistQueue)
    this.#hardState = write.effect.hardState ?? this.#hardState
    this.#write(write.effect).then(
      () => this.#persisted(write),
      (cause: unknown) => this.#fail(cause),
    )
  }

  async #write(write: PersistEffect): Promise<void> {
    if (write.snapshot !== undefined) await this.#storage.resetTo(write.snapshot, this.#hardState)
    if (write.snapshot !== undefined && write.entries.length === 0) return
    await this.#storage.append({
      ...(write.hardState === undefined ? {} : { hardState: write.hardState }),
      entries: write.entries,
    })
  }

  #persisted({ effect: { sequence }, bytes }: Write): void {
    if (!this.#isServing) return
    this.#isPersisting = false
    this.#unwrittenBytes -= bytes
    this.#durableSequence = sequence
    this.#isTick = false
    const held = this.#heldSends
    this.#heldSends = []
    for (const { message, after } of held) this.#send(message, after)
    this.#persistNext()
    this.#step({ type: 'persisted', sequence })
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.#appliedIndex + 1, 'entries are applied in order', {
        index: entry.index,
        applied: this.#appliedIndex,
      })
      const pending = this.#pending.get(entry.index)
      const isOurs = pending !== undefined && pending.term === entry.term
      let reply: unknown
      if (entry.kind === 'command') {
        try {
          reply = this.#model.apply(entry, isOurs ? pending.hint : undefined)
        } catch (cause) {
          this.#fail(cause)
          return
        }
      }
      // Only now: until then a failure of this node must answer its proposer.
      this.#pending.delete(entry.index)
      this.#appliedIndex = entry.index
      this.#appliedTerm = entry.term
      this.#bytesSinceSnapshot += entry.data.byteLength
      if (isOurs) pending.done({ ok: true, reply, index: entry.index })
      else pending?.done({ ok: false, error: overwritten(entry.index) })
    }
    this.#step({ type: 'applied', index: this.#appliedIndex })
    this.#observer.applied?.(this.#appliedIndex)
    this.#serveReads()
    this.#noticeLeaderReady()
    this.#snapshotWhenDue()
  }

  #proposalsAppended(id: number, firstIndex: number, term: number, count: number): void {
    const proposals = this.#batches.get(id)
    assert(proposals !== undefined && proposals.length === count, 'a batch enters the log whole', {
      id,
      count,
    })
    this.#batches.delete(id)
    proposals.forEach((proposal, i) => this.#pending.set(firstIndex + i, { ...proposal, term }))
  }

  #proposalsDropped(id: number, reason: 'not-leader' | 'overloaded' | 'transferring'): void {
    const proposals = this.#batches.get(id) ?? []
    this.#batches.delete(id)
    const error =
      reason === 'overloaded'
        ? new AlthingError('overloaded', 'too many bytes of commands are not yet committed', {
            outcome: 'none',
          })
        : new AlthingError(
            'unavailable',
            reason === 'transferring' ? 'leadership is being handed over' : 'this node does not lead',
            {
              outcome: 'none',
              details: { leader: this.#leader },
            },
          )
    for (const proposal of proposals) proposal.done({ ok: false, error })
  }

  #readReady(id: number, index: number): void {
    const batch = this.#reads.get(id)
    if (batch === undefined) return
    this.#reads.delete(id)
    batch.index = index
    this.#readsToApply.add(batch)
    this.#serveReads()
  }

  #serveReads(): void {
    for (const batch of this.#readsToApply) {
      if (batch.index > this.#appliedIndex) continue
      this.#readsToApply.delete(batch)
      this.#answerReaders(batch.callbacks, undefined)
    }
  }

  #readDropped(id: number): void {
    const batch = this.#reads.get(id)
    this.#reads.delete(id)
    this.#answerReaders(batch?.callbacks ?? [], noLeader())
  }

  #answerReaders(callbacks: readonly ReadCallback[], error: AlthingError | undefined): void {
    this.#readers -= callbacks.length
    for (const done of callbacks) done(error)
  }

  /**
   * A question to a leader that was lost on the way is never answered, and what the answer told to wait for may not come: the readers are told, so
   * that they may ask again.
   */
  #dropOldReads(): void {
    const oldestMs = this.#world.clock.monotonicMs() - 2 * this.#electionTimeoutMs
    for (const [id, batch] of this.#reads) {
      if (batch.startedMs >= oldestMs) break
      this.#readDropped(id)
    }
    for (const batch of this.#readsToApply) {
      if (batch.startedMs >= oldestMs) continue
      this.#readsToApply.delete(batch)
      this.#answerReaders(batch.callbacks, behind())
    }
  }

  #stateChanged(role: Role, term: number, leader: NodeId): void {
    this.#role = role
    this.#term = term
    this.#leader = leader
    if (role !== 'leader') {
      const error = new AlthingError(
        'unavailable',
        'leadership was lost before the command was known to be committed',
        { outcome: 'unknown' },
      )
      const pending = [...this.#pending.values()]
      this.#pending.clear()
      for (const { done } of pending) done({ ok: false, error })
    }
    this.#observer.stateChanged?.(this.raft.status())
    this.#noticeLeaderReady()
  }

  #noticeLeaderReady(): void {
    const term = this.#term
    if (this.#role !== 'leader' || this.#readyTerm === term || this.#appliedTerm !== term) return
    this.#readyTerm = term
    this.#observer.leaderReady?.()
  }

  #snapshotWhenDue(): void {
    if (this.#isSnapshotting) return
    const isDue =
      this.#appliedIndex - this.#snapshotIndex >= this.#snapshotEntries ||
      this.#bytesSinceSnapshot >= this.#snapshotBytes
    if (!isDue) return
    this.#isSnapshotting = true
    this.#bytesSinceSnapshot = 0
    const snapshot: SnapshotMeta = {
      index: this.#appliedIndex,
      term: this.#appliedTerm,
      configuration: this.raft.status().configuration,
    }
    this.#storage.saveSnapshot(snapshot, this.#model.snapshot()).then(
      () => {
        this.#isSnapshotting = false
        if (snapshot.index <= this.#snapshotIndex) return
        this.#snapshotIndex = snapshot.index
        this.#step({ type: 'compacted', snapshot, keepEntries: this.#keepEntries })
      },
      (cause: unknown) => this.#fail(cause),
    )
  }

  #installSnapshot(
    from: NodeId,
    transferId: number,
    snapshot: SnapshotMeta,
    chunks: readonly Uint8Array[],
  ): void {
    if (!this.#isServing) return
    if (snapshot.index > this.#appliedIndex) {
      try {
        this.#model.restore(chunks)
      } catch (cause) {
        this.#fail(cause)
        return
      }
      this.#appliedIndex = this.#snapshotIndex = snapshot.index
      this.#appliedTerm = snapshot.term
      this.#bytesSinceSnapshot = 0
      this.#observer.restored?.(snapshot)
    }
    this.#step({ type: 'snapshotInstalled', from, transferId, snapshot })
    this.#serveReads()
  }

  #armTick(): void {
    if (!this.#isServing) return
    const dueMs = this.raft.nextDeadlineMs
    if (dueMs >= this.#tickAtMs) return
    this.#tickTimer?.cancel()
    this.#tickAtMs = dueMs
    // One ms more: a timer may fire a fraction early, and a tick before its deadline does nothing.
    const delayMs = Math.max(0, dueMs - this.#world.clock.monotonicMs()) + 1
    this.#tickTimer = this.#world.timers.after(delayMs, () => {
      this.#tickAtMs = Number.POSITIVE_INFINITY
      this.#dropOldReads()
      this.#step({ type: 'tick' })
    })
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined || this.#closed) return
    const reason = cause instanceof Error ? cause.message : String(cause)
    const error = new AlthingError(
      'node-failed',
      `this node has failed and serves nothing any more: ${reason}`,
      { outcome: 'unknown', cause },
    )
    this.#world.logger.log('error', 'node failed', { reason })
    this.#failure = new AlthingError('node-failed', error.message, { outcome: 'none', cause })
    this.#stopServing(error)
    this.#observer.failed?.(this.#failure)
  }

  #stopServing(error: AlthingError): void {
    this.#tickTimer?.cancel()
    this.#outbox.close()
    this.#inbox.close()
    this.#transport?.close()
    const notInLog = [...this.#waiting, ...[...this.#batches.values()].flat()]
    const inLog = [...this.#pending.values()]
    const reads = [
      ...this.#waitingReads,
      ...[...this.#reads.values(), ...this.#readsToApply].flatMap((batch) => batch.callbacks),
    ]
    this.#waiting = []
    this.#waitingBytes = 0
    this.#waitingReads = []
    this.#persistQueue = []
    this.#heldSends = []
    this.#batches.clear()
    this.#pending.clear()
    this.#reads.clear()
    this.#readsToApply.clear()
    for (const { done } of inLog) done({ ok: false, error })
    for (const { done } of notInLog) done({ ok: false, error: withOutcome(error, 'none') })
    this.#answerReaders(reads, error)
  }
}

type PersistEffect = Extract<RaftEffect, { type: 'persist' }>

interface Write {
  readonly effect: PersistEffect
  /** Of the entries of all the effects in it, those that were overwritten meanwhile included. */
  readonly bytes: number
}

/** Takes as many effects from the head of the queue as fit in one write. A log that starts anew after a snapshot is a write of its own. */
function takeWrite(queue: PersistEffect[]): Write {
  const first = queue.shift()
  assert(first !== undefined, 'something is to be written')
  let bytes = bytesOf(first.entries)
  if (first.snapshot !== undefined || queue.length === 0) return { effect: first, bytes }
  let { sequence, hardState } = first
  const entries = [...first.entries]
  while (queue.length > 0) {
    const next = queue[0] as PersistEffect
    if (next.snapshot !== undefined) break
    queue.shift()
    sequence = next.sequence
    hardState = next.hardState ?? hardState
    bytes += bytesOf(next.entries)
    appendEntries(entries, next.entries)
  }
  const effect = {
    type: 'persist',
    sequence,
    entries,
    ...(hardState === undefined ? {} : { hardState }),
  } as const
  return { effect, bytes }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.data.byteLength
  return bytes
}

/** The first of `more` overwrites what has its index and after. */
function appendEntries(entries: Entry[], more: readonly Entry[]): void {
  const first = more[0]
  if (first === undefined) return
  while (entries.length > 0 && (entries[entries.length - 1] as Entry).index >= first.index) entries.pop()
  for (const entry of more) entries.push(entry)
}

function overwritten(index: number): AlthingError {
  return new AlthingError(
    'unavailable',
    `another leader's command took the place of this one in the log (index ${index})`,
    { outcome: 'none' },
  )
}

function behind(): AlthingError {
  return new AlthingError('unavailable', 'this node is too far behind the leader to answer now', {
    outcome: 'none',
  })
}

function noLeader(): AlthingError {
  return new AlthingError('unavailable', 'no leader answers for this group now', { outcome: 'none' })
}
