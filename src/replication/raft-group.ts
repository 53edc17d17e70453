import { AlthingError } from '../contracts/errors.ts'
import type { Timer, World } from '../contracts/world.ts'
import { decodeConfiguration } from '../protocols/raft/configuration.ts'
import { Raft } from '../protocols/raft/raft.ts'
import {
  type Configuration,
  type Entry,
  type HardState,
  type LogPosition,
  type Message,
  type NodeId,
  type RaftEffect,
  type RaftEvent,
  type RaftOptions,
  type RaftStatus,
  type RestoredState,
  type Role,
  raftDefaults,
  type SnapshotMeta,
} from '../protocols/raft/types.ts'
import { Applier } from './applier.ts'
import { type ChangeCallback, ConfigurationChanges } from './configuration-changes.ts'
import type { GroupModel } from './group-model.ts'
import { GroupSnapshots } from './group-snapshots.ts'
import type { GroupTransport } from './group-transport.ts'
import { PersistQueue } from './persist-queue.ts'
import { type ProposalCallback, Proposals } from './proposals.ts'
import { type ReadCallback, Readers } from './readers.ts'
import { SlowDisk } from './slow-disk.ts'
import { SnapshotInbox } from './snapshot-inbox.ts'
import { SnapshotOutbox } from './snapshot-outbox.ts'
import type { RaftStorage } from './storage.ts'

export interface GroupObserver {
  /** Role, term or leader changed. */
  stateChanged?(status: RaftStatus): void
  /** This node leads and has applied every entry of earlier terms: its state is the newest (thesis section 6.4). */
  leaderReady?(): void
  /** Entries up to `index` are applied. */
  applied?(index: number): void
  /** The model was replaced by a snapshot from the leader. */
  restored?(snapshot: SnapshotMeta): void
  /** The configuration in use is another one. It is not committed yet, and may be taken back. `index` is of its entry. */
  configurationChanged?(configuration: Configuration, index: number): void
  /** The configuration of the entry at `index` is committed: it will not be taken back. Not called for one that came with a snapshot. */
  configurationCommitted?(configuration: Configuration, index: number): void
  /** This node leads; `peer` has lost what it had acknowledged up to `matchIndex`, and never catches up: it must be replaced. Told once a reign. */
  lostData?(peer: NodeId, matchIndex: number): void
  /** The node cannot go on (disk failed, corrupt state). Nothing is served afterwards. */
  failed?(error: AlthingError): void
  /** This copy is closed and will be removed, while the group lives on. */
  givenUp?(): void
  /** After every step of the machine: for traces and for the invariants of the simulator. */
  stepped?(event: RaftEvent, effects: readonly RaftEffect[], raft: Raft): void
}

export interface RaftGroupOptions {
  readonly world: World
  readonly raft: Partial<RaftOptions> & { readonly id: NodeId }
  /** The first one, where neither the log nor a snapshot has a later one. */
  readonly configuration: Configuration
  readonly storage: RaftStorage
  readonly restored: Omit<RestoredState, 'initialConfiguration'>
  readonly model: GroupModel
  /** Absent in a group of one. */
  readonly transport?: GroupTransport
  readonly observer?: GroupObserver
  /** A snapshot is taken once this many entries, or bytes of entries, are applied since the last (defaults 100 000 and 64 MiB) ... */
  readonly snapshotEntries?: number
  readonly snapshotBytes?: number
  /** ... or so long after the first entry that the last one has not (default 24 hours): what was deleted does not stay on the disk, and a start has little to do. */
  readonly snapshotAgeMs?: number
  /** Entries kept before a snapshot for followers that are a little behind (default 10 000). */
  readonly keepEntries?: number
  /** Proposals waiting to enter the log past which more are refused (default 50 000). */
  readonly waitingProposalsMax?: number
  /** Bytes waiting to enter the log, or to be written by this node's disk, past which proposals are refused (default 64 MiB). */
  readonly unwrittenBytesMax?: number
  /** Readers waiting past which more are refused (default 100 000). */
  readonly readersMax?: number
}

/** In place of the machine's own default: the next write of a client that waits for each tells the followers what is committed. */
const announceDelayMs = 1

