import type { AlthingError } from '../../contracts/errors.ts'

/** One message of a log, as every reader is given it. */
export interface LogMessage {
  /** 1 for the first, one more for each that follows; never given twice. */
  readonly sequence: number
  /** When the log took it, by the log's own clock: milliseconds since 1970. The same for every reader. May step, forwards and back. */
  readonly timeMs: number
  readonly data: Uint8Array
}

export interface LogHandler {
  /** The log is being followed: what is there, and what comes, is on its way. */
  following(): void
  /** In the order of the log. A sequence may be missing: what was purged, and what was lost on the way. */
  message(message: LogMessage): void
  /** No more comes. Called once, and not after `stop`. */
  ended(error: AlthingError): void
}

/** What one server says of the log. It may be behind, or deposed: nothing may be concluded from it but what lies behind. */
export interface LogState {
  /** Names this log among all that ever had its name. */
  readonly identity: string
  /** The first message that is kept; one more than `last` when none is. */
  readonly first: number
  readonly last: number
}

/** A snapshot of the state after the message `sequence`. */
export interface SnapshotManifest {
  readonly format: number
  readonly id: string
  readonly sequence: number
  readonly chunks: number
  readonly bytes: number
  /** Of the store model; see `StateHash`. */
  readonly hash: string
  readonly sessionsHash: string
}

/**
 * A log that many processes append to and read, all in the same order, and a place for snapshots of what it says. This is all that the engine needs of NATS; the tests
 * have it in a simulated world too.
 */
export interface SharedLog {
  /** Bytes of one message, at most. */
  readonly messageBytesMax: number
  readonly isConnected: boolean
  /** Called when `isConnected` becomes true. One handler: the last one set. */
  onConnected(handler: () => void): void
  /** Rejects with `unavailable`, `permission-denied`, or `not-found` when there is no such log. */
  state(): Promise<LogState>
  /**
   * Appends once, and resolves with the sequence when the log has the message for good (as far as it has anything for good). Rejects with `no-space`, `too-large`, `unavailable`,
   * `timeout`, `permission-denied`; outcome `none` only where this copy is not in the log and will not be.
   */
  append(data: Uint8Array): Promise<number>
  /** Reads the messages from `from` on. Returns what stops it. */
  follow(from: number, handler: LogHandler): () => void
  /** Removes the messages up to `sequence`, which are in a snapshot. */
  purge(sequence: number): Promise<void>
  /** The newest snapshots, the newest first. */
  snapshots(): Promise<readonly SnapshotManifest[]>
  /** Rejects with `not-found` when a chunk is gone: there is a newer snapshot then. */
  readSnapshot(manifest: SnapshotManifest): AsyncIterable<Uint8Array>
  /** Resolves with whether it has become the newest: of several at the same time one does. Rejects as `append`. */
  saveSnapshot(
    manifest: Omit<SnapshotManifest, 'chunks' | 'bytes'>,
    chunks: Iterable<Uint8Array>,
  ): Promise<boolean>
  close(): Promise<void>
}
