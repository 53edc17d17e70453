import { AlthingError, asAlthingError, type Outcome, withOutcome } from '../../contracts/errors.ts'
import {
  type CallOptions,
  type LeaseGrant,
  type LeaseId,
  limitsOf,
  type LeaseStatus,
  type RangeReply,
  type RangeRequest,
  type ReadOptions,
  type RenewalSource,
  type Store,
  type StoreCapabilities,
  type TxnReply,
  type TxnRequest,
  type Watch,
  type WatchRequest,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation, StoreReply } from '../../models/store/types.ts'
import {
  validateLease,
  validateMutation,
  validateRange,
  validateRenewals,
} from '../../models/store/validate.ts'
import { CommandStore } from '../local/command-store.ts'
import { defaultTimeoutMs, withDeadline } from '../local/deadline.ts'
import { allLeases, pageOfLeases } from '../local/lease-pages.ts'
import { closedError } from '../local/local-store.ts'
import { ownBatch, ownKeyValue, ownTxnReply } from '../local/own-copies.ts'
import { checkRequest } from '../local/request-limits.ts'
import type { Watcher } from '../local/watch-hub.ts'
import { WatchStream } from '../local/watch-stream.ts'
import { problemOfWatch } from '../local/watch-validation.ts'
import { LogHost, type LogHostOptions } from './log-host.ts'
import type { Publication } from './publisher.ts'
import type { SharedLog } from './shared-log.ts'

export interface SharedLogStoreOptions extends Omit<LogHostOptions, 'world' | 'log'> {
  readonly capabilities: StoreCapabilities
  readonly renewal?: RenewalSource
  /** How long a call waits, when it does not say itself (default 5000). */
  readonly timeoutMs?: number
}

/** How long `close` waits for the log to hear of it. */
const farewellMs = 250

/**
 * {@link Store} on a log that processes share: each applies what the log says to a copy of the whole store of its own. A call that changes something is a message of the log, and
 * resolves when the own copy has applied it; a linearizable read waits until the own copy has come to a message that was appended after the call; any other is answered from the copy.
 */
export class SharedLogStore extends CommandStore implements Store {
  readonly capabilities: StoreCapabilities
  readonly renewal?: RenewalSource
  readonly host: LogHost
  readonly #world: World
  readonly #timeoutMs: number
  readonly #streams = new Set<WatchStream>()
  #closing: Promise<void> | undefined

  private constructor(world: World, log: SharedLog, options: SharedLogStoreOptions) {
    super()
    const { capabilities, renewal, timeoutMs = defaultTimeoutMs } = options
    this.capabilities = capabilities
    if (renewal !== undefined) this.renewal = renewal
    this.#world = world
    this.#timeoutMs = timeoutMs
    this.host = new LogHost({ ...options, world, log })
    this.host.onFailed((error) => {
      for (const stream of this.#streams) stream.fail(error)
    })
  }

  /** Resolves when the own copy has all that was in the log at the call. The log is closed with the store, and when this rejects. */
  static async open(world: World, log: SharedLog, options: SharedLogStoreOptions): Promise<SharedLogStore> {
    const store = new SharedLogStore(world, log, options)
    try {
      await store.#call<void>(
        {},
        () => 'none',
        (done) => store.host.start((error) => done(error, undefined)),
      )
      return store
    } catch (error) {
      await store.close()
      throw withOutcome(asAlthingError(error), 'none')
    }
  }

  async range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeReply> {
    validateRange(request)
    const reply = await this.#read(options, () => this.host.model.range(request))
    return { ...reply, kvs: reply.kvs.map(ownKeyValue) }
  }

  override async txn(request: TxnRequest, options: ReadOptions = {}): Promise<TxnReply> {
    return ownTxnReply(await super.txn(request, options))
  }

  async keepLeaseAlive(lease: LeaseId, options: CallOptions = {}): Promise<LeaseGrant> {
    validateLease(lease)
    const [result] = await this.keepLeasesAlive([lease], options)
    if (result instanceof AlthingError) throw result
    return result as LeaseGrant
  }

