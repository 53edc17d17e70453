// What a node answers under /api/v1. Types that the node itself has are imported from it; nothing of it is in the bundle.
import type { LockExplanation } from '../../../src/coordination/locks/lock-types.ts'
import type { SemaphoreExplanation } from '../../../src/coordination/semaphores/semaphore-types.ts'
import type { Candidate, Leader } from '../../../src/coordination/election/election-types.ts'
import type { ServiceInstance } from '../../../src/coordination/discovery/discovery-types.ts'
import type { NodeStatus } from '../../../src/engines/cluster/node-status.ts'
import type { Finding } from '../../../src/node/diagnosis/finding.ts'
import type { GatewayMetrics } from '../../../src/traffic/gateway-metrics.ts'
import type { InstanceView } from '../../../src/traffic/gateway-policy.ts'
import type { RouteRecord } from '../../../src/traffic/recent-routes.ts'

export type {
  CronActive,
  CronDefinition,
  CronOutcome,
  CronOverview,
  CronRecord,
} from '../../../src/coordination/cron/cron-types.ts'
export type { LockExplanation, LockParty } from '../../../src/coordination/locks/lock-types.ts'
export type {
  PermitParty,
  SemaphoreExplanation,
} from '../../../src/coordination/semaphores/semaphore-types.ts'
export type { ServiceInstance } from '../../../src/coordination/discovery/discovery-types.ts'
export type { MemberSight, MemberStatus, NodeStatus } from '../../../src/engines/cluster/node-status.ts'
export type { Finding } from '../../../src/node/diagnosis/finding.ts'
export type { GroupView } from '../../../src/node/http/group-overview.ts'
export type { InstanceView } from '../../../src/traffic/gateway-policy.ts'
export type { RouteRecord } from '../../../src/traffic/recent-routes.ts'

export interface ClusterMember {
  readonly id: number
  readonly address: string
  readonly httpAddress?: string
  /** `null`: it did not answer in time. */
  readonly status: NodeStatus | null
}

export interface ClusterReply {
  readonly clusterId: string
  /** 0: none known. */
  readonly leader: number
  readonly members: readonly ClusterMember[]
  /** Wall time of the node that asked. */
  readonly at: number
}

export interface KeyItem {
  /** Absent when the key is not UTF-8: then {@link keyBase64}. */
  readonly key?: string
  readonly keyBase64?: string
  /** UTF-8 values. */
  readonly value?: string
  /** All others. */
  readonly valueBase64?: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number
}

export interface KeysReply {
  readonly items: readonly KeyItem[]
  /** Keys in the range, whatever the limit. */
  readonly count: number
  readonly more: boolean
  readonly revision: number
}

export interface Login {
  /** Empty while nobody has signed in. */
  readonly user: string
  readonly accessControl: boolean
}

/** A member as the leader sees it; one that is invited has not joined yet. */
export interface ListedMember {
  readonly id: number
  readonly address?: string
  readonly role: 'voter' | 'learner' | 'none'
  readonly state: 'invited' | 'joined' | 'leaving' | 'removed'
  readonly isAnswering: boolean
  readonly behind?: number
  readonly replacedBy?: number
  readonly expiresWallMs?: number
}

export interface MemberList {
  readonly leader: number
  readonly members: readonly ListedMember[]
}

export interface Invitation {
  readonly id: number
  readonly token: string
  readonly expiresWallMs: number
}

export interface CreatedGroup {
  readonly id: number
  readonly name: string
  readonly members: readonly number[]
  readonly isServing: boolean
}

export interface ElectionEntry {
  readonly name: string
  /** `null` while nobody leads. */
  readonly leader: Leader | null
  /** In the order in which they are to lead. */
  readonly candidates: readonly Candidate[]
}

export interface ServiceEntry {
  readonly name: string
  readonly instances: readonly ServiceInstance[]
}

export type ProcessState = 'running' | 'paused' | 'stopped'
export type ProcessAction = 'kill' | 'pause' | 'resume' | 'start'

export interface ProcessStatus {
  readonly name: string
  readonly kind: 'node' | 'gateway' | 'worker' | 'load'
  readonly state: ProcessState
  readonly pid?: number
  readonly starts: number
  readonly lastExit?: string
}

export interface GatewayStats {
  readonly address: string
  /** The service whose instances it sends to. */
  readonly service: string
  readonly metrics: GatewayMetrics
  readonly instances: readonly InstanceView[]
  /** Newest first. */
  readonly recentRoutes: readonly RouteRecord[]
}

export interface GatewayEntry {
  readonly id: string
  readonly address: string
  /** `null`: it does not answer. */
  readonly stats: GatewayStats | null
  readonly problem?: string
}

/** One event of `/api/v1/live`. A part that could not be read is `null`, and `problems` says why, under its name. */
export interface Snapshot {
  readonly cluster: ClusterReply
  readonly locks: readonly LockExplanation[] | null
  readonly semaphores: readonly SemaphoreExplanation[] | null
  readonly elections: readonly ElectionEntry[] | null
  readonly services: readonly ServiceEntry[] | null
  /** `null`: the services are as of now. Else they are the last that the node knew; without an age it cannot say since when. */
  readonly staleServices: { readonly ageMs?: number } | null
  readonly gateway: readonly GatewayEntry[] | null
  /** `null` too where no supervisor runs. */
  readonly processes: readonly ProcessStatus[] | null
  /** What is wrong, most serious first. */
  readonly findings: readonly Finding[]
  readonly problems: Readonly<Record<string, string>>
}
