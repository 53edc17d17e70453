import type { KeyRange, KeyValue } from '../../contracts/store.ts'

/** What a client was told about one call. Times are true. */
interface AnswerHead {
  readonly client: string
  readonly calledAt: number
  readonly returnedAt: number
}

/** A transaction that puts `values`, each of which no other call ever puts. */
export interface WriteAnswer extends AnswerHead {
  readonly kind: 'write'
  /** By key. */
  readonly values: ReadonlyMap<string, string>
  /** `acknowledged`: applied at `revision`; `refused`: a compare failed, at `revision`; `none`: surely not applied; `unknown`. */
  readonly outcome: 'acknowledged' | 'refused' | 'none' | 'unknown'
  readonly revision?: number
}

export interface ReadAnswer extends AnswerHead {
  readonly kind: 'read'
  readonly consistency: 'linearizable' | 'serializable'
  readonly range: KeyRange
  /** At which the store says it was read. */
  readonly revision: number
  readonly kvs: readonly KeyValue[]
}

/** Any other acknowledged call that tells the store's revision: delete, revoke. */
export interface RevisionAnswer extends AnswerHead {
  readonly kind: 'revision'
  readonly revision: number
}

export type Answer = WriteAnswer | ReadAnswer | RevisionAnswer