  async keepLeasesAlive(
    leases: readonly LeaseId[],
    options: CallOptions = {},
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    validateRenewals(leases)
    this.#assertOpen('none')
    if (leases.length === 0) return []
    const asked = [...leases]
    return await this.#call(
      options,
      (publication) => publication?.abandon() ?? 'none',
      (done) => this.host.renew(asked, done),
    )
  }

  async leases(options: ReadOptions = {}): Promise<readonly LeaseStatus[]> {
    return await allLeases((request) =>
      this.#read(options, () => {
        const page = pageOfLeases(this.host.model, request)
        return { ...page, leases: page.leases.map((status) => this.host.withRemaining(status)) }
      }),
    )
  }

  watch(request: WatchRequest): Watch {
    let watcher: Watcher | undefined
    let publication: Publication | undefined
    const stream = new WatchStream(
      {
        resume: () => watcher?.resume(),
        stop: () => {
          watcher?.close()
          publication?.abandon()
          this.#streams.delete(stream)
        },
      },
      request.signal,
    )
    const problem =
      this.#closing === undefined ? (problemOfWatch(request) ?? this.host.failure) : closedError()
    if (problem !== undefined) {
      stream.fail(problem)
      return stream
    }
    this.#streams.add(stream)
    const start = (error?: AlthingError): void => {
      if (stream.isEnded) return
      try {
        if (error !== undefined) throw error
        watcher = this.host.watches.add(request, { push: (batch) => stream.push(ownBatch(batch)) })
      } catch (cause) {
        stream.fail(asAlthingError(cause))
        return
      }
      // Its first batch may have been the last that somebody wanted.
      if (stream.isEnded) watcher.close()
    }
    // An older revision is waited for too: what is compacted, and from where on, this copy may not have heard yet.
    publication = this.host.barrier(start)
    return stream
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  protected override readSerializable(txn: TxnMutation, options: CallOptions): Promise<TxnReply> {
    return this.#read({ ...options, consistency: 'serializable' }, () => this.host.model.readTxn(txn))
  }

  protected override async mutate(mutation: StoreMutation, options: CallOptions): Promise<StoreReply> {
    validateMutation(mutation)
    this.#assertOpen('none')
    if (mutation.type === 'txn') {
      const problem = checkRequest(mutation, limitsOf(this.capabilities))
      if (problem !== undefined) throw problem
      if (isReadOnly(mutation)) {
        const reply = await this.#read(options, () => this.host.model.readTxn(mutation))
        return { ok: true, type: 'txn', reply }
      }
    }
    return await this.#call<StoreReply>(
      options,
      (publication) => publication?.abandon() ?? 'none',
      (done) => this.host.mutate(mutation, done),
    )
  }

  async #read<T>(options: ReadOptions, read: () => T): Promise<T> {
    this.#assertOpen()
    if (options.consistency !== 'serializable' || options.signal?.aborted === true)
      await this.#call<void>(
        options,
        (publication) => {
          publication?.abandon()
          return undefined
        },
        (done) => this.host.barrier((error) => done(error, undefined)),
      )
    return read()
  }

  #call<T>(
    options: CallOptions,
    giveUp: (publication: Publication | undefined) => Outcome | undefined,
    start: (done: (error: AlthingError | undefined, value: T | undefined) => void) => Publication | undefined,
  ): Promise<T> {
    let publication: Publication | undefined
    const bound = {
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      outcome: () => giveUp(publication),
      lastError: () => publication?.lastError ?? this.host.trouble,
    }
    return withDeadline<T>(this.#world, options, bound, (settle) => {
      publication = start((error, value) => {
        if (error === undefined) settle.resolve(value as T)
        else settle.reject(error)
      })
    })
  }

  #assertOpen(outcome?: Outcome): void {
    if (this.#closing !== undefined) throw closedError(outcome)
    const { failure } = this.host
    if (failure !== undefined) throw outcome === undefined ? failure : withOutcome(failure, outcome)
  }

  async #close(): Promise<void> {
    for (const stream of this.#streams) stream.fail(closedError())
    await this.#sayFarewell()
    await this.host.close(closedError())
  }

  /** What is on its way is given up at once; the session is, too, where that takes no time. */
  #sayFarewell(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#world.timers.after(farewellMs, resolve)
      this.host.endSession(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}
