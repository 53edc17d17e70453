import { assert } from '../../base/assert.ts'
import type { Random } from '../../contracts/world.ts'
import { ConfigurationHistory } from './configuration-history.ts'
import { Durability } from './durability.ts'
import { isBehind } from './log-position.ts'
import { RaftLog } from './log.ts'
import { Quorum } from './quorum.ts'
import type {
  Configuration,
  Entry,
  HardState,
  LogPosition,
  Message,
  NodeId,
  RaftEffect,
  RaftOptions,
  RestoredState,
  Role,
  SnapshotMeta,
} from './types.ts'

/** A message without what every message has alike. */
export type MessageBody = Message extends infer M
  ? M extends Message
    ? Omit<M, 'from' | 'to' | 'term'>
    : never
  : never

/**
 * What every role has: term, vote, log, commit index, the time, and the effects gathered in this step. It keeps the rules that hold in
 * every role: terms only grow, the vote of a term never changes, what is committed is never given up, and nothing is sent before the term
 * and vote that it speaks for are durable.
 */
export class Core {
  readonly options: RaftOptions
  readonly log: RaftLog
  readonly durability: Durability
  /** Of the configuration in use: the newest in the log. */
  quorum: Quorum
  readonly #random: Random
  readonly #votingFloor: LogPosition
  readonly #configurations: ConfigurationHistory
  #term: number
  #vote: NodeId
  #isHardStateDirty = false
  #role: Role = 'follower'
  #leader: NodeId = 0
  #commitIndex: number
  #appliedIndex: number
  #nowMs: number
  #isVoter = false
  #mayStillVote = false
  #isEligible = true
  #leaderContactMs: number
  /** The newest round of this term's leader that was heard of; 0 for none. */
  #heardRound = 0
  /** The leader's process is known to have ended, and no candidate has been heard of since. */
  #hasLeaderGone = false
  #electionTimeoutMs = 0
  #electionDeadlineMs: number
  #effects: RaftEffect[] = []
  #announced: { role: Role; term: number; leader: NodeId }

