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
  /** It knows a leader and has applied what was committed when it asked. */
  readonly isReady: boolean
  /** Why it is not ready, or has failed. */
  readonly problem?: string
  readonly members: readonly MemberStatus[]
  /** Members that a fault drill has cut this node off from. */
  readonly blocked: readonly NodeId[]
}

export interface MemberStatus {
  readonly id: NodeId
  readonly address: string
  readonly isConnected: boolean
  /** On the leader: how far the member's log is. */
  readonly matchIndex?: number
  readonly state?: 'probe' | 'replicate' | 'snapshot'
}