/** A timer that fires this much too late tells of a stall. */
const lateTickMs = 20

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
  readonly #keepEntries: number
  readonly #proposals: Proposals
  readonly #readers: Readers
  readonly #changes = new ConfigurationChanges()
  readonly #disk: PersistQueue
  readonly #slowDisk: SlowDisk
  readonly #applier: Applier
  readonly #snapshots: GroupSnapshots
  readonly #inbox: SnapshotInbox
  readonly #outbox: SnapshotOutbox

  #failure: AlthingError | undefined
  #closed = false
  readonly #events: RaftEvent[] = []
  #isStepping = false
  #isTicking = false
  #tickTimer: Timer | undefined
  #tickAtMs = Number.POSITIVE_INFINITY
  #flushArmed = false
  #nextId = 1

  #role: Role
  #term: number
  #leader: NodeId
  #isWantedEligible = true
  #isEligible = true
  #readyTerm = 0

  constructor(options: RaftGroupOptions) {
    const { world, storage, restored } = options
    this.#world = world
    this.#model = options.model
    this.#storage = storage
    this.#transport = options.transport
    this.#observer = options.observer ?? {}
    this.#keepEntries = options.keepEntries ?? 10_000
    const electionTimeoutMs = options.raft.electionTimeoutMs ?? raftDefaults.electionTimeoutMs
    this.#proposals = new Proposals(
      options.waitingProposalsMax ?? 50_000,
      options.unwrittenBytesMax ?? 64 * 1024 * 1024,
    )
    this.#readers = new Readers(options.readersMax ?? 100_000, 2 * electionTimeoutMs)
    this.raft = new Raft(
      { announceDelayMs, ...options.raft },
      { ...restored, initialConfiguration: options.configuration },
      world.random,
      world.clock.monotonicMs(),
    )
    const { role, term, leader } = this.raft.status()
    this.#role = role
    this.#term = term
    this.#leader = leader
    this.#disk = this.#createDisk(restored.hardState)
    this.#slowDisk = this.#createSlowDisk(electionTimeoutMs)
    this.#applier = this.#createApplier(restored.snapshot)
    this.#snapshots = this.#createSnapshots(options)
    this.#inbox = this.#createInbox()
    this.#outbox = this.#createOutbox()
  }

  start(): void {
    this.#storage.onPinned(() => this.#freeLog())
    this.#transport?.start({
      receive: (message) => this.#step({ type: 'receive', message }),
      unreachable: (peer, isGone = false) => this.#step({ type: 'peerUnreachable', peer, isGone }),
    })
    this.#step({ type: 'tick' })
  }

  get failure(): AlthingError | undefined {
    return this.#failure
  }

  get appliedIndex(): number {
    return this.#applier.index
  }

  status(): RaftStatus {
    return this.raft.status()
  }

  /** The newest in the log: the one in use. */
  get configuration(): Configuration {
    return this.raft.configuration
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
    if (refusal !== undefined) done({ ok: false, error: refusal })
    else if (this.#proposals.add(data, hint, done, this.#disk.unwrittenBytes)) this.#armFlush()
  }

  /** Calls `done` when a read of the model made then is linearizable (thesis section 6.4). */
  readBarrier(done: ReadCallback): void {
    const refusal = this.#refusal()
    if (refusal !== undefined) done(refusal)
    else if (this.#readers.add(done)) this.#armFlush()
  }

  /**
   * Changes the members to `target`; only a leader can. `done` is called once: without an error when the last configuration of the change is committed and applied here,
   * or with one whose `outcome` tells whether the change may yet come about: `invalid-argument`; `unavailable`, whose `details.reason` is `not-leader`, `in-progress`,
   * `not-ready` or `transferring` where nothing was changed; `node-failed`; `closed`.
   */
  changeConfiguration(target: Configuration, done: ChangeCallback): void {
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      done(refusal)
      return
    }
    const id = this.#nextId++
    if (this.#changes.add(id, target, done)) this.#step({ type: 'changeConfiguration', id, target })
  }

  /** Hands leadership to `to`, a voter; the outcome shows in `stateChanged`. */
  transferLeadership(to: NodeId): void {
    this.#step({ type: 'transferLeadership', to })
  }

  /** Whether this node may lead: see the event `setEligible`. It also may not while its disk is slow. */
  setEligible(isEligible: boolean): void {
    this.#isWantedEligible = isEligible
    this.#decideEligibility()
  }

  /**
   * Keeps all that is applied in a snapshot, and cuts the log to `keepEntries` before it (default: as in the options). Resolves when the snapshot is durable. Rejects
   * with `unavailable` when there is nothing to keep, or a snapshot is just being installed, and with what the storage says.
   */
  takeSnapshot(keepEntries: number = this.#keepEntries): Promise<SnapshotMeta> {
    return this.#snapshots.take(keepEntries)
  }

  /** Stops at once; what is under way fails with `closed`. Idempotent. The storage is left to its owner. */
  /** Closes the copy for good. Returns what a later one must know of it, and a storage keeps: where its log ends, written or not. */
  giveUp(): LogPosition {
    const { lastIndex: index, lastTerm: term } = this.raft.status()
    this.close()
    this.#observer.givenUp?.()
    return { index, term }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopServing(
      new AlthingError('closed', 'the node is closing', { outcome: 'unknown', retryable: true }),
    )
  }

  #createDisk(hardState: HardState): PersistQueue {
    return new PersistQueue({
      storage: this.#storage,
      hardState,
      clock: this.#world.clock,
      send: (message) => this.#transport?.send(message),
      persisted: (sequence, tookMs) => {
        this.#slowDisk.wrote(tookMs)
        this.#step({ type: 'persisted', sequence })
      },
      fail: (cause) => this.#fail(cause),
    })
  }

  #createSlowDisk(electionTimeoutMs: number): SlowDisk {
    const { clock, timers, logger } = this.#world
    return new SlowDisk({
      electionTimeoutMs,
      timers,
      logger,
      nowMs: () => clock.monotonicMs(),
      writingForMs: (nowMs) => this.#disk.writingForMs(nowMs),
      hasLeader: () => this.#leader !== 0,
      changed: () => this.#decideEligibility(),
    })
  }

  #createApplier(restoredFrom: SnapshotMeta | undefined): Applier {
    return new Applier({
      world: this.#world,
      model: this.#model,
      proposals: this.#proposals,
      restoredFrom,
      isServing: () => this.#isServing,
      appliedOne: (entry) => this.#appliedOne(entry),
      applied: (index) => this.#applied(index),
      fail: (cause) => this.#fail(cause),
    })
  }

  #createSnapshots(options: RaftGroupOptions): GroupSnapshots {
    return new GroupSnapshots({
      storage: this.#storage,
      model: this.#model,
      logger: this.#world.logger,
      timers: this.#world.timers,
      newest: options.restored.snapshot,
      entriesMax: options.snapshotEntries ?? 100_000,
      bytesMax: options.snapshotBytes ?? 64 * 1024 * 1024,
      ageMsMax: options.snapshotAgeMs ?? 24 * 60 * 60_000,
      keepEntries: this.#keepEntries,
      describe: () => this.#describeState(),
      saved: (snapshot, keepEntries) => this.#step({ type: 'compacted', snapshot, keepEntries }),
      fail: (cause) => this.#fail(cause),
    })
  }

  #createInbox(): SnapshotInbox {
    return new SnapshotInbox({
      storage: this.#storage,
      raft: this.raft,
      logger: this.#world.logger,
      send: (message) => this.#transport?.send(message),
      install: (from, transferId, snapshot, chunks) =>
        this.#installSnapshot(from, transferId, snapshot, chunks),
      fail: (cause) => this.#fail(cause),
    })
  }

  #createOutbox(): SnapshotOutbox {
    return new SnapshotOutbox({
      storage: this.#storage,
      raft: this.raft,
      world: this.#world,
      send: (message) => this.#transport?.send(message),
      finished: (to, index, ok) => this.#step({ type: 'snapshotSent', to, index, ok }),
      fail: (cause) => this.#fail(cause),
    })
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
    if (this.#proposals.hasWaiting) {
      const id = this.#nextId++
      this.#step({ type: 'propose', id, data: this.#proposals.takeBatch(id) })
    }
    if (this.#readers.hasWaiting) {
      const id = this.#nextId++
      this.#readers.takeBatch(id, this.#world.clock.monotonicMs())
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
    const effects = this.raft.step(event, this.#world.clock.monotonicMs())
    this.#isTicking = event.type === 'tick'
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
        return this.#disk.push(effect)
      case 'send':
        return this.#send(effect.message, effect.after)
      case 'apply':
        return this.#applier.apply(effect.entries)
      case 'proposalsAppended':
        return this.#proposals.appended(effect.id, effect.firstIndex, effect.term, effect.count)
      case 'proposalsDropped':
        return this.#proposals.dropped(effect.id, effect.reason, this.#leader)
      case 'configurationAppended':
        return this.#changes.appended(effect.id, effect.index)
      case 'configurationRefused':
        return this.#changes.refused(effect.id, effect.reason, this.#leader)
      case 'configurationChanged':
        return this.#observer.configurationChanged?.(effect.configuration, effect.index)
      case 'peerLostData':
        return this.#peerLostData(effect.peer, effect.matchIndex)
      case 'readReady':
        this.#readers.ready(effect.id, effect.index)
        return this.#readers.serve(this.#applier.index)
      case 'readDropped':
        return this.#readers.dropped(effect.id)
      case 'stateChanged':
        return this.#stateChanged(effect.role, effect.term, effect.leader)
      case 'sendSnapshot':
        return this.#outbox.start(effect.to)
      case 'cancelSnapshot':
        return this.#outbox.cancel(effect.to)
      case 'acceptSnapshot':
        return this.#inbox.accept(effect.message)
      case 'snapshotProgress':
        return this.#outbox.progress(effect.message)
      case 'compactLog':
        this.#storage.compact(effect.index).catch((cause: unknown) => this.#fail(cause))
    }
  }

  #send(message: Message, after: number): void {
    if (after > 0 && !this.#disk.mayLeave(message, after)) return
    // Heartbeats fall due in all groups of the node at once.
    const canWait = this.#isTicking && message.type === 'appendEntries' && message.entries.length === 0
    this.#transport?.send(message, canWait)
  }

  #appliedOne(entry: Entry): void {
    this.#snapshots.applied(entry.data.byteLength)
    if (entry.kind === 'configuration') this.#configurationApplied(entry)
  }

  #applied(index: number): void {
    this.#step({ type: 'applied', index })
    this.#observer.applied?.(index)
    this.#readers.serve(index)
    this.#noticeLeaderReady()
    this.#snapshots.takeWhenDue(index)
  }

  #configurationApplied({ index, data }: Entry): void {
    const configuration = decodeConfiguration(data)
    this.#observer.configurationCommitted?.(configuration, index)
    this.#changes.applied(index, configuration)
  }

  #stateChanged(role: Role, term: number, leader: NodeId): void {
    this.#role = role
    this.#term = term
    this.#leader = leader
    if (role !== 'leader') {
      this.#proposals.leadershipLost()
      this.#changes.leadershipLost()
    }
    this.#observer.stateChanged?.(this.raft.status())
    this.#noticeLeaderReady()
  }

  #noticeLeaderReady(): void {
    const term = this.#term
    if (this.#role !== 'leader' || this.#readyTerm === term || this.#applier.term !== term) return
    this.#readyTerm = term
    this.#observer.leaderReady?.()
  }

  #peerLostData(peer: NodeId, matchIndex: number): void {
    const problem =
      'a member has lost entries that it had acknowledged: remove it, and add it again with a new id'
    this.#world.logger.log('error', problem, { member: peer, acknowledgedIndex: matchIndex })
    this.#observer.lostData?.(peer, matchIndex)
  }

  #decideEligibility(): void {
    const isEligible = this.#isWantedEligible && !this.#slowDisk.isSlow
    if (isEligible === this.#isEligible) return
    this.#isEligible = isEligible
    this.#step({ type: 'setEligible', eligible: isEligible })
  }

  #describeState(): SnapshotMeta | undefined {
    const { index, term, isRestoring } = this.#applier
    if (index === 0 || isRestoring || !this.#isServing) return undefined
    return { index, term, configuration: this.raft.configurationAt(index) }
  }

  /** Only this group's entries keep old segments of the node's log. */
  #freeLog(): void {
    if (!this.#isServing) return
    this.takeSnapshot(0).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.#world.logger.log('warn', 'the log cannot be cut now', { reason })
    })
  }

  async #installSnapshot(
    from: NodeId,
    transferId: number,
    snapshot: SnapshotMeta,
    chunks: readonly Uint8Array[],
  ): Promise<void> {
    if (!this.#isServing) return
    if (snapshot.index > this.#applier.index) {
      if (!(await this.#applier.restore(snapshot, chunks))) return
      this.#snapshots.restored(snapshot)
      this.#observer.restored?.(snapshot)
    }
    this.#step({ type: 'snapshotInstalled', from, transferId, snapshot })
    this.#applier.applyWaiting()
    this.#readers.serve(this.#applier.index)
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
      // The loop stood still, or the process did: the heartbeats of that time wait in the sockets, and are read before this node may doubt its leader.
      if (this.#world.clock.monotonicMs() - dueMs > lateTickMs)
        this.#world.timers.immediate(() => this.#tick())
      else this.#tick()
    })
  }

  #tick(): void {
    if (!this.#isServing) return
    this.#readers.dropOld(this.#world.clock.monotonicMs())
    this.#slowDisk.check()
    this.#step({ type: 'tick' })
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
    this.#slowDisk.close()
    this.#snapshots.close()
    this.#outbox.close()
    this.#inbox.close()
    this.#transport?.close()
    this.#disk.close()
    this.#proposals.failAll(error)
    this.#changes.failAll(error)
    this.#readers.failAll(error)
  }
}
