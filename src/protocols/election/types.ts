/**
 * The vocabulary that the bully and the ring machine share: what goes in (events), what comes out (effects).
 *
 * Both assume a synchronous system: every message arrives within `delayMsMax`, handling included, and a node that does not answer in time has crashed. While that
 * holds there is at most one leader at a time. While it does not (messages lost or late, a network in parts) every part may have a leader of its own; once it holds
 * again the greatest node leads alone.
 *
 * A term is a ballot number: it belongs to one member by its remainder, so no two nodes ever lead in the same term. Terms grow along what the nodes that elect
 * remember; a leader that nobody of them has heard of may have had a greater one. So a term names a leadership, but fences nothing.
 */

/** A member's number, > 0. The greatest that is up and eligible leads. */
export type NodeId = number

export type ElectionRole = 'follower' | 'candidate' | 'leader'

/** What happens to a machine. Every step also takes `nowMs`, the monotonic time of this node: the machine has no clock. */
export type ElectionEvent<Message> =
  /** Time may have come for something. Call it at `nextDeadlineMs` or a little after; more often does no harm. */
  | { readonly type: 'tick' }
  | { readonly type: 'receive'; readonly message: Message }
  /** A failure detector of the shell's says that the leader is gone: no need to wait for its silence. */
  | { readonly type: 'suspect' }
  /** The `persist` effect of this sequence is durable. */
  | { readonly type: 'persisted'; readonly sequence: number }
  /** Whether this node may lead. A leader that is told false resigns, and the others elect at once. */
  | { readonly type: 'setEligible'; readonly eligible: boolean }

/** What the shell must do, in order. Messages may be lost, doubled and reordered; a lost one costs a timeout. */
export type ElectionEffect<Message> =
  /**
   * To be durable before any later effect is performed; then the shell steps `persisted`. Replaces what was there before, and is given to the machine
   * after a restart.
   */
  | { readonly type: 'persist'; readonly sequence: number; readonly state: Uint8Array }
  | { readonly type: 'send'; readonly message: Message }
  /** Role, term or leader changed. `leader` 0: unknown. */
  | {
      readonly type: 'stateChanged'
      readonly role: ElectionRole
      readonly term: number
      readonly leader: NodeId
    }

export interface ElectionState {
  readonly role: ElectionRole
  /** Of the leader that is followed, or of the own leadership; of the last one while there is none. 0 before the first. */
  readonly term: number
  /** 0: unknown. */
  readonly leader: NodeId
}

export interface ElectionOptions {
  readonly id: NodeId
  /** All that may ever be up, this node included; for the ring, in its order. The same on all. */
  readonly members: readonly NodeId[]
  /** The longest that a message may take, handling included (default 200). */
  readonly delayMsMax: number
  /** A leader shows itself this often (default 500). */
  readonly heartbeatMs: number
  /** The greatest term that this node has led in (default 0). One that restarts without it may lead in a term of its own again. */
  readonly term: number
  /** Whether it elects when it comes up, as a node does that recovers (default true). If not it waits to hear of a leader, or for `suspect`. */
  readonly electsAtStart: boolean
  /** Whether this node stands from the start (default true). */
  readonly eligible: boolean
}

/** The leader's heartbeats that a node misses before it takes it for gone. */
export const heartbeatsMissedMax = 3

export const electionMachineDefaults = {
  delayMsMax: 200,
  heartbeatMs: 500,
  term: 0,
  electsAtStart: true,
  eligible: true,
} as const

/** A pure machine that elects: events in, effects out. The same events at the same times give the same effects. */
export interface ElectionMachine<Message> {
  /** `nowMs` never goes back. */
  step(event: ElectionEvent<Message>, nowMs: number): ElectionEffect<Message>[]
  /** When `tick` has something to do next; `Infinity` for never. */
  readonly nextDeadlineMs: number
  readonly state: ElectionState
}
