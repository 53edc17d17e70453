/** Bounds of the state machine. Equal on every replica: they decide replies. */
export interface StoreModelLimits {
  /** Open sessions. Past it the one that was least recently used (by the order of the log) is evicted. */
  readonly sessionsMax: number
  /** Replies kept for one session. Past it the session's new commands are refused with `overloaded`. */
  readonly sessionRepliesMax: number
  /** Bytes of the replies kept for one session. Past it the session's new commands are refused with `overloaded`. */
  readonly sessionReplyBytesMax: number
  /** Bytes of the replies kept for all sessions. Past it the least recently used sessions are evicted. */
  readonly replyBytesMax: number
  /** Leases at one time. Past it `grantLease` is refused with `overloaded`. */
  readonly leasesMax: number
}

export const storeModelLimits: StoreModelLimits = {
  sessionsMax: 10_000,
  sessionRepliesMax: 4_096,
  sessionReplyBytesMax: 64 * 1024 * 1024,
  replyBytesMax: 256 * 1024 * 1024,
  leasesMax: 1_000_000,
}
