import type { LeaseId } from '../../contracts/store.ts'

/**
 * What the application's loop and the renewing thread say to each other. Times of renewals do not travel here but through the
 * shared memory (`shared-slots.ts`), where a blocked loop finds them at its first instruction.
 */
export type RenewalRequest =
  /** Keep this lease alive from now on. Its slot has been written. */
  | {
      readonly type: 'add'
      readonly lease: LeaseId
      readonly slot: number
      readonly ttlMs: number
      readonly sentMs: number
    }
  /** Leave this lease alone. Answered with `removed`. */
  | { readonly type: 'remove'; readonly lease: LeaseId }

export type RenewalNotice =
  /** The thread will not write the slot of this lease again: it may be given to another. */
  | { readonly type: 'removed'; readonly lease: LeaseId }
  /** The store has no such lease (`gone`), or no renewal was acknowledged in time (`lapsed`). Not renewed any more. */
  | { readonly type: 'gaveUp'; readonly lease: LeaseId; readonly reason: 'gone' | 'lapsed' }
  /** A renewal failed and will be tried again. For the message of a later loss. */
  | { readonly type: 'failed'; readonly lease: LeaseId; readonly message: string }
