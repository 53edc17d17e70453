/**
 * The vocabulary of the raft machine: what goes in (events), what comes out (effects), what travels (messages).
 *
 * References: "paper" is Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended Version)", 2014;
 * "thesis" is Ongaro, "Consensus: Bridging Theory and Practice", 2014.
 */

/** A member's number, > 0: given to one member for all time, never reused (a member that lost its disk comes back under a new one). */
export type NodeId = number

/** Written by `propose`, by a new leader (an empty entry, paper section 8), or by a membership change. */
export type EntryKind = 'command' | 'empty' | 'configuration'

export interface Entry {
  /** First entry of all is 1; no gaps. */
  readonly index: number
  readonly term: number
  readonly kind: EntryKind
  readonly data: Uint8Array
}

/**
 * Who decides, and who only listens (thesis chapter 4). The newest configuration in a node's log is the one it uses, committed or not; when its entry is
 * overwritten the one before it is in use again.
 */
export interface Configuration {
  /** Members that vote. Empty only on a node that is not told yet to what it belongs: it waits to be contacted, and never campaigns. */
  readonly voters: readonly NodeId[]
  /**
   * Present while a change of more than one voter is under way (joint consensus, thesis section 4.3): the voters before it. Every decision then takes a
   * majority of these and of `voters`. The leader leaves the joint configuration by itself once it is committed.
   */
  readonly outgoingVoters?: readonly NodeId[]
  /**
   * Members that receive the log and never count (thesis section 4.2.1). None is in `voters`; one that is in `outgoingVoters` still votes there, and is a learner
   * when the joint configuration is left.
   */
  readonly learners?: readonly NodeId[]
  /** `host:port` of every member, in the group that says who belongs to the cluster. Carried along: the machine does not read it. */
  readonly addresses?: Readonly<Record<NodeId, string>>
}

/** What must survive a crash besides the log (paper figure 2, "persistent state"). */
export interface HardState {
  readonly term: number
  /** The candidate voted for in `term`; 0 for none. */
  readonly vote: NodeId
}

/** Where a log ends: its last entry, or the end of the snapshot before it. Of two logs the one with the later term, then the greater index, is more up-to-date (paper section 5.4.1). */
export interface LogPosition {
  readonly index: number
  readonly term: number
}

