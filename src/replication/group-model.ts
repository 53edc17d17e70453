import type { Entry } from '../protocols/raft/types.ts'

/** What a group replicates: a model behind the bytes of its commands. */
export interface GroupModel {
  /** Applies a committed command, synchronously. `hint` is what `propose` was given for this entry, on the node that proposed it. */
  apply(entry: Entry, hint: unknown): unknown
  /** The state as it is now, frozen. */
  snapshot(): Iterable<Uint8Array>
  /**
   * Takes on the state of a snapshot, in place of its own. Where it gives back a generator the work is done in its steps, of about a millisecond each, between which
   * the loop goes on; nothing is applied until it has ended, and what is read meanwhile is the former state or the new one.
   */
  restore(chunks: Iterable<Uint8Array>): void | Generator<void>
}
