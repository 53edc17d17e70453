import type { ByteString } from '../base/bytes.ts'
import type { AlthingError } from './errors.ts'
import type { ThreadEntry } from './world.ts'

/**
 * The store contract: revisioned keys, transactions, leases, watches (the data model of etcd v3). Narrow on purpose; the
 * typed client and all recipes are written once, above it. The rules of behaviour stand in `docs/blocks/store.md` and are
 * the same on every engine except where {@link StoreCapabilities} says otherwise.
 *
 * Every method rejects with an `AlthingError`; a mutating one with `outcome` set. An argument outside its bounds rejects with
 * `invalid-argument` or `too-large` before anything is changed. Every waiting call takes a `signal` (-> `aborted`) and a
 * `timeoutMs` (-> `timeout`); without one the engine's default (5000) holds, so that no call hangs for ever.
 */
export interface Store {
  readonly capabilities: StoreCapabilities
  /** Reads keys at one revision. Linearizable unless asked otherwise. */
  range(request: RangeRequest, options?: ReadOptions): Promise<RangeReply>
  /**
   * Compares, then applies one of two lists of operations, atomically and at one revision. Linearizable. A transaction without `put` and `delete` is a read of any
   * node, and may be asked to be `serializable` as such (`invalid-argument` for another).
   */
  txn(request: TxnRequest, options?: ReadOptions): Promise<TxnReply>
  /** Grants a lease of `ttlMs` (bounds: {@link storeLimits}). */
  grantLease(request: GrantLeaseRequest, options?: CallOptions): Promise<LeaseGrant>
  /** Starts the lease's time anew. `lease-not-found` when it has expired. The time counts from some moment between call and reply. */
  keepLeaseAlive(lease: LeaseId, options?: CallOptions): Promise<LeaseGrant>
  /**
   * Starts the time of many leases anew with one call; the results are in the order asked for, each a grant, or the error that {@link Store.keepLeaseAlive} of it would reject with. At most 1,000
   * leases (`too-large`). Absent where the engine has no such call.
   */
  keepLeasesAlive?(
    leases: readonly LeaseId[],
    options?: CallOptions,
  ): Promise<readonly (LeaseGrant | AlthingError)[]>
  /** Ends the lease and deletes its keys in one revision. `lease-not-found` when there is none. */
  revokeLease(lease: LeaseId, options?: CallOptions): Promise<{ readonly revision: number }>
  /** All leases with their keys, in the order of their ids. Very many are read in several steps, each of which shows its own moment. */
  leases(options?: ReadOptions): Promise<readonly LeaseStatus[]>
  /** Forgets versions older than `revision` (a version that is still current at it stays). Reads below then fail with `compacted`. */
  compact(revision: number, options?: CallOptions): Promise<{ readonly compactRevision: number }>
  /** Events of a range, in order. See {@link Watch}. Returns at once. */
  watch(request: WatchRequest): Watch
  /** Where the engine can renew leases from a thread of its own, which a blocked event loop cannot stop. */
  readonly renewal?: RenewalSource
  /** Ends watches and calls under way (`closed`). Idempotent. */
  close(): Promise<void>
}

/** How to start a thread that renews leases of this store: `world.threads.start(entry, { engine, shared, ... })`. */
export interface RenewalSource {
  readonly entry: ThreadEntry<RenewalThreadData>
  /** The engine's own: addresses, credentials. Structured-cloneable. */
  readonly engine: unknown
}

export interface RenewalThreadData {
  readonly engine: unknown
  /**
   * Float64 slots of monotonic milliseconds, laid out in `protocols/lease/shared-slots.ts`: when the application's loop and the thread's own were
   * last alive, and for each lease when its last acknowledged renewal was *sent* (the lease is surely alive until then plus its ttl, by the
   * store's clock).
   */
  readonly shared: SharedArrayBuffer
  /** Past this silence of slot 0 the thread renews nothing more: a program that hangs for good gives its rights up. */
  readonly maxStallMs: number
}

