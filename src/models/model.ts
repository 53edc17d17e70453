/**
 * A model: a deterministic state machine. Two models that are given the same commands in the same order give the same replies and
 * reach the same state: no clock, no randomness, no dependence on when a snapshot was taken or on the node it runs on.
 */
export interface Model<Command, Reply> {
  apply(command: Command): Reply
  /** The state as it is now, frozen at no cost: `apply` may go on while the chunks are read. */
  snapshot(): Iterable<Uint8Array>
  /** Replaces the state. Throws `corrupt` when the chunks are not a whole snapshot; the state is then unchanged. */
  restore(chunks: Iterable<Uint8Array>): void
  /** Equal on all replicas that have applied the same commands. */
  hash(): string
}
