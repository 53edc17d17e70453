import type { LoopDelay } from '../../contracts/vitals.ts'
import type { OperationsStatus } from './operations-status.ts'
import type { MemberState } from '../../protocols/membership/types.ts'
import type { NodeId, Role } from '../../protocols/raft/types.ts'

/** What a node says of itself: plain data, for the command line, the console and readiness. */
export interface NodeStatus {
  readonly id: NodeId
  readonly clusterId: string
  readonly address: string
  /** HTTP address of the same node, when it serves HTTP. */
  readonly httpAddress?: string
  readonly version: string
  readonly role: Role
  readonly term: number
  /** 0: unknown. */
  readonly leader: NodeId
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly lastIndex: number
  readonly firstIndex: number
  readonly persistedIndex: number
  readonly revision: number
  readonly compactRevision: number
  readonly keys: number
  readonly leases: number
  readonly watchers: number
  readonly clients: number
  readonly uptimeMs: number
  /** Milliseconds since 1970 by the node's clock, when it answered: shows clocks that disagree. */
  readonly wallMs: number
  /** Absent where nobody measures it (a node in the simulator). */
  readonly vitals?: NodeVitals
  /** It knows a leader and has applied what was committed when it asked. */
  readonly isReady: boolean
  /** Why it is not ready, or has failed. */
  readonly problem?: string
  readonly members: readonly MemberStatus[]
  /** Groups of which this node has a copy, and how many of them it leads; group 1 among them. */
  readonly groups: { readonly copies: number; readonly leading: number }
  /** Members that a fault drill has cut this node off from. */
  readonly blocked: readonly NodeId[]
  /** Absent from a node of the version before. */
  readonly operations?: OperationsStatus
}

/** How the process does. */
export interface NodeVitals {
  /** Over the last 10 to 20 seconds. */
  readonly loopDelay: LoopDelay
  /** Of this node's disk over the last one to two minutes (1,024 syncs of each at most); absent when there was none. */
  readonly diskSyncP50Ms?: number
  readonly diskSyncP99Ms?: number
  /** Certificates that this node shows or trusts, and when they end (milliseconds since 1970). */
  readonly certificates?: readonly { readonly file: string; readonly endsWallMs: number }[]
  /** Files of such certificates that cannot be read or parsed now; absent: none, or a node of the version before. */
  readonly unreadableCertificates?: readonly { readonly file: string; readonly problem: string }[]
}

export interface MemberStatus {
  readonly id: NodeId
  readonly address: string
  /** It votes; false: a learner, which only receives. */
  readonly isVoter: boolean
  readonly isConnected: boolean
  /** Newest version of the messages between nodes that it speaks, by its greeting; absent while it has not greeted this node. */
  readonly protocol?: number
  /** On the leader, of a learner that is to vote once it has caught up: for how long it has been one. */
  readonly learnerForMs?: number
  /** On the leader: how far the member's log is. */
  readonly matchIndex?: number
  readonly state?: 'probe' | 'replicate' | 'snapshot'
  /** On the leader: since it last heard from the member. */
  readonly sinceReplyMs?: number
  /** On the leader: the member no longer has what it had acknowledged as durable. */
  readonly hasLostData?: boolean
  /** How the nodes' watch over one another has it here; absent: nothing was seen of it yet, or it is of the version before. */
  readonly seen?: MemberSight
}

/** How one node sees another (or shows itself). It tells who answers, and decides nothing: see `docs/blocks/membership.md`. */
export interface MemberSight {
  readonly state: MemberState
  /** For how long it has been so, as seen from here. */
  readonly forMs: number
  /** Grows when the member refutes what is said of it, or says something new of itself. */
  readonly incarnation: number
  /** Of one that is degraded: `event-loop`, `response-time`, `local-health`, `disk-full`. */
  readonly degraded?: string
  /** Of one that is suspect or failed: who had no answer from it. */
  readonly suspectedBy?: readonly NodeId[]
  /** Of the last ping from here that it answered. */
  readonly roundTripMs?: number
  /** Its local health score, as it said last: 0 is best, 8 is worst. */
  readonly healthScore?: number
}

/** One copy of a group, as the node that has it says. */
export interface GroupStatus {
  readonly id: number
  readonly name: string
  readonly role: Role
  readonly term: number
  /** 0: unknown. */
  readonly leader: NodeId
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly keys: number
  /** Of its store, as its quota counts them. */
  readonly bytes: number
  readonly quotaBytes: number
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
}