  constructor(options: RaftOptions, restored: RestoredState, random: Random, nowMs: number) {
    this.options = options
    this.#random = random
    this.#term = restored.hardState.term
    this.#vote = restored.hardState.vote
    const snapshotTerm = restored.snapshot?.term ?? 0
    if (snapshotTerm > this.#term) {
      // A received snapshot may reach the disk before the term in which it came. Nothing was said in that term, and no vote given.
      this.#term = snapshotTerm
      this.#vote = 0
      this.#isHardStateDirty = true
    }
    this.log = RaftLog.restore(restored)
    this.#votingFloor = restored.votingFloor ?? { index: 0, term: 0 }
    assert(this.#term >= this.log.lastTerm, 'the term is not behind the log', {
      term: this.#term,
      lastTerm: this.log.lastTerm,
    })
    this.durability = new Durability(this.log.lastIndex)
    this.#configurations = ConfigurationHistory.restore(restored)
    this.quorum = new Quorum(this.configuration)
    this.#commitIndex = restored.snapshot?.index ?? 0
    this.#appliedIndex = this.#commitIndex
    this.#nowMs = nowMs
    this.#electionDeadlineMs = nowMs
    this.#announced = { role: 'follower', term: this.#term, leader: 0 }
    this.#noteOwnPart()
    // Where leases are in use a leader may count on what this node answered just before it stopped.
    const usesLeases = options.leaseDriftMax > 0
    this.#leaderContactMs = usesLeases ? nowMs : Number.NEGATIVE_INFINITY
    // A lone voter has nobody to wait for.
    if (!this.isOnlyVoter || usesLeases) this.restartElectionTimer()
    if (RaftLog.isReplaced(restored)) this.persist([], restored.snapshot)
  }

  get id(): NodeId {
    return this.options.id
  }

  /** Of the configuration in use. */
  get isVoter(): boolean {
    return this.#isVoter
  }

  get isOnlyVoter(): boolean {
    return this.quorum.isOnly(this.options.id)
  }

  /**
   * Also one that the newest configuration leaves out campaigns while that is not known to be committed: it may have entries without which nobody else can be
   * elected (thesis section 4.2.2). One that should not lead does so only where nobody else ever could. One whose log has not reached its voting floor does not:
   * the part that it has may hold an old configuration, by which it would win without what has been committed since.
   */
  get mayCampaign(): boolean {
    return this.#mayStillVote && (this.#isEligible || this.isOnlyVoter) && this.#hasReachedFloor
  }

  /** Whether a log that ends at `position` is at least as up-to-date as this node's own, and as the one that it gave up (paper section 5.4.1). */
  isUpToDate(position: LogPosition): boolean {
    const { lastIndex, lastTerm } = this.log
    return (
      !isBehind(position.index, position.term, { index: lastIndex, term: lastTerm }) &&
      !isBehind(position.index, position.term, this.#votingFloor)
    )
  }

  get #hasReachedFloor(): boolean {
    return !isBehind(this.log.lastIndex, this.log.lastTerm, this.#votingFloor)
  }

  get isEligible(): boolean {
    return this.#isEligible
  }

  get configuration(): Configuration {
    return this.#configurations.newest.configuration
  }

  get configurationIndex(): number {
    return this.#configurations.newest.index
  }

  /** The configuration of the state at `index`, which is not before the applied index. */
  configurationAt(index: number): Configuration {
    return this.#configurations.at(index)
  }

  get term(): number {
    return this.#term
  }

  get vote(): NodeId {
    return this.#vote
  }

  get role(): Role {
    return this.#role
  }

  get leader(): NodeId {
    return this.#leader
  }

  get commitIndex(): number {
    return this.#commitIndex
  }

  get appliedIndex(): number {
    return this.#appliedIndex
  }

  get nowMs(): number {
    return this.#nowMs
  }

  get electionDeadlineMs(): number {
    return this.#electionDeadlineMs
  }

  /**
   * A leader lives, as far as this node knows: then it disturbs nobody with votes (thesis section 4.2.3). Where leases are in use it is a promise to the
   * leader that was heard, which neither a later term nor a restart ends (section 6.4.1).
   */
  get isInTouchWithLeader(): boolean {
    if (this.#role === 'leader') return true
    if (this.#leader === 0 && this.options.leaseDriftMax === 0) return false
    return this.#nowMs - this.#leaderContactMs < this.options.electionTimeoutMs
  }

  beginStep(nowMs: number): void {
    assert(nowMs >= this.#nowMs, 'time does not go back', { nowMs, before: this.#nowMs })
    this.#nowMs = nowMs
  }

  /** The effects of the step, with the news of role, term and leader at the end. */
  endStep(): RaftEffect[] {
    if (this.#isHardStateDirty) this.persist([])
    const { role, term, leader } = this.#announced
    if (role !== this.#role || term !== this.#term || leader !== this.#leader) {
      this.#announced = { role: this.#role, term: this.#term, leader: this.#leader }
      this.emit({ type: 'stateChanged', ...this.#announced })
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  emit(effect: RaftEffect): void {
    this.#effects.push(effect)
  }

  /**
   * Sends `body` in this node's term. It leaves once term and vote are durable and, where it claims that this node holds the log up to
   * `claimedIndex`, once that is true on disk.
   */
  send(to: NodeId, body: MessageBody, claimedIndex = 0): void {
    this.sendInTerm(this.#term, to, body, claimedIndex)
  }

  /** As {@link send}, for pre-votes, which speak of a term that this node has not entered. */
  sendInTerm(term: number, to: NodeId, body: MessageBody, claimedIndex = 0): void {
    if (this.#isHardStateDirty) this.persist([])
    const after = Math.max(this.durability.hardStateBarrier, this.durability.entriesBarrier(claimedIndex))
    const message = { from: this.options.id, to, term, ...body } as Message
    this.emit({ type: 'send', message, after })
  }

  /** Starts a write of `entries` (and of term and vote, if they changed). Returns its sequence. */
  persist(entries: readonly Entry[], snapshot?: SnapshotMeta): number {
    const sequence = this.durability.begin(this.log.lastIndex, this.#isHardStateDirty)
    this.emit({
      type: 'persist',
      sequence,
      entries,
      ...(this.#isHardStateDirty && { hardState: this.hardState }),
      ...(snapshot !== undefined && { snapshot }),
    })
    this.#isHardStateDirty = false
    return sequence
  }

  get hardState(): HardState {
    return { term: this.#term, vote: this.#vote }
  }

  /** Follows `leader` (0: unknown) in `term`, which is this node's or a later one. */
  becomeFollower(term: number, leader: NodeId): void {
    assert(term >= this.#term, 'the term only grows', { term, before: this.#term })
    if (term > this.#term) {
      this.#term = term
      this.#vote = 0
      this.#heardRound = 0
      this.#isHardStateDirty = true
    }
    if (this.#role === 'leader') this.restartElectionTimer()
    this.#role = 'follower'
    this.#leader = leader
  }

  becomePreCandidate(): void {
    assert(this.#role !== 'leader', 'a leader does not campaign')
    this.#role = 'pre-candidate'
    this.#leader = 0
    this.restartElectionTimer()
  }

  /** Enters the next term and votes for itself (paper section 5.2). */
  becomeCandidate(): void {
    assert(this.#role !== 'leader' && this.mayCampaign, 'a voter that does not lead campaigns', {
      role: this.#role,
    })
    this.#role = 'candidate'
    this.#leader = 0
    this.#hasLeaderGone = false
    this.#heardRound = 0
    this.#term++
    this.#vote = this.options.id
    this.#isHardStateDirty = true
    this.restartElectionTimer()
  }

  becomeLeader(): void {
    assert(this.#role === 'candidate', 'only a candidate becomes leader', { role: this.#role })
    this.#role = 'leader'
    this.#leader = this.options.id
  }

  /** Votes for `candidate` in this term. */
  voteFor(candidate: NodeId): void {
    assert(this.#vote === 0 || this.#vote === candidate, 'one vote a term', { vote: this.#vote, candidate })
    if (this.#vote === candidate) return
    this.#vote = candidate
    this.#isHardStateDirty = true
  }

  get heardRound(): number {
    return this.#heardRound
  }

  /** A message of this term's leader came, sent in its `round`. */
  heardFromLeader(leader: NodeId, round: number): void {
    assert(this.#role !== 'leader', 'one leader a term (paper section 5.2)', { term: this.#term, leader })
    assert(this.#leader === 0 || this.#leader === leader, 'one leader a term (paper section 5.2)', {
      term: this.#term,
      known: this.#leader,
      leader,
    })
    if (this.#role !== 'follower' || this.#leader !== leader) this.becomeFollower(this.#term, leader)
    if (this.#hasLeaderGone) {
      this.#hasLeaderGone = false
      this.restartElectionTimer()
    }
    this.#heardRound = Math.max(this.#heardRound, round)
    this.#leaderContactMs = this.#nowMs
    this.#electionDeadlineMs = this.#nowMs + this.#electionTimeoutMs
  }

  /**
   * The process of `peer` has ended. If it led, its followers are free to choose another at once. Where leases are in use they keep their promise to it: what
   * answers for its machine may be mistaken.
   */
  leaderGone(peer: NodeId): void {
    if (this.#role !== 'follower' || this.#leader !== peer || this.options.leaseDriftMax > 0) return
    this.#leader = 0
    this.#hasLeaderGone = true
    this.restartElectionTimer()
  }

  /** Draws a new timeout, so that candidates that collided once do not go on to collide (paper section 5.2). */
  restartElectionTimer(): void {
    this.#electionTimeoutMs = this.#drawElectionTimeout()
    this.#electionDeadlineMs = this.#nowMs + this.#electionTimeoutMs
  }

  /** Shorter after the leader's process has ended: long enough for the others to have noticed it too, and for one to be the first to ask. */
  #drawElectionTimeout(): number {
    const { electionTimeoutMs, heartbeatMs } = this.options
    if (this.#hasLeaderGone) return heartbeatMs * (0.5 + 1.5 * this.#random.float())
    return electionTimeoutMs * (1 + this.#random.float() / 2)
  }

  /** Hands the entries up to `index` to the model. */
  commitTo(index: number): void {
    if (index <= this.#commitIndex) return
    assert(index <= this.log.lastIndex, 'commits what it has', { index, lastIndex: this.log.lastIndex })
    const entries = this.log.entries(this.#commitIndex + 1, index, Number.POSITIVE_INFINITY)
    const before = this.#commitIndex
    this.#commitIndex = index
    if (before < this.configurationIndex) this.#noteOwnPart()
    this.emit({ type: 'apply', entries })
  }

  applied(index: number): void {
    assert(index <= this.#commitIndex, 'applies what is committed', { index, commitIndex: this.#commitIndex })
    this.#appliedIndex = Math.max(this.#appliedIndex, index)
    this.#configurations.prune(this.#appliedIndex)
  }

  /** A leader's own entries, at the end of its log. */
  append(entries: readonly Entry[]): void {
    this.log.append(entries)
    if (this.#configurations.appended(entries)) this.#configurationChanged()
    this.persist(entries)
  }

  /** Takes entries of a leader, after the one at which the logs agree; removes those of its own that differ (paper section 5.3). */
  overwrite(entries: readonly Entry[]): void {
    const first = entries[0] as Entry
    assert(first.index > this.#commitIndex, 'committed entries are never overwritten (paper section 5.4)', {
      index: first.index,
      commitIndex: this.#commitIndex,
    })
    let hasChanged = false
    if (first.index <= this.log.lastIndex) {
      this.log.truncateFrom(first.index)
      this.durability.truncated(first.index)
      hasChanged = this.#configurations.truncatedFrom(first.index)
    }
    this.log.append(entries)
    if (this.#configurations.appended(entries) || hasChanged) this.#configurationChanged()
    this.persist(entries)
  }

  /**
   * The model stands at `snapshot`, which is durable. Where the log already has the snapshot's last entry it is kept, for what follows may
   * have been acknowledged; otherwise nothing in it is of worth, and it starts anew (paper section 7).
   */
  installSnapshot(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.#commitIndex, 'a snapshot never goes back', {
      snapshot,
      commit: this.#commitIndex,
    })
    this.#commitIndex = snapshot.index
    this.#appliedIndex = snapshot.index
    if (this.log.term(snapshot.index) === snapshot.term) {
      this.#configurations.prune(snapshot.index)
      this.#noteOwnPart()
      return
    }
    this.log.reset(snapshot.index, snapshot.term)
    this.durability.replaced(snapshot.index)
    this.#configurations.reset(snapshot)
    this.#configurationChanged()
    this.persist([], snapshot)
  }

  /** The log may be cut: the state at `snapshot.index` is durable. Keeps `keepEntries` before it. */
  compact(snapshot: SnapshotMeta, keepEntries: number): void {
    assert(snapshot.index <= this.#commitIndex && keepEntries >= 0, 'a snapshot is of what is committed', {
      snapshot,
      keepEntries,
      commitIndex: this.#commitIndex,
    })
    const index = snapshot.index - keepEntries
    if (index < this.log.firstIndex) return
    this.log.compact(index)
    this.emit({ type: 'compactLog', index })
  }

  /** Whether this node may lead from now on. */
  setEligible(isEligible: boolean): void {
    this.#isEligible = isEligible
    // Its election time may be long over: it does not storm in.
    if (isEligible) this.restartElectionTimer()
    this.#dropCandidacy()
  }

  #configurationChanged(): void {
    const { configuration, index } = this.#configurations.newest
    this.quorum = new Quorum(configuration)
    this.#noteOwnPart()
    this.emit({ type: 'configurationChanged', configuration, index })
    this.#dropCandidacy()
  }

  #noteOwnPart(): void {
    this.#isVoter = this.quorum.has(this.options.id)
    this.#mayStillVote = this.#configurations.mayStillVote(this.options.id, this.#commitIndex)
  }

  #dropCandidacy(): void {
    const isCandidate = this.#role === 'pre-candidate' || this.#role === 'candidate'
    if (isCandidate && !this.mayCampaign) this.becomeFollower(this.#term, 0)
  }
}
