import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type { Logger, Timer, Timers } from '../contracts/world.ts'
import type { SnapshotMeta } from '../protocols/raft/types.ts'
import type { GroupModel } from './group-model.ts'
import type { RaftStorage } from './storage.ts'

export interface GroupSnapshotsOptions {
  readonly storage: RaftStorage
  readonly model: GroupModel
  readonly logger: Logger
  readonly timers: Timers
  /** The one that the group starts from. */
  readonly newest: SnapshotMeta | undefined
  readonly entriesMax: number
  readonly bytesMax: number
  /** Longest time for which an applied entry is in the log alone. */
  readonly ageMsMax: number
  readonly keepEntries: number
  /** What a snapshot of the model as it is now stands for; `undefined` when nothing was applied yet, or while the model is being restored. */
  describe(): SnapshotMeta | undefined
  /** A snapshot is durable: the log may be cut. */
  saved(snapshot: SnapshotMeta, keepEntries: number): void
  fail(cause: unknown): void
}

/** When a group takes snapshots of its model: as its log grows and ages, and when it is told to. One at a time. */
export class GroupSnapshots {
  readonly #options: GroupSnapshotsOptions
  #newest: SnapshotMeta | undefined
  #bytesSince = 0
  #saving: Promise<SnapshotMeta> | undefined
  /** Set while an entry is in the log alone; it began with the first of them. */
  #ageing: Timer | undefined
  #isClosed = false

  constructor(options: GroupSnapshotsOptions) {
    this.#options = options
    this.#newest = options.newest
  }

  applied(bytes: number): void {
    this.#bytesSince += bytes
    if (this.#ageing === undefined) this.#startAgeing()
  }

  /** The model was restored from `snapshot`. */
  restored(snapshot: SnapshotMeta): void {
    this.#newest = snapshot
    this.#bytesSince = 0
    this.#stopAgeing()
  }

  close(): void {
    this.#isClosed = true
    this.#stopAgeing()
  }

  takeWhenDue(appliedIndex: number): void {
    const { entriesMax, bytesMax, keepEntries } = this.#options
    if (this.#saving !== undefined) return
    if (appliedIndex - (this.#newest?.index ?? 0) < entriesMax && this.#bytesSince < bytesMax) return
    this.#takeNow(keepEntries)
  }

  /**
   * A snapshot of all that is applied is durable when this resolves, and the log cut to the `keepEntries` before it. Rejects with `not-found` when nothing was applied
   * yet, `unavailable` while a snapshot from the leader is being installed, and with what the storage says.
   */
  async take(keepEntries: number): Promise<SnapshotMeta> {
    while (this.#saving !== undefined) await this.#saving.catch(() => {})
    const snapshot = this.#options.describe()
    if (snapshot === undefined) {
      throw new AlthingError('unavailable', 'the state of the group is not there to be kept now', {
        outcome: 'none',
      })
    }
    this.#stopAgeing()
    if (this.#newest?.index === snapshot.index) {
      this.#options.saved(this.#newest, keepEntries)
      return this.#newest
    }
    this.#bytesSince = 0
    this.#saving = this.#save(snapshot, keepEntries).finally(() => (this.#saving = undefined))
    return this.#saving
  }

  #takeNow(keepEntries: number): void {
    this.take(keepEntries).catch((cause: unknown) => this.#postponed(cause))
  }

  #startAgeing(): void {
    const { timers, ageMsMax, keepEntries } = this.#options
    if (this.#isClosed) return
    this.#ageing = timers.after(ageMsMax, () => {
      this.#ageing = undefined
      this.#takeNow(keepEntries)
    })
  }

  #stopAgeing(): void {
    this.#ageing?.cancel()
    this.#ageing = undefined
  }

  async #save(snapshot: SnapshotMeta, keepEntries: number): Promise<SnapshotMeta> {
    await this.#options.storage.saveSnapshot(snapshot, this.#options.model.snapshot())
    if (snapshot.index > (this.#newest?.index ?? 0)) {
      this.#newest = snapshot
      this.#options.saved(snapshot, keepEntries)
    }
    return snapshot
  }

  /** A full disk is not the end: there may be room later, and until then the log grows. */
  #postponed(cause: unknown): void {
    if (isAlthingError(cause, 'no-space') || isAlthingError(cause, 'unavailable')) {
      this.#options.logger.log('warn', 'a snapshot is put off', { reason: cause.message })
      if (this.#ageing === undefined) this.#startAgeing()
      return
    }
    this.#options.fail(cause)
  }
}
