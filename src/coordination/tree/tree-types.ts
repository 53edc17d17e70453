import type { Duration } from '../../base/duration.ts'
import type { LeaseId } from '../../contracts/store.ts'

/**
 * What kind of node it is:
 *
 * - `persistent`: stays until it is deleted.
 * - `ephemeral`: is deleted with its session. Has no children.
 * - `container`: is deleted when its last child has gone.
 * - `ttl`: is deleted when its data was not set for so long. Has no children.
 */
export type NodeKind = 'persistent' | 'ephemeral' | 'container' | 'ttl'

export interface CreateOptions {
  /** Default `'persistent'`. */
  readonly kind?: NodeKind
  /** A number of ten digits is added to the name: never the same twice under a parent, while that lives. */
  readonly sequential?: boolean
  /** For `'ephemeral'`, and only there. */
  readonly session?: TreeSession
  /** For `'ttl'`, and only there. */
  readonly ttl?: Duration
}

/** A session: a lease that is renewed, on which ephemeral nodes hang. */
export interface TreeSession extends AsyncDisposable {
  /** As in `stat.ephemeralOwner`. */
  readonly id: LeaseId
  /** Computed at each reading. */
  readonly isAlive: boolean
  /** Fires with the cause (`lost`) before its nodes can be gone. */
  readonly lost: AbortSignal
  /** Ends it with all its nodes. Idempotent. */
  close(): Promise<void>
}

/** As in ZooKeeper; ids of transactions are revisions of the store. */
export interface NodeStat {
  readonly kind: NodeKind
  /** Revision of its creation. */
  readonly czxid: number
  /** Revision of its last data. */
  readonly mzxid: number
  /** Revision of the last creation or deletion of a child; what ends with its lease is not counted. 0: none. */
  readonly pzxid: number
  /** How often its data was set since its creation. */
  readonly version: number
  /** How often a child was created or deleted; what ends with its lease is not counted. */
  readonly cversion: number
  /** The session of an ephemeral node; 0 for others. */
  readonly ephemeralOwner: LeaseId
  readonly dataLength: number
  readonly numChildren: number
}

export interface NodeState {
  readonly data: Uint8Array
  readonly stat: NodeStat
  /** Of this the state was read: `after` for a watch that is to miss nothing. */
  readonly revision: number
}

/** A condition or a change in a `multi`. */
export type TreeOperation =
  | ({ readonly op: 'create'; readonly path: string; readonly data?: Uint8Array } & CreateOptions)
  | { readonly op: 'set'; readonly path: string; readonly data: Uint8Array; readonly version?: number }
  | { readonly op: 'delete'; readonly path: string; readonly version?: number }
  | { readonly op: 'check'; readonly path: string; readonly version?: number }

export interface TreeResult {
  /** With its number, where it is a sequential node. */
  readonly path: string
  /** Of the transaction. */
  readonly revision: number
}

/** What a one-shot watch waits for: the data or the end of a node; its coming, data or end; its children's coming and going, or its own end. */
export type WatchKind = 'data' | 'exist' | 'child'

export interface TreeEvent {
  readonly type: 'created' | 'deleted' | 'data-changed' | 'children-changed'
  readonly path: string
  readonly revision: number
}

/** Of a recursive watch: an event, or that some are lost since they were compacted away: read again. */
export type TreeChange = TreeEvent | { readonly type: 'resync'; readonly revision: number }

/** `details.reason` of a `conflict` of a tree. */
export type TreeConflict = 'node-exists' | 'not-empty' | 'bad-version' | 'no-children-allowed'
