import { localCapabilities } from './local-capabilities.ts'
import { createDeferred } from '../../base/deferred.ts'
import { AlthingError, type Outcome } from '../../contracts/errors.ts'
import type {
  CallOptions,
  LeaseGrant,
  LeaseId,
  LeaseStatus,
  RangeReply,
  RangeRequest,
  ReadOptions,
  Store,
  StoreCapabilities,
  TxnReply,
  TxnRequest,
  Watch,
  WatchRequest,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { decodeCommand, encodeCommand } from '../../models/store/codec.ts'
import type { StoreCommand, StoreMutation, StoreReply } from '../../models/store/types.ts'
import type { TxnMutation } from '../../models/store/txn.ts'
import {
  validateLease,
  validateMutation,
  validateRange,
  validateRenewals,
} from '../../models/store/validate.ts'
import type { Configuration } from '../../protocols/raft/types.ts'
import { createMemoryNodeStorage, openNodeStorage } from '../../replication/node-storage.ts'
import type { GroupObserver } from '../../replication/raft-group.ts'
import type { DiskStorageOptions } from '../../replication/storage.ts'
import { CommandStore } from './command-store.ts'
import { defaultTimeoutMs, withDeadline } from './deadline.ts'
import { allLeases } from './lease-pages.ts'
import { ownBatch, ownKeyValue, ownTxnReply } from './own-copies.ts'
import type { StoreBounds } from './store-admission.ts'
import { type Callback, StoreHost } from './store-host.ts'
import type { Watcher } from './watch-hub.ts'
import { WatchStream } from './watch-stream.ts'

export interface LocalStoreOptions {
  readonly world: World
  /** Folder within the world's disk; absent: everything is kept in memory only. */
  readonly directory?: string
  /** See `RaftGroupOptions`. */
  readonly snapshotEntries?: number
  /** See `HistoryBounds`. */
  readonly keepRevisions?: number
  readonly keepMs?: number
  readonly bounds?: Partial<StoreBounds>
  readonly snapshotBytes?: number
  readonly snapshotAgeMs?: number
  /** Sizes of the files on disk; see `DiskStorageOptions`. */
  readonly files?: Omit<DiskStorageOptions, 'identity'>
  /** Sees every step of the machine below: for the invariants of the simulator. */
  readonly observer?: GroupObserver
}

/**
 * The embedded engine: a group of one member in this process. With a directory every acknowledged write is on the disk (fsync); without, it
 * lives as long as the process. Rejects with `corrupt` when the log or the snapshot is damaged, and with `conflict` when another process has the directory.
 */
export async function openLocalStore(options: LocalStoreOptions): Promise<LocalStore> {
  const { world, directory } = options
  const initial: Configuration = { voters: [1] }
  const node =
    directory === undefined
      ? createMemoryNodeStorage()
      : await openNodeStorage(world, directory, {
          ...options.files,
          identity: { clusterId: 'local', nodeId: 1 },
          version1Configuration: initial,
        })
  try {
    const { storage, restored } = node.groups.get(1) ?? (await node.createGroup(1, initial))
    const ready = createDeferred<void>()
    let store: LocalStore | undefined
    const failed = (error: AlthingError): void => {
      ready.reject(error)
      store?.fail(error)
      options.observer?.failed?.(error)
    }
    const leaderReady = (): void => {
      ready.resolve()
      options.observer?.leaderReady?.()
    }
    const host = await StoreHost.open({
      world,
      raft: { id: 1 },
      configuration: restored.initialConfiguration,
      storage,
      restored,
      keepEntries: 0,
      observer: { ...options.observer, leaderReady, failed },
      ...(options.keepRevisions === undefined ? {} : { keepRevisions: options.keepRevisions }),
      ...(options.keepMs === undefined ? {} : { keepMs: options.keepMs }),
      ...(options.bounds === undefined ? {} : { bounds: options.bounds }),
      ...(options.snapshotEntries === undefined ? {} : { snapshotEntries: options.snapshotEntries }),
      ...(options.snapshotBytes === undefined ? {} : { snapshotBytes: options.snapshotBytes }),
      ...(options.snapshotAgeMs === undefined ? {} : { snapshotAgeMs: options.snapshotAgeMs }),
    })
    host.start()
    await ready.promise
    store = new LocalStore(world, host, directory === undefined ? 'memory' : 'disk', () => node.close())
    return store
  } catch (error) {
    await node.close()
    throw error
  }
}

/** {@link Store} over a {@link StoreHost} in the same process. No call is ever repeated, so it needs no session. */
export class LocalStore extends CommandStore implements Store {
  readonly capabilities: StoreCapabilities
  readonly host: StoreHost
  readonly #world: World
  readonly #release: () => Promise<void>
  readonly #streams = new Set<WatchStream>()
  #closing: Promise<void> | undefined

  constructor(
    world: World,
    host: StoreHost,
    durability: StoreCapabilities['durability'],
    release: () => Promise<void>,
  ) {
    super()
    this.#world = world
    this.host = host
    this.#release = release
    this.capabilities = localCapabilities(durability)
  }

  range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeReply> {
    return this.#read<RangeReply>(
      options,
      () => validateRange(request),
      (done) => {
        this.host.range(request, options.consistency ?? 'linearizable', done)
      },
    ).then((reply) => ({ ...reply, kvs: reply.kvs.map(ownKeyValue) }))
  }

  override async txn(request: TxnRequest, options: ReadOptions = {}): Promise<TxnReply> {
    return ownTxnReply(await super.txn(request, options))
  }

  keepLeaseAlive(lease: LeaseId, options: CallOptions = {}): Promise<LeaseGrant> {
    return this.#read(
      options,
      () => validateLease(lease),
      (done) => this.host.keepLeaseAlive(lease, done),
    )
  }

  keepLeasesAlive(
    leases: readonly LeaseId[],
    options: CallOptions = {},
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    return this.#read(
      options,
      () => validateRenewals(leases),
      (done) => this.host.keepLeasesAlive(leases, done),
    )
  }

  leases(options: ReadOptions = {}): Promise<readonly LeaseStatus[]> {
    return allLeases((request) =>
      this.#read(
        options,
        () => {},
        (done) => this.host.leases(request, options.consistency ?? 'linearizable', done),
      ),
    )
  }

  watch(request: WatchRequest): Watch {
    let watcher: Watcher | undefined
    const stream = new WatchStream(
      {
        resume: () => watcher?.resume(),
        stop: () => {
          watcher?.close()
          this.#streams.delete(stream)
        },
      },
      request.signal,
    )
    if (this.#closing !== undefined) {
      stream.fail(closedError())
      return stream
    }
    this.#streams.add(stream)
    this.host.watch(
      request,
      { push: (batch) => stream.push(ownBatch(batch)) },
      () => stream.isEnded,
      (error, started) => {
        if (error !== undefined) stream.fail(error)
        else if (stream.isEnded) started?.close()
        else watcher = started
      },
    )
    return stream
  }

  /** The node below has failed for good: its watches end with the reason, as its calls do. */
  fail(error: AlthingError): void {
    for (const stream of this.#streams) stream.fail(error)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const stream of this.#streams) stream.fail(closedError())
    this.host.close()
    await this.#release()
  }

  protected override readSerializable(txn: TxnMutation, options: CallOptions): Promise<TxnReply> {
    return this.#read(
      options,
      () => {},
      (done) => this.host.readTxn(txn, 'serializable', done),
    )
  }

  protected override async mutate(mutation: StoreMutation, options: CallOptions): Promise<StoreReply> {
    validateMutation(mutation)
    if (this.#closing !== undefined) throw closedError('none')
    const command: StoreCommand = { session: 0, sequence: 0, acknowledged: 0, ...mutation }
    const bound = { timeoutMs: options.timeoutMs ?? defaultTimeoutMs, outcome: () => 'unknown' as const }
    return withDeadline<StoreReply>(this.#world, options, bound, (settle) => {
      // The log and the model take the bytes of this moment: the caller's buffers are its own again when the call returns.
      const data = encodeCommand(command)
      this.host.mutate(data, decodeCommand(data), (error, reply) => {
        if (reply === undefined) settle.reject(error)
        else settle.resolve(reply)
      })
    })
  }

  async #read<T>(options: CallOptions, validate: () => void, start: (done: Callback<T>) => void): Promise<T> {
    validate()
    if (this.#closing !== undefined) throw closedError()
    const bound = { timeoutMs: options.timeoutMs ?? defaultTimeoutMs, outcome: () => undefined }
    return withDeadline<T>(this.#world, options, bound, (settle) => {
      start((error, value) => {
        if (error === undefined) settle.resolve(value as T)
        else settle.reject(error)
      })
    })
  }
}

export function closedError(outcome?: Outcome): AlthingError {
  return new AlthingError('closed', 'the store has been closed', outcome === undefined ? {} : { outcome })
}