/** What an engine guarantees, as data. A recipe that needs more refuses to start there (`missing-guarantee`). */
export interface StoreCapabilities {
  /** Writes and default reads are linearizable (Herlihy and Wing, 1990). */
  readonly linearizable: boolean
  /** Where an acknowledged write is before the acknowledgement. */
  readonly durability: 'memory' | 'disk' | 'quorum-disk'
  /** A lease never ends before its time because a node died or the leader changed. */
  readonly leaseSurvivesFailover: boolean
  /** Who measures the time of leases: the engine (`server`), or the caller's clock (`client`). */
  readonly timeAuthority: 'server' | 'client'
  /** A lease ends at most this long after its time, while the engine serves. */
  readonly leaseExpiryResolutionMs: number
  /** Create and mod revisions only grow, over restarts too, and so serve as fencing tokens. */
  readonly fencing: boolean
  /** Watches lose nothing, and resume from any revision not yet compacted. */
  readonly watchResume: boolean
  /** A retry of the same call is applied once. */
  readonly exactlyOnce: boolean
  /** Bounds on arguments and replies; see {@link limitsOf}. Default: {@link storeLimits}. */
  readonly limits?: StoreLimits
  /** The time of a lease is a whole multiple of this: what was asked for, rounded up, as the grant tells. Default 1. */
  readonly leaseTtlStepMs?: number
  /** A watch reports progress no more often than this, whatever was asked for. Default 0: as asked for. */
  readonly watchProgressMsMin?: number
}

/** 1..2^53-1. Assigned by the store; never used twice. */
export type LeaseId = number

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

export interface ReadOptions extends CallOptions {
  /** `'linearizable'` (default), or `'serializable'`: the serving node's own copy, which may be behind. */
  readonly consistency?: 'linearizable' | 'serializable'
}

/** A key, or the half-open range `key <= k < end`. `end: null` means to the end of the key space. */
export interface KeyRange {
  readonly key: ByteString
  readonly end?: ByteString | null
}

export interface RangeRequest extends KeyRange {
  /** Default 0: no bound on the number (the reply's bytes are bounded all the same, see {@link storeLimits}). */
  readonly limit?: number
  readonly order?: 'ascending' | 'descending'
  /** Values are left out (empty). */
  readonly keysOnly?: boolean
  /** Only `count` is filled. */
  readonly countOnly?: boolean
  /** Reads as of this revision; default the newest. `compacted` or `future-revision` when it cannot. */
  readonly revision?: number
}

export interface KeyValue {
  readonly key: ByteString
  readonly value: Uint8Array
  /** Revision at which the key was made (since it last did not exist). */
  readonly createRevision: number
  /** Revision of its last change. */
  readonly modRevision: number
  /** 1 at creation, one more with each put. */
  readonly version: number
  /** 0 when the key hangs on no lease. */
  readonly lease: LeaseId
}

export interface RangeReply {
  /** The store's revision at which the read was made. */
  readonly revision: number
  readonly kvs: readonly KeyValue[]
  /** Number of keys in the range, whatever the limit. */
  readonly count: number
  /** `limit`, or the bound on a reply's bytes, cut the list. */
  readonly more: boolean
}

/** All comparisons must hold for `then` to be taken. A missing key has version, create and mod revision and lease 0, and no value. */
export type Compare =
  | { readonly target: 'value'; readonly key: ByteString; readonly op: CompareOp; readonly value: Uint8Array }
  | {
      readonly target: 'version' | 'createRevision' | 'modRevision' | 'lease'
      readonly key: ByteString
      readonly op: CompareOp
      readonly value: number
    }

/** A comparison of the value of a missing key is false, whatever the operator. Values are ordered bytewise. */
export type CompareOp = '=' | '!=' | '<' | '>'

export type Operation =
  | ({ readonly op: 'range' } & RangeRequest)
  | {
      readonly op: 'put'
      readonly key: ByteString
      readonly value: Uint8Array
      /** The key is deleted with the lease. Default 0: none. `'keep'`: the lease it has. */
      readonly lease?: LeaseId | 'keep'
      /** Return the key as it was. */
      readonly previous?: boolean
    }
  | ({ readonly op: 'delete'; readonly previous?: boolean } & KeyRange)

/**
 * A key may be written at most once in each branch (`invalid-argument`): so a transaction is a set of changes. Reads in a branch see the changes of
 * the operations before them.
 */
export interface TxnRequest {
  readonly compare?: readonly Compare[]
  readonly then?: readonly Operation[]
  readonly else?: readonly Operation[]
}

