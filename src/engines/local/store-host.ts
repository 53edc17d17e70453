import { assert } from '../../base/assert.ts'
import { AlthingError, asAlthingError, errorFromJson } from '../../contracts/errors.ts'
import type {
  LeaseGrant,
  LeaseId,
  RangeReply,
  RangeRequest,
  ReadOptions,
  TxnReply,
  WatchEvent,
  WatchRequest,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { decodeCommand, encodeCommand } from '../../models/store/codec.ts'
import { touchesSystemKeys } from '../../models/store/system-keys.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import type { StateHash, StoreCommand, StoreReply } from '../../models/store/types.ts'
import type { Configuration, Entry, LogPosition, RestoredState } from '../../protocols/raft/types.ts'
import { runInSlices } from '../../replication/in-slices.ts'
import { type GroupObserver, RaftGroup, type RaftGroupOptions } from '../../replication/raft-group.ts'
import { HistoryKeeper } from './history-keeper.ts'
import type { HistoryBounds } from './history-policy.ts'
import { LeaseClock } from './lease-clock.ts'
import { type LeasePage, type LeasePageRequest, pageOfLeases } from './lease-pages.ts'
import { modelFromSnapshot } from './model-from-snapshot.ts'
import { SpaceWarning } from './space-warning.ts'
import { StoreAdmission, type StoreBounds, type StoreSpace, validateQuota } from './store-admission.ts'
import { WatchHub, type WatchHubBounds, type Watcher, type WatchSink } from './watch-hub.ts'

export type Consistency = NonNullable<ReadOptions['consistency']>

/** Called once. A refusal by the model comes as a reply with `ok: false`; what failed on the way as an error. */
export type MutationCallback = (error: AlthingError | undefined, reply: StoreReply | undefined) => void
export type Callback<T> = (error: AlthingError | undefined, value: T | undefined) => void

export interface StoreHostOptions
  extends Omit<RaftGroupOptions, 'model' | 'observer' | 'restored'>,
    Partial<HistoryBounds>,
    Partial<WatchHubBounds> {
  readonly world: World
  readonly configuration: Configuration
  readonly restored: Omit<RestoredState, 'initialConfiguration'>
  readonly observer?: GroupObserver
  /** Bounds that this member keeps while it leads. */
  readonly bounds?: Partial<StoreBounds>
}

/** The hash of a copy of the store with the place in the log that it belongs to: copies are to agree on it at the same index. */
export interface IndexedHash extends StateHash {
  readonly index: number
}

/** What this member has done for clients since its start. */
export interface StoreActivity {
  /** Ranges, lists of leases and transactions that only read, answered by this member. */
  readonly reads: number
  /** Transactions that this member put through the log as leader. */
  readonly writes: number
}

/** The store on one member of a group: the model, its watchers, and, while this member leads, the clock of its leases and the keeper of its bounds. */
export class StoreHost {
  readonly group: RaftGroup
  readonly model: StoreModel
  readonly watches: WatchHub
  readonly #world: World
  readonly #admission: StoreAdmission
  readonly #leases: LeaseClock
  readonly #history: HistoryKeeper
  readonly #spaceWarning: SpaceWarning
  readonly #systemListeners: ((events: readonly WatchEvent[] | undefined) => void)[] = []
  #onCheckpoint: ((index: number, hash: StateHash) => void) | undefined
  #reads = 0
  #writes = 0

  /** Reads the newest snapshot into a model, in steps that leave the loop free, and sets the group up; `start` lets it run. */
  static async open(options: StoreHostOptions): Promise<StoreHost> {
    const { world, storage, restored } = options
    const model = restored.snapshot === undefined ? new StoreModel() : await modelFromSnapshot(world, storage)
    return new StoreHost(options, model)
  }

  private constructor(options: StoreHostOptions, model: StoreModel) {
    const { world } = options
    this.#world = world
    this.model = model
    this.watches = new WatchHub(world, model, options)
    this.#admission = new StoreAdmission(model, options.bounds)
    this.#spaceWarning = new SpaceWarning(world.logger)
    this.group = new RaftGroup({
      ...options,
      model: {
        apply: (entry, hint) => this.#apply(entry, hint as StoreCommand | undefined),
        snapshot: () => this.model.snapshot(),
        restore: (chunks) => this.model.restoring(chunks),
      },
      observer: this.#observe(options.observer ?? {}),
    })
    const isLeading = (): boolean => this.group.isLeaderReady
    this.#leases = new LeaseClock({
      world,
      model,
      isLeading,
      expire: (leases, done) => this.#run({ type: 'expireLeases', leases }, done),
    })
    this.#history = new HistoryKeeper({
      world,
      model,
      isLeading,
      bounds: options,
      quotaBytes: () => this.#admission.quotaBytes,
      compact: (revision, done) =>
        this.#run({ session: 0, sequence: 0, acknowledged: 0, type: 'compact', revision }, done),
    })
  }

  /**
   * Calls `listener` in the turn of the loop in which a change of the cluster's own keys was applied, before anything else is: with its events, or without when the
   * whole copy was replaced.
   */
  onSystemChange(listener: (events: readonly WatchEvent[] | undefined) => void): void {
    this.#systemListeners.push(listener)
  }

  start(): void {
    this.group.start()
  }

  /** Calls `handler` with the hash of this copy at each `checkpoint` of the log, before the entry after it is applied. One handler: the last one set. */
  onCheckpoint(handler: (index: number, hash: StateHash) => void): void {
    this.#onCheckpoint = handler
  }

  /** Of this copy as it is now. */
  stateHash(): IndexedHash {
    return { index: this.group.appliedIndex, ...this.model.stateHash() }
  }

  /** Whether the hash that is kept up to date is that of what is in memory, by counting all of it again. In steps, while the store serves. */
  async verifyStateHash(): Promise<boolean> {
    const expected = this.model.stateHash()
    const recomputed = this.model.recomputeStateHash()
    let found: StateHash | undefined
    const steps = (function* () {
      found = yield* recomputed
    })()
    // The first step freezes the state, at once: no command can come between it and `expected`.
    await runInSlices(this.#world, steps, () => true)
    return found?.hash === expected.hash && found.sessionsHash === expected.sessionsHash
  }

  /** How full the store is, by the bounds of this member. */
  get space(): StoreSpace {
    return this.#admission.space
  }

  get activity(): StoreActivity {
    return { reads: this.#reads, writes: this.#writes }
  }

  /** Refuses what grows the store with `no-space` and this reason while it is set, whatever the quota says: the node's disk is all but full, say. */
  refuseGrowth(reason: string | undefined): void {
    this.#admission.refuseGrowth(reason)
    this.#spaceWarning.look(this.space)
  }

  /** Sets the quota for all members, through the log. All of them must be of a version that knows the command (protocol version 2). */
  setQuota(bytes: number, done: Callback<{ readonly quotaBytes: number }>): void {
    try {
      validateQuota(bytes)
    } catch (error) {
      done(asAlthingError(error), undefined)
      return
    }
    const command: StoreCommand = { type: 'setQuota', bytes }
    this.mutate(encodeCommand(command), command, (error) => done(error, { quotaBytes: bytes }))
  }

  /**
   * Has a validated command applied; `data` is its encoding. Through the log, but for a transaction that only reads: that is a read. `command` must not be changed any more, and its values must
   * be its own, as those of `decodeCommand` are. Refuses with `no-space` or `too-large`, outcome none of this copy, what goes beyond the bounds.
   */
  mutate(data: Uint8Array, command: StoreCommand, done: MutationCallback): void {
    if (command.type === 'txn' && isReadOnly(command)) {
      this.#readInstead(command, done)
      return
    }
    const refusal = this.group.isLeaderReady ? this.#admission.refusal(command, data.byteLength) : undefined
    if (refusal !== undefined) {
      done(refusal, undefined)
      return
    }
    this.#admission.started(data.byteLength)
    this.group.propose(data, command, (result) => {
      this.#admission.ended(data.byteLength)
      if (result.ok && command.type === 'txn') this.#writes++
      if (result.ok) done(undefined, result.reply as StoreReply)
      else done(result.error, undefined)
    })
  }

  range(request: RangeRequest, consistency: Consistency, done: Callback<RangeReply>): void {
    this.#read(consistency, () => this.model.range(request), done)
  }

  /** A transaction without `put` and `delete`, at any member, without an entry in the log. `invalid-argument` for another. */
  readTxn(txn: TxnMutation, consistency: Consistency, done: Callback<TxnReply>): void {
    this.#read(consistency, () => this.model.readTxn(txn), done)
  }

  leases(request: LeasePageRequest, consistency: Consistency, done: Callback<LeasePage>): void {
    const read = (): LeasePage => {
      const page = pageOfLeases(this.model, request)
      if (!this.group.isLeaderReady) return page
      return { ...page, leases: page.leases.map((status) => this.#leases.withRemaining(status)) }
    }
    this.#read(consistency, read, done)
  }

  keepLeaseAlive(lease: LeaseId, done: Callback<LeaseGrant>): void {
    this.keepLeasesAlive([lease], (error, results) => {
      const result = error ?? results?.[0]
      if (result === undefined || result instanceof AlthingError) done(result, undefined)
      else done(undefined, result)
    })
  }

  /**
   * Starts the time of each lease anew; the results are in the order asked for. Only the member that leads measures, and it must know that it still led when
   * the call arrived: otherwise another could have begun to count earlier.
   */
  keepLeasesAlive(leases: readonly LeaseId[], done: Callback<readonly (LeaseGrant | AlthingError)[]>): void {
    if (!this.group.isLeaderReady) {
      const notLeading = new AlthingError('unavailable', 'this node does not lead', { outcome: 'none' })
      done(this.group.failure ?? notLeading, undefined)
      return
    }
    this.group.readBarrier((error) => {
      if (error !== undefined) done(error, undefined)
      else if (!this.group.isLeaderReady)
        done(new AlthingError('unavailable', 'leadership was lost', { outcome: 'none' }), undefined)
      else
        done(
          undefined,
          leases.map((lease) => this.#leases.renew(lease)),
        )
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

  /** See {@link RaftGroup.giveUp}. */
  giveUp(): LogPosition {
    this.#stopServing()
    return this.group.giveUp()
  }

  close(): void {
    this.#stopServing()
    this.group.close()
  }

  #stopServing(): void {
    this.#stopLeading()
    this.watches.close()
  }

  #observe(observer: GroupObserver): GroupObserver {
    return {
      ...observer,
      stateChanged: (status) => {
        if (status.role !== 'leader') this.#stopLeading()
        observer.stateChanged?.(status)
      },
      leaderReady: () => {
        this.#leases.start()
        this.#history.start()
        observer.leaderReady?.()
      },
      applied: (index) => {
        this.#history.look()
        this.#spaceWarning.look(this.space)
        observer.applied?.(index)
      },
      restored: (snapshot) => {
        this.watches.replaced()
        this.#tellSystemListeners(undefined)
        observer.restored?.(snapshot)
      },
      failed: (error) => {
        this.#stopLeading()
        observer.failed?.(error)
      },
    }
  }

  #stopLeading(): void {
    this.#leases.stop()
    this.#history.stop()
  }

  /** A command of the member's own. */
  #run(command: StoreCommand, done: (failed: boolean) => void): void {
    this.mutate(encodeCommand(command), command, (error) => done(error !== undefined))
  }

  /** The reply is the one the log would have given, but that it is kept for no repeat: a repeated read does no harm. */
  #readInstead(txn: TxnMutation, done: MutationCallback): void {
    this.group.readBarrier((error) => {
      if (error !== undefined) {
        done(error, undefined)
        return
      }
      this.#reads++
      let reply: StoreReply
      try {
        reply = { ok: true, type: 'txn', reply: this.model.readTxn(txn) }
      } catch (refusal) {
        reply = { ok: false, error: asAlthingError(refusal).toJSON() }
      }
      done(undefined, reply)
    })
  }

  #read<T>(consistency: Consistency, read: () => T, done: Callback<T>): void {
    const serve = (error?: AlthingError): void => {
      if (error !== undefined) {
        done(error, undefined)
        return
      }
      this.#reads++
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

  #tellSystemListeners(events: readonly WatchEvent[] | undefined): void {
    for (const listener of this.#systemListeners) listener(events)
  }

  #apply(entry: Entry, hint: StoreCommand | undefined): StoreReply {
    const { reply, change } = this.model.applyWithChange(hint ?? decodeCommand(entry.data))
    if (change !== undefined) {
      if (this.group.isLeaderReady) this.#leases.follow(change)
      this.watches.publish(change)
      if (touchesSystemKeys(change.events)) this.#tellSystemListeners(change.events)
    }
    if (reply.ok && reply.type === 'checkpoint') this.#onCheckpoint?.(entry.index, reply)
    return reply
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
