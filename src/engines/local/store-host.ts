import { assert } from '../../base/assert.ts'
import { AlthingError, errorFromJson } from '../../contracts/errors.ts'
import type {
  LeaseGrant,
  LeaseId,
  LeaseStatus,
  RangeReply,
  RangeRequest,
  ReadOptions,
  WatchRequest,
} from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { decodeCommand, encodeCommand } from '../../models/store/codec.ts'
import { Lessor } from '../../models/store/lessor.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import type { StateHash, StoreChange, StoreCommand, StoreReply } from '../../models/store/types.ts'
import type { Configuration, Entry, RestoredState } from '../../protocols/raft/types.ts'
import { type GroupObserver, RaftGroup, type RaftGroupOptions } from '../../replication/raft-group.ts'
import type { RaftStorage } from '../../replication/storage.ts'
import { WatchHub, type Watcher, type WatchSink } from './watch-hub.ts'

export type Consistency = NonNullable<ReadOptions['consistency']>

/** Called once. A refusal by the model comes as a reply with `ok: false`; what failed on the way as an error. */
export type MutationCallback = (error: AlthingError | undefined, reply: StoreReply | undefined) => void
export type Callback<T> = (error: AlthingError | undefined, value: T | undefined) => void

export interface StoreHostOptions
  extends Pick<RaftGroupOptions, 'raft' | 'transport' | 'snapshotEntries' | 'snapshotBytes' | 'keepEntries'> {
  readonly world: World
  readonly configuration: Configuration
  readonly storage: RaftStorage
  readonly restored: Omit<RestoredState, 'initialConfiguration'>
  readonly observer?: GroupObserver
  /**
   * Revisions kept for older reads and for watches that resume (default 25 000; 0: all). The leader compacts when half as many more have gathered.
   */
  readonly keepRevisions?: number
}

/** Leases that one command expires at most, so that a pile-up does not stop the loop. */
const expiriesPerCommandMax = 500

/** The store on one member of a group: the model, its watchers, and, while this member leads, the clock of its leases. */
export class StoreHost {
  readonly group: RaftGroup
  readonly model: StoreModel
  readonly watches: WatchHub
  readonly #world: World
  readonly #lessor = new Lessor()
  #lessorTimer: Timer | undefined
  #lessorDueMs = Number.POSITIVE_INFINITY
  #isExpiring = false
  readonly #keepRevisions: number
  #isCompacting = false
  #onCheckpoint: ((index: number, hash: StateHash) => void) | undefined

  /** Reads the newest snapshot into a model and sets the group up; `start` lets it run. */
  static async open(options: StoreHostOptions): Promise<StoreHost> {
    const model = new StoreModel()
    if (options.restored.snapshot !== undefined) {
      const reader = await options.storage.openSnapshot()
      assert(reader !== undefined, 'the snapshot that the log starts after is on disk', {
        snapshot: options.restored.snapshot,
      })
      const chunks: Uint8Array[] = []
      try {
        for await (const chunk of reader.chunks()) chunks.push(chunk)
      } finally {
        await reader.close()
      }
      model.restore(chunks)
    }
    return new StoreHost(options, model)
  }

  private constructor(options: StoreHostOptions, model: StoreModel) {
    this.#world = options.world
    this.#keepRevisions = options.keepRevisions ?? 25_000
    this.model = model
    this.watches = new WatchHub(options.world, model)
    const observer = options.observer ?? {}
    this.group = new RaftGroup({
      ...options,
      model: {
        apply: (entry, hint) => this.#apply(entry, hint as StoreCommand | undefined),
        snapshot: () => this.model.snapshot(),
        restore: (chunks) => this.model.restore(chunks),
      },
      observer: {
        ...observer,
        stateChanged: (status) => {
          if (status.role !== 'leader') this.#stopLeading()
          observer.stateChanged?.(status)
        },
        leaderReady: () => {
          this.#startLeading()
          observer.leaderReady?.()
        },
        applied: (index) => {
          this.#compactWhenDue()
          observer.applied?.(index)
        },
        restored: (snapshot) => {
          this.watches.replaced()
          observer.restored?.(snapshot)
        },
        failed: (error) => {
          this.#stopLeading()
          observer.failed?.(error)
        },
      },
    })
  }

