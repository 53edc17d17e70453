import type { Message, NodeId } from '../protocols/raft/types.ts'

export interface GroupTransportHandler {
  receive(message: Message): void
  /** What was under way to `peer` may be lost. `isGone`: its machine answers that nobody listens there any more. */
  unreachable(peer: NodeId, isGone?: boolean): void
}

/** Carries the messages of one group: at most once each, in any order, and not to members that are not known or not connected. */
export interface GroupTransport {
  /** From now on what comes for the group goes to `handler`. */
  start(handler: GroupTransportHandler): void
  /**
   * Messages that are sent to one peer by one piece of work (of any groups) travel in one frame. `canWait`: this one may also wait for what other groups send in
   * the same turn of the loop; for heartbeats, which fall due in all groups at once.
   */
  send(message: Message, canWait?: boolean): void
  /** The connection that messages to `peer` would take stands. */
  isConnected(peer: NodeId): boolean
  /** Gives the group up: what comes for it is from now on a message for a group that is not hosted. Idempotent. */
  close(): void
}