/** The state that a snapshot stands for: everything up to and with `index`. */
export interface SnapshotMeta {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** Every message names its sender, its receiver and the sender's term (0 is never sent). */
interface MessageHead {
  readonly from: NodeId
  readonly to: NodeId
  readonly term: number
}

export type Message = MessageHead &
  (
    | {
        /** `preVote`: a question only; `term` is then the term the candidate would enter (thesis section 9.6). */
        readonly type: 'requestVote'
        readonly preVote: boolean
        readonly lastLogIndex: number
        readonly lastLogTerm: number
        /** Set after `timeoutNow`: voters may not refuse because they hear from a leader (thesis section 3.10). */
        readonly transfer: boolean
      }
    | {
        /** Reply to a granted pre-vote carries the asked term, to a refused one the voter's own. */
        readonly type: 'requestVoteReply'
        readonly preVote: boolean
        readonly granted: boolean
      }
    | {
        /** Also the heartbeat, with no entries. */
        readonly type: 'appendEntries'
        readonly prevLogIndex: number
        readonly prevLogTerm: number
        readonly entries: readonly Entry[]
        readonly leaderCommit: number
        /** Grows with every broadcast round of this leader's term; echoed, so that a quorum of echoes proves leadership since (ReadIndex). */
        readonly round: number
      }
    | {
        readonly type: 'appendEntriesReply'
        readonly success: boolean
        /** On success: the index up to which the follower's durable log is known to equal the leader's. */
        readonly matchIndex: number
        /** On failure: the prevLogIndex refused, and where to go on (back-off by term, paper section 5.3 end). */
        readonly rejectedIndex: number
        /** On failure: the term of the follower's entry at the conflict (0: its log is too short) and an index to try. */
        readonly conflictTerm: number
        readonly conflictIndex: number
        readonly round: number
      }
    | {
        /** One chunk (paper section 7). The shell fills and stores chunks; the machine checks terms and decides. */
        readonly type: 'installSnapshot'
        readonly snapshot: SnapshotMeta
        /** Names one transfer: the chunks of two transfers are never mixed. */
        readonly transferId: number
        readonly offset: number
        readonly data: Uint8Array
        readonly done: boolean
        readonly round: number
      }
    | {
        /** `offset`: the bytes received without a gap; the sender goes on from there. `installed` once the state is restored and durable. */
        readonly type: 'installSnapshotReply'
        readonly transferId: number
        readonly offset: number
        readonly installed: boolean
        /** Index of the snapshot. */
        readonly index: number
        readonly round: number
      }
    | { readonly type: 'timeoutNow' }
    /** A follower asks the leader for a read index on behalf of its own reader. */
    | { readonly type: 'readIndex'; readonly id: number }
    /** `index` 0: refused (not the leader, or it stepped down). */
    | { readonly type: 'readIndexReply'; readonly id: number; readonly index: number }
  )

/** What happens to the machine. Every step also takes `nowMs`, the monotonic time of this node: the machine has no clock. */
export type RaftEvent =
  /** Time may have come for something. Call it at `RaftStatus.nextDeadlineMs` or a little after; more often does no harm. */
  | { readonly type: 'tick' }
  | { readonly type: 'receive'; readonly message: Message }
  /** New entries for the log, in order. Only a leader takes them; otherwise the effect `proposalsDropped` comes back. */
  | { readonly type: 'propose'; readonly id: number; readonly data: readonly Uint8Array[] }
  /** All `persist` effects up to and with this `sequence` are durable. */
  | { readonly type: 'persisted'; readonly sequence: number }
  /** The model has applied the log up to `index`. */
  | { readonly type: 'applied'; readonly index: number }
  /** Ask for a read index (thesis section 6.4). Answered by `readReady` or `readDropped` with the same id. */
  | { readonly type: 'read'; readonly id: number }
  /** A snapshot of the state at `snapshot.index`, under {@link Raft.configurationAt} it, is durable here: the log may be cut, keeping `keepEntries` before it for slow followers. */
  | { readonly type: 'compacted'; readonly snapshot: SnapshotMeta; readonly keepEntries: number }
  /**
   * The snapshot received by `acceptSnapshot` effects is complete, checked and durable, and the model has been restored from it, unless it had
   * already applied as much (entries of `apply` effects up to `snapshot.index` that are still queued are then skipped).
   */
  | {
      readonly type: 'snapshotInstalled'
      readonly from: NodeId
      readonly transferId: number
      readonly snapshot: SnapshotMeta
    }
  /** A snapshot transfer to a follower ended: it has installed `index`, or the transfer failed. */
  | { readonly type: 'snapshotSent'; readonly to: NodeId; readonly index: number; readonly ok: boolean }
  /** The connection to a peer broke or was made anew: what was in flight may be lost, so probe again (thesis section 10.2.2). */
  | {
      readonly type: 'peerUnreachable'
      readonly peer: NodeId
      /**
       * Its machine says that its process is no more (the connection ended and a new one was refused). A follower of it then need not wait for the election
       * timeout: it asks the others within a heartbeat or two, and they refuse if they still hear from that leader (pre-vote, thesis section 9.6).
       */
      readonly isGone?: boolean
    }
  /** Hand leadership to `to` (thesis section 3.10), a voter. */
  | { readonly type: 'transferLeadership'; readonly to: NodeId }
  /**
   * Change the members to `target`, which is not joint. Answered by `configurationAppended` or `configurationRefused` with the same id. Only one change is
   * under way at a time, and only once the leader has committed an entry of its own term (the erratum of 2015 to thesis section 4.1). Where the sets of
   * voters differ by more than one member the machine goes through a joint configuration.
   */
  | { readonly type: 'changeConfiguration'; readonly id: number; readonly target: Configuration }
  /**
   * Whether this node may lead: false while its disk is slow or full. A leader then hands over to the voter that is furthest along, and the node does not
   * campaign until it is told true again; where nobody takes over within an election timeout it steps down all the same. It still votes and stores. The only
   * voter of a group leads in any case: nobody else could.
   */
  | { readonly type: 'setEligible'; readonly eligible: boolean }

/**
 * What the shell must do. Effects of one step come as a list, and the lists of successive steps are one sequence; the shell performs it in order, with
 * these rules:
 *
 * 1. `persist` may be done in the background, and several may be done as one write, but they reach the disk in their order; the shell then
 *    steps `persisted`.
 * 2. A `send` with `after > 0` leaves only when the `persist` of that sequence is durable. One with `after: 0` may leave at once: a leader sends
 *    entries to followers while its own disk works (thesis section 10.2.1) and counts itself only after `persisted`.
 * 3. `apply` may be done at once (entries that are committed are durable on a quorum, even where this node's own write is still under way), in index order.
 * 4. A failed `persist` is fatal for the node: it is never retried (fsync after a failed fsync proves nothing).
 */
export type RaftEffect =
  | {
      readonly type: 'persist'
      /** Grows by one with each. */
      readonly sequence: number
      readonly hardState?: HardState
      /** The first one overwrites whatever the log has at its index and after. */
      readonly entries: readonly Entry[]
      /** The log starts anew after this snapshot, which is already durable: all entries it had are dropped. `entries` come after. */
      readonly snapshot?: SnapshotMeta
    }
  | { readonly type: 'send'; readonly message: Message; readonly after: number }
  /** Entries now known to be committed, in order, each given once. */
  | { readonly type: 'apply'; readonly entries: readonly Entry[] }
  /** The machine took the proposals of `id`; they are the entries from `firstIndex` on, in `term`. */
  | {
      readonly type: 'proposalsAppended'
      readonly id: number
      readonly firstIndex: number
      readonly term: number
      readonly count: number
    }
  /** Nothing of the proposal entered the log. `not-leader` or `overloaded` (uncommitted bytes over the limit) or `transferring`. */
  | {
      readonly type: 'proposalsDropped'
      readonly id: number
      readonly reason: 'not-leader' | 'overloaded' | 'transferring'
    }
  /** The change asked for with `id` stands in the log at `index`; it is done when the last, not joint, configuration of it is committed. */
  | {
      readonly type: 'configurationAppended'
      readonly id: number
      readonly index: number
      readonly term: number
    }
  /** Nothing was changed. `not-ready`: this leader has not yet committed an entry of its term. */
  | {
      readonly type: 'configurationRefused'
      readonly id: number
      readonly reason: 'not-leader' | 'in-progress' | 'not-ready' | 'transferring'
    }
  /** This node now uses `configuration`, of the entry at `index` (0: the first of all). The shell connects to who is in it. */
  | {
      readonly type: 'configurationChanged'
      readonly configuration: Configuration
      readonly index: number
    }
  /**
   * Leader only, once a reign for each peer: `peer` refuses entries up to `matchIndex`, which it had acknowledged as durable. Its disk has lost them, so it can never
   * be brought up to date under its number: remove it, and add it again under another.
   */
  | { readonly type: 'peerLostData'; readonly peer: NodeId; readonly matchIndex: number }
  /** A local reader may be served once `index` is applied. */
  | { readonly type: 'readReady'; readonly id: number; readonly index: number }
  | { readonly type: 'readDropped'; readonly id: number }
  /** Role, term or leader changed. `leader` 0: unknown. */
  | { readonly type: 'stateChanged'; readonly role: Role; readonly term: number; readonly leader: NodeId }
  /** A leader's log no longer reaches back to what `to` needs: stream the newest snapshot to it with `installSnapshot` messages (via {@link Raft.snapshotMessage}). */
  | { readonly type: 'sendSnapshot'; readonly to: NodeId }
  /** Stop streaming to `to`: it needs it no more, or this node leads no more. */
  | { readonly type: 'cancelSnapshot'; readonly to: NodeId }
  /** A chunk for the shell to store; the shell answers with {@link Raft.snapshotReply}, and at the end steps `snapshotInstalled`. */
  | { readonly type: 'acceptSnapshot'; readonly message: Extract<Message, { type: 'installSnapshot' }> }
  /** A reply about a snapshot transfer that this leader runs, for the shell's stream. */
  | {
      readonly type: 'snapshotProgress'
      readonly message: Extract<Message, { type: 'installSnapshotReply' }>
    }
  /** Log entries up to `index` are no longer in memory nor needed on disk. */
  | { readonly type: 'compactLog'; readonly index: number }

export interface RaftOptions {
  readonly id: NodeId
  /** Follower waits between this and one and a half times this without a leader before it campaigns (default 1000). Pre-vote and check-quorum use it too. */
  readonly electionTimeoutMs: number
  /** Leader's silence is at most this (default 100); well under the election timeout. */
  readonly heartbeatMs: number
  /** Bytes of entries in one message (default 1 MiB; at least one entry is sent). */
  readonly messageBytesMax: number
  /** Messages with entries in flight to a follower (default 64). */
  readonly inflightMessagesMax: number
  /** Bytes of entries in flight to a follower (default 8 MiB). */
  readonly inflightBytesMax: number
  /** Bytes of uncommitted entries past which proposals are dropped (default 64 MiB). */
  readonly uncommittedBytesMax: number
  /** Reads waiting for a read index past which more are dropped (default 100 000). */
  readonly pendingReadsMax: number
  /**
   * Lease reads (thesis section 6.4.1): with a value > 0, below 1 and the same on all members, a leader serves reads without asking, for `electionTimeoutMs * (1 - leaseDriftMax)` after the
   * sending of the last round that a quorum has answered. It is safe because who has heard a leader votes for nobody for an election timeout, in no term and
   * not after a restart; a transfer of leadership, which overrides that, ends the leases of the term. The assumption: no two members' monotonic clocks differ in rate by more than this share over an
   * election timeout, and no virtual machine is paused without its clock going on. Default 0: every read is confirmed by a quorum (ReadIndex).
   */
  readonly leaseDriftMax: number
  /**
   * When all is committed, the followers are told so after this long (default 0: at once), unless entries have told them meanwhile. Where a client waits for each of its writes,
   * one millisecond saves two messages to and from each follower; watches and reads on followers see a commit that much later.
   */
  readonly announceDelayMs: number
}

export const raftDefaults: Omit<RaftOptions, 'id'> = {
  electionTimeoutMs: 1_000,
  heartbeatMs: 100,
  messageBytesMax: 1024 * 1024,
  inflightMessagesMax: 64,
  inflightBytesMax: 8 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  pendingReadsMax: 100_000,
  leaseDriftMax: 0,
  announceDelayMs: 0,
}

/** What a node finds on its disk when it starts. */
export interface RestoredState {
  readonly hardState: HardState
  /** Absent in a log that was never compacted; the configuration is then `initialConfiguration`. */
  readonly snapshot?: SnapshotMeta
  /** The entries after the snapshot, or, where more were kept, from any earlier index on. */
  readonly entries: readonly Entry[]
  readonly initialConfiguration: Configuration
  /**
   * Where the log of this member ended when it gave up its place in the group, if it had one before: that log is gone, `hardState` is kept. Until the new log is as
   * up-to-date the member stands in elections for the old one: it votes for no candidate that is behind, and is none.
   */
  readonly votingFloor?: LogPosition
}

/** How far a follower is, as the leader sees it. */
export interface ProgressStatus {
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly matchIndex: number
  readonly nextIndex: number
  readonly inflightMessages: number
  readonly lastReplyMs: number
  /** It no longer has what it had acknowledged as durable: see the effect `peerLostData`. */
  readonly hasLostData: boolean
}

export interface RaftStatus {
  readonly id: NodeId
  readonly role: Role
  readonly term: number
  readonly vote: NodeId
  /** 0: unknown. */
  readonly leader: NodeId
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly firstIndex: number
  readonly lastIndex: number
  readonly lastTerm: number
  /** Up to here this node's own disk has the log. */
  readonly persistedIndex: number
  /** The newest in the log: the one in use. */
  readonly configuration: Configuration
  /**
   * Of the entry that holds it; 0 for the first of all; the snapshot's index where it came with a snapshot. It is committed when the commit index has
   * reached it.
   */
  readonly configurationIndex: number
  /** May lead: see `setEligible`. */
  readonly isEligible: boolean
  /** Leader only: of every other voter and learner, and for an election timeout of those who have just left. */
  readonly progress: ReadonlyMap<NodeId, ProgressStatus>
  /** When `tick` has something to do next. */
  readonly nextDeadlineMs: number
  /** Leader only: it has committed an entry of its own term, so it knows the commit index (thesis section 6.4). */
  readonly committedInTerm: boolean
}