  start(): void {
    this.group.start()
  }

  /** Calls `handler` with the hash of this copy at each `checkpoint` of the log, before the entry after it is applied. One handler: the last one set. */
  onCheckpoint(handler: (index: number, hash: StateHash) => void): void {
    this.#onCheckpoint = handler
  }

  /**
   * Puts a validated command into the log; `data` is its encoding. `command` saves decoding it again when it is applied; it must not be changed any more, and
   * is left out where that is not certain.
   */
  mutate(data: Uint8Array, command: StoreCommand | undefined, done: MutationCallback): void {
    this.group.propose(data, command, (result) => {
      if (result.ok) done(undefined, result.reply as StoreReply)
      else done(result.error, undefined)
    })
  }

  range(request: RangeRequest, consistency: Consistency, done: Callback<RangeReply>): void {
    this.#read(consistency, () => this.model.range(request), done)
  }

  leases(consistency: Consistency, done: Callback<readonly LeaseStatus[]>): void {
    this.#read(consistency, () => this.#leaseStatuses(), done)
  }

  /**
   * Starts the lease's time anew. Only the member that leads measures, and it must know that it still led when the call arrived: otherwise
   * another could have begun to count earlier.
   */
  keepLeaseAlive(lease: LeaseId, done: Callback<LeaseGrant>): void {
    if (!this.group.isLeaderReady) {
      const notLeading = new AlthingError('unavailable', 'this node does not lead', { outcome: 'none' })
      done(this.group.failure ?? notLeading, undefined)
      return
    }
    this.group.readBarrier((error) => {
      if (error !== undefined) done(error, undefined)
      else if (!this.group.isLeaderReady)
        done(new AlthingError('unavailable', 'leadership was lost', { outcome: 'none' }), undefined)
      else this.#renew(lease, done)
    })
  }

  /**
   * Sets a watch on this copy. Without `fromRevision` it first makes sure that the copy holds every write acknowledged before the call.
   * `started` is called once; nothing is pushed after `cancelled()` says true.
   */
  watch(request: WatchRequest, sink: WatchSink, cancelled: () => boolean, started: Callback<Watcher>): void {
    const start = (error?: AlthingError): void => {
      if (error !== undefined) {
        started(error, undefined)
        return
      }
      if (cancelled()) return
      let watcher: Watcher
      try {
        watcher = this.watches.add(request, sink)
      } catch (cause) {
        started(cause as AlthingError, undefined)
        return
      }
      started(undefined, watcher)
    }
    if (request.fromRevision === undefined) this.group.readBarrier(start)
    else start(this.group.failure)
  }

  close(): void {
    this.#stopLeading()
    this.watches.close()
    this.group.close()
  }

