import type {
  Compare,
  LeaseId,
  LeaseStatus,
  Operation,
  RangeReply,
  RangeRequest,
  TxnReply,
  WatchEvent,
} from '../../contracts/store.ts'
import type { ErrorJson } from '../../contracts/errors.ts'

/**
 * A command of the store model: what the replicated log holds. `session` and `sequence` make a retry harmless: the model keeps the reply of
 * each command of a session until the client says (by `acknowledged`) that it has it, and answers a repeated one from there.
 */
export type StoreCommand =
  | (SessionStamp & StoreMutation)
  /** Opens a session; its id is the reply. `ownerKey` (random, chosen by the client) makes a repeated opening return the same session. */
  | { readonly type: 'openSession'; readonly ownerKey: string }
  /** Leases whose time has run out by the clock of the node that measures. Those that are gone already are passed over. */
  | { readonly type: 'expireLeases'; readonly leases: readonly LeaseId[] }
  /** Sets the quota; 0: the default of the node that leads. It decides no reply of the model: the leader keeps it (`docs/decisions/0009`). Format 2. */
  | { readonly type: 'setQuota'; readonly bytes: number }
  /** Changes nothing. The reply is the hash of the state at this place of the log, the same on every replica. Format 2. */
  | { readonly type: 'checkpoint' }

/** What every replica that has applied the same entries must agree on. */
export interface StateHash {
  readonly revision: number
  /** Of the keys (with revisions, versions, leases), the leases and the revision; not of the history: when it was compacted does not show. 16 hexadecimal digits. */
  readonly hash: string
  /** Of the sessions: owner, last use, acknowledged, number and bytes of the replies kept. */
  readonly sessionsHash: string
}

export interface SessionStamp {
  /** 0: no session, and no protection against a repeated application. */
  readonly session: number
  /** Grows by one with each command of the session; commands may arrive in another order. */
  readonly sequence: number
  /** Every reply with a sequence up to here has reached the client: the model may forget it, and answers no repeat of it. */
  readonly acknowledged: number
}

export type StoreMutation =
  | {
      readonly type: 'txn'
      readonly compare: readonly Compare[]
      readonly then: readonly Operation[]
      readonly else: readonly Operation[]
    }
  | { readonly type: 'grantLease'; readonly ttlMs: number }
  | { readonly type: 'revokeLease'; readonly lease: LeaseId }
  | { readonly type: 'compact'; readonly revision: number }
  | { readonly type: 'closeSession' }

/** A refused command changes nothing and is a reply like any other: the same on every replica, and kept for repeats. */
export type StoreReply =
  | { readonly ok: true; readonly type: 'txn'; readonly reply: TxnReply }
  | { readonly ok: true; readonly type: 'grantLease'; readonly lease: LeaseId; readonly ttlMs: number }
  | { readonly ok: true; readonly type: 'revokeLease'; readonly revision: number }
  | {
      readonly ok: true
      readonly type: 'expireLeases'
      readonly revision: number
      readonly expired: readonly LeaseId[]
    }
  | { readonly ok: true; readonly type: 'compact'; readonly compactRevision: number }
  | { readonly ok: true; readonly type: 'openSession'; readonly session: number }
  | { readonly ok: true; readonly type: 'closeSession' }
  | { readonly ok: true; readonly type: 'setQuota'; readonly quotaBytes: number }
  | ({ readonly ok: true; readonly type: 'checkpoint' } & StateHash)
  | { readonly ok: false; readonly error: ErrorJson }

/** What one applied command changed: the raw material of watches, and of the timers of leases. */
export interface StoreChange {
  /** The store's revision afterwards. */
  readonly revision: number
  /** Events of this one revision, ordered by key; empty when no key changed. Each `put` and `delete` carries `previous` when there was one. */
  readonly events: readonly WatchEvent[]
  readonly leasesGranted: readonly { readonly lease: LeaseId; readonly ttlMs: number }[]
  readonly leasesEnded: readonly LeaseId[]
  /** Set when the compact revision moved. */
  readonly compactRevision?: number
}

/** Reads never change the model and are made on its current state (or at an older revision). Failures throw `AlthingError`. */
export interface StoreReader {
  readonly revision: number
  readonly compactRevision: number
  range(request: RangeRequest): RangeReply
  leases(): readonly LeaseStatus[]
  /**
   * Events of the revisions `from..to` (both included) in a range, grouped by revision. Throws `compacted` when `from` is below what is kept
   * (`from` must be > compactRevision).
   */
  eventsBetween(range: { key: string; end?: string | null }, from: number, to: number): readonly StoreChange[]
}
