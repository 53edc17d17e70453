import type { ByteString } from '../../../base/bytes.ts'
import type { CompareOp } from '../../../contracts/store.ts'

/**
 * What a differential run asks of a store: data, in terms that mean something wherever the command stands in a list, so that others can be left out before it. Keys are names
 * within the run.
 */
export type DrawnCommand = { readonly via: number } & (
  | {
      readonly type: 'txn'
      readonly compare: readonly DrawnCompare[]
      readonly then: readonly DrawnOperation[]
      readonly else: readonly DrawnOperation[]
    }
  | ({ readonly type: 'range' } & DrawnRange)
  | { readonly type: 'grant'; readonly ttlMs: number }
  | { readonly type: 'renew'; readonly lease: LeaseReference }
  | { readonly type: 'renewMany'; readonly leases: readonly LeaseReference[] }
  | { readonly type: 'revoke'; readonly lease: LeaseReference }
  | { readonly type: 'leases' }
  | { readonly type: 'compact'; readonly at: RevisionReference }
  | {
      readonly type: 'watch'
      readonly keys: DrawnKeys
      readonly from?: RevisionReference
      readonly previous: boolean
    }
  /** Ends the watch that was set so many watches ago. */
  | { readonly type: 'closeWatch'; readonly ago: number }
  /** Grants a lease, binds the keys to it, and waits until it has run out. */
  | { readonly type: 'lapse'; readonly keys: readonly ByteString[] }
)

/** The newest revision at that moment, less so many; negative: to come. */
export type RevisionReference = { readonly back: number }

/** The lease granted so many grants ago; `'unknown'`: one that was never granted. */
export type LeaseReference = { readonly ago: number } | 'unknown'

export interface DrawnKeys {
  readonly key: ByteString
  /** `null`: to the end. */
  readonly end?: ByteString | null
}

export interface DrawnRange {
  readonly keys: DrawnKeys
  readonly limit: number
  readonly order: 'ascending' | 'descending'
  readonly keysOnly: boolean
  readonly countOnly: boolean
  readonly at?: RevisionReference
}

export type DrawnOperation =
  | ({ readonly op: 'range' } & DrawnRange)
  | {
      readonly op: 'put'
      readonly key: ByteString
      readonly value: ByteString
      readonly lease: LeaseReference | 'none' | 'keep'
      readonly previous: boolean
    }
  | { readonly op: 'delete'; readonly keys: DrawnKeys; readonly previous: boolean }

export type DrawnCompare =
  | {
      readonly target: 'value'
      readonly key: ByteString
      readonly op: CompareOp
      readonly value: ByteString
    }
  | {
      readonly target: 'version'
      readonly key: ByteString
      readonly op: CompareOp
      readonly value: number
    }
  | {
      readonly target: 'createRevision' | 'modRevision'
      readonly key: ByteString
      readonly op: CompareOp
      readonly value: RevisionReference | 0
    }
  | {
      readonly target: 'lease'
      readonly key: ByteString
      readonly op: '=' | '!='
      readonly value: LeaseReference | 'none'
    }