export type OperationReply =
  | {
      readonly op: 'range'
      readonly kvs: readonly KeyValue[]
      readonly count: number
      readonly more: boolean
    }
  | { readonly op: 'put'; readonly previous?: KeyValue }
  | { readonly op: 'delete'; readonly deleted: number; readonly previous?: readonly KeyValue[] }

export interface TxnReply {
  /** The store's revision after the transaction: one more than before when it changed anything, else the same. */
  readonly revision: number
  /** Which branch was taken. */
  readonly succeeded: boolean
  readonly replies: readonly OperationReply[]
}

export interface GrantLeaseRequest {
  readonly ttlMs: number
}

export interface LeaseGrant {
  readonly lease: LeaseId
  readonly ttlMs: number
}

export interface LeaseStatus extends LeaseGrant {
  readonly keys: readonly ByteString[]
  /** Set when `keys` are only the first of more than a reply can hold. */
  readonly moreKeys?: boolean
  /** Time left by the expiring node's clock; `undefined` on a node that does not measure it. */
  readonly remainingMs?: number
}

export interface WatchRequest extends KeyRange {
  /** The first revision wanted. Default: the one after the newest at the moment the watch is set. */
  readonly fromRevision?: number
  /** Events carry the key as it was before. */
  readonly previous?: boolean
  /** Report the newest revision too when nothing happens (`kind: 'progress'`), about every `progressMs`. Default: never. */
  readonly progressMs?: number
  readonly signal?: AbortSignal
}

export type WatchEvent =
  | { readonly type: 'put'; readonly kv: KeyValue; readonly previous?: KeyValue }
  | {
      readonly type: 'delete'
      readonly key: ByteString
      readonly modRevision: number
      readonly previous?: KeyValue
    }

export type WatchBatch =
  /** All events of one or more whole revisions, in revision order. Each event is delivered once. */
  | { readonly kind: 'events'; readonly revision: number; readonly events: readonly WatchEvent[] }
  /** Set at `revision`: every event after it will be reported. Once, first. */
  | { readonly kind: 'created'; readonly revision: number }
  /** All events up to `revision` have been reported. */
  | { readonly kind: 'progress'; readonly revision: number }
  /**
   * The events from `fromRevision` on were compacted away before they could be reported. `kvs` is the whole range at `revision`: what is not
   * in it is gone. The watch goes on after `revision`. `reason` says why where the engine knows: `slow`, the consumer did not read in time what it was sent;
   * `compacted`, the watch was set, or came back, at a revision that was gone already.
   */
  | {
      readonly kind: 'resync'
      readonly reason?: 'slow' | 'compacted'
      readonly fromRevision: number
      readonly revision: number
      readonly kvs: readonly KeyValue[]
    }

/**
 * Guarantees (those of etcd's watch): ordered by revision; each event once; nothing left out; all events of a revision in one batch; resumes
 * by itself after a loss of connection or of the node. A consumer that does not keep up is given its events in larger batches and,
 * past a bound, a `resync`; it never grows the server.
 *
 * Iteration ends when the signal fires or `close` is called, and throws `closed` when the store is closed, or what cannot be mended.
 */
export interface Watch extends AsyncIterable<WatchBatch> {
  /** Idempotent. */
  close(): void
}

export interface StoreLimits {
  readonly keyBytesMax: number
  readonly valueBytesMax: number
  readonly txnOperationsMax: number
  readonly txnBytesMax: number
  readonly rangeReplyBytesMax: number
  readonly leaseTtlMsMin: number
  readonly leaseTtlMsMax: number
  /** Leases renewed by one call. */
  readonly renewalsMax: number
}

/** Bounds of the built-in engines, and of every engine that does not state others in its capabilities. */
export const storeLimits: StoreLimits = {
  keyBytesMax: 4 * 1024,
  valueBytesMax: 1024 * 1024,
  txnOperationsMax: 128,
  txnBytesMax: 2 * 1024 * 1024,
  rangeReplyBytesMax: 8 * 1024 * 1024,
  leaseTtlMsMin: 100,
  leaseTtlMsMax: 365 * 86_400_000,
  renewalsMax: 1_000,
}

/** The bounds that an engine keeps. */
export function limitsOf(capabilities: StoreCapabilities): StoreLimits {
  return capabilities.limits ?? storeLimits
}