  #read<T>(consistency: Consistency, read: () => T, done: Callback<T>): void {
    const serve = (error?: AlthingError): void => {
      if (error !== undefined) {
        done(error, undefined)
        return
      }
      let value: T
      try {
        value = read()
      } catch (cause) {
        done(cause as AlthingError, undefined)
        return
      }
      done(undefined, value)
    }
    if (consistency === 'serializable') serve(this.group.failure)
    else this.group.readBarrier(serve)
  }

  #apply(entry: Entry, hint: StoreCommand | undefined): StoreReply {
    const { reply, change } = this.model.applyWithChange(hint ?? decodeCommand(entry.data))
    if (change !== undefined) {
      this.#followLeases(change)
      this.watches.publish(change)
    }
    if (reply.ok && reply.type === 'checkpoint') this.#onCheckpoint?.(entry.index, reply)
    return reply
  }

  #followLeases(change: StoreChange): void {
    if (!this.group.isLeaderReady) return
    const nowMs = this.#world.clock.monotonicMs()
    for (const { lease, ttlMs } of change.leasesGranted) this.#lessor.granted(lease, ttlMs, nowMs)
    for (const lease of change.leasesEnded) this.#lessor.ended(lease)
    if (change.leasesGranted.length > 0) this.#armExpiry()
  }

  /** Every lease gets its whole time anew: a change of leader never ends one early. */
  #startLeading(): void {
    this.#lessor.promote(this.model.leases(), this.#world.clock.monotonicMs())
    this.#isExpiring = false
    this.#armExpiry()
  }

  #stopLeading(): void {
    this.#lessorTimer?.cancel()
    this.#lessorDueMs = Number.POSITIVE_INFINITY
    this.#lessor.demote()
  }

  #renew(lease: LeaseId, done: Callback<LeaseGrant>): void {
    const nowMs = this.#world.clock.monotonicMs()
    const ttlMs = this.#lessor.renewed(lease, nowMs)
    if (ttlMs !== undefined) done(undefined, { lease, ttlMs })
    else if (this.#lessor.remainingMs(lease, nowMs) === undefined) {
      done(
        new AlthingError('lease-not-found', `lease ${lease} has ended, or was never granted`, {
          outcome: 'none',
        }),
        undefined,
      )
    } else
      done(new AlthingError('unavailable', `lease ${lease} is just expiring`, { outcome: 'none' }), undefined)
  }

  #leaseStatuses(): readonly LeaseStatus[] {
    const leases = this.model.leases()
    if (!this.group.isLeaderReady) return leases
    const nowMs = this.#world.clock.monotonicMs()
    return leases.map((status) => {
      const remainingMs = this.#lessor.remainingMs(status.lease, nowMs)
      return remainingMs === undefined ? status : { ...status, remainingMs }
    })
  }

  /** Through the log like any command, so that all replicas forget the same. */
  #compactWhenDue(): void {
    if (this.#keepRevisions === 0 || this.#isCompacting || !this.group.isLeaderReady) return
    if (this.model.stats.revisionsKept < this.#keepRevisions * 1.5) return
    this.#isCompacting = true
    const revision = this.model.revision - this.#keepRevisions
    const command: StoreCommand = { session: 0, sequence: 0, acknowledged: 0, type: 'compact', revision }
    this.mutate(encodeCommand(command), command, () => {
      this.#isCompacting = false
    })
  }

  #armExpiry(): void {
    const dueMs = this.#lessor.nextDeadlineMs()
    if (dueMs === undefined || dueMs >= this.#lessorDueMs) return
    this.#lessorTimer?.cancel()
    this.#lessorDueMs = dueMs
    const delayMs = Math.max(0, dueMs - this.#world.clock.monotonicMs())
    this.#lessorTimer = this.#world.timers.after(delayMs, () => {
      this.#lessorDueMs = Number.POSITIVE_INFINITY
      this.#expireDue()
    })
  }

  #expireDue(): void {
    if (this.#isExpiring || !this.group.isLeaderReady) return
    const leases = this.#lessor.due(this.#world.clock.monotonicMs(), expiriesPerCommandMax)
    if (leases.length === 0) {
      this.#armExpiry()
      return
    }
    this.#isExpiring = true
    const command: StoreCommand = { type: 'expireLeases', leases }
    this.mutate(encodeCommand(command), command, (error) => {
      this.#isExpiring = false
      if (error !== undefined) this.#lessor.expiryFailed(leases)
      if (!this.group.isLeaderReady) return
      if (error === undefined) this.#expireDue()
      else this.#retryExpiry()
    })
  }

  #retryExpiry(): void {
    this.#lessorTimer?.cancel()
    this.#lessorDueMs = this.#world.clock.monotonicMs() + 100
    this.#lessorTimer = this.#world.timers.after(100, () => {
      this.#lessorDueMs = Number.POSITIVE_INFINITY
      this.#expireDue()
    })
  }
}

/** The reply of a command of the given type, or the error that the model refused it with. */
export function unwrapReply<Type extends Extract<StoreReply, { ok: true }>['type']>(
  reply: StoreReply,
  type: Type,
): Extract<StoreReply, { ok: true; type: Type }> {
  if (!reply.ok) throw errorFromJson(reply.error)
  assert(reply.type === type, 'a reply has the type of its command', { expected: type, type: reply.type })
  return reply as Extract<StoreReply, { ok: true; type: Type }>
}
