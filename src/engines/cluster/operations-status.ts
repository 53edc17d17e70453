import type { LastBackup } from './backup/last-backup.ts'
import type { Hindrance } from './drain.ts'
import type { LeadershipStatus } from './leadership-log.ts'
import type { ReplicaCheckStatus } from './replicas/replica-checker.ts'
import type { TroubledGroup } from './troubled-groups.ts'

/** What the one who runs a node watches besides the log: room, load, backups, copies that differ. Plain data. */
export interface OperationsStatus {
  /** Of the cluster's own store. */
  readonly store: {
    readonly bytes: number
    readonly historyBytes: number
    readonly quotaBytes: number
    readonly state: 'ok' | 'nearly-full' | 'full'
  }
  /** Other groups here whose stores are nearly full or full; 20 at most. */
  readonly crowded: readonly CrowdedStore[]
  /** Names of other groups here of which this node knows no leader; 20 at most. */
  readonly leaderless: readonly string[]
  /** Groups of the cluster that need somebody to see to them, as the node that leads it knows; empty elsewhere, absent from a node of the version before. */
  readonly troubled?: readonly TroubledGroup[]
  /** Of all groups, since the start. */
  readonly activity: { readonly reads: number; readonly writes: number }
  /** Of the cluster's own group, as this node sees it. */
  readonly leadership: LeadershipStatus
  readonly disk: {
    /** Absent where the system does not say. */
    readonly freeBytes?: number
    readonly isLow: boolean
  }
  /** Of all groups here: clients that do not read what they watch, now and since the start. */
  readonly watchers: {
    readonly setAside: number
    readonly setAsideTotal: number
    readonly resyncsTotal: number
  }
  /** This node may lead. Not while it drains, or while its disk is full or slow. */
  readonly isEligible: boolean
  /** What keeps it from leading besides a slow disk. */
  readonly hindrances: readonly Hindrance[]
  /** Requests refused to callers who ask for more than their share, since the start. */
  readonly rateLimitedTotal: number
  readonly access: {
    readonly isEnabled: boolean
    /** Why the audit log cannot be written. */
    readonly auditProblem?: string
  }
  /** Of the cluster's own store; absent: none was ever taken. */
  readonly lastBackup?: LastBackup
  /** The comparisons of copies that this node has made. */
  readonly replicaChecks: readonly ReplicaCheckStatus[]
}

export interface CrowdedStore {
  readonly name: string
  readonly bytes: number
  readonly quotaBytes: number
  readonly state: 'nearly-full' | 'full'
}
