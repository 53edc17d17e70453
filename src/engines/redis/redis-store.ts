import type { ByteString } from '../../base/bytes.ts'
import { type AlthingError, asAlthingError, invalidArgument, withOutcome } from '../../contracts/errors.ts'
import type {
  CallOptions,
  GrantLeaseRequest,
  LeaseGrant,
  LeaseId,
  LeaseStatus,
  RangeReply,
  RangeRequest,
  ReadOptions,
  RenewalSource,
  Store,
  StoreCapabilities,
  TxnReply,
  TxnRequest,
  Watch,
  WatchRequest,
} from '../../contracts/store.ts'
import { storeLimits } from '../../contracts/store.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation } from '../../models/store/types.ts'
import { validateMutation, validateRange } from '../../models/store/validate.ts'
import { closedError } from '../local/local-store.ts'
import { commandBatches, type EncodedCommand, getBatches } from './batches.ts'
import { BatchQueue } from '../batch-queue.ts'
import { bytesOf, commandArgs, type RawTxnReply, txnArgs, txnReplyOf } from './command-args.ts'
import type { Connections, ScriptCarrier, ScriptQueue } from './connections.ts'
import type { HistoryLine } from './history-line.ts'
import { LeaseCalls } from './lease-calls.ts'
import type { CheckedOptions } from './options.ts'
import { RangeReader } from './range-reader.ts'
import { isRefusal, refusalError } from './refusals.ts'
import { scripts } from './script.ts'
import { Upkeep } from './upkeep.ts'
import { WatchFeed } from './watch-feed.ts'

export interface RedisStoreParts {
  readonly connections: Connections
  readonly capabilities: StoreCapabilities
  readonly options: CheckedOptions
  readonly line: HistoryLine
  readonly renewal?: RenewalSource
  /** Looks whether the server still keeps what the capabilities say. Never rejects. */
  readonly inspect: () => Promise<void>
}

/**
 * {@link Store} in a database of Redis or Valkey: keys with one hash tag, changed only by scripts.
 *
 *     txn, leases   -> commands -> apply(client, number, commands)   one script, one sync of the disk, for all that wait
 *     range, reads  -> one script, or pieces at one revision; reads of one key each that wait together share a script
 *     watch         -> WatchFeed: woken by SUBSCRIBE, reads the log by revision
 *     Upkeep        ends leases by the server's clock, keeps the history short
 */
export class RedisStore implements Store {
  readonly capabilities: StoreCapabilities
  readonly renewal?: RenewalSource
  readonly #connections: Connections
  readonly #options: CheckedOptions
  readonly #line: HistoryLine
  readonly #writes: ScriptQueue<EncodedCommand, readonly unknown[]>
  readonly #gets: ScriptQueue<ByteString, RangeReply>
  readonly #ranges: RangeReader
  readonly #leases: LeaseCalls
  readonly #feed: WatchFeed
  readonly #upkeep: Upkeep
  readonly #closed = new AbortController()
  #isClosed = false

  constructor({ connections, capabilities, options, line, renewal, inspect }: RedisStoreParts) {
    this.capabilities = capabilities
    if (renewal !== undefined) this.renewal = renewal
    this.#connections = connections
    this.#options = options
    this.#line = line
    const carrier: ScriptCarrier = connections
    this.#writes = new BatchQueue(carrier, commandBatches(connections.place, connections.world.random))
    this.#gets = new BatchQueue(carrier, getBatches(connections.place))
    this.#ranges = new RangeReader(connections)
    this.#leases = new LeaseCalls(connections)
    this.#feed = new WatchFeed({ connections, ranges: this.#ranges, line })
    this.#upkeep = new Upkeep(connections, options.history, inspect)
    this.#upkeep.start()
  }

  async range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeReply> {
    validateRange(request)
    const reply = isGet(request)
      ? await this.#get(request.key, options)
      : await this.#whileOpen(options, (own) => this.#ranges.range(request, own, this.#timeoutOf(options)))
    this.#line.see(reply.revision)
    return reply
  }

  async txn(request: TxnRequest, options: ReadOptions = {}): Promise<TxnReply> {
    const { compare = [], then = [], else: otherwise = [] } = request
    const txn: TxnMutation = { type: 'txn', compare, then, else: otherwise }
    validateMutation(txn)
    // Which operations were sent decides how the reply is read: the list is the caller's, and may change meanwhile.
    const sent: TxnMutation = { ...txn, then: [...then], else: [...otherwise] }
    const reply = isReadOnly(txn) ? await this.#readTxn(sent, options) : await this.#writeTxn(sent, options)
    this.#line.see(reply.revision)
    return reply
  }

  async grantLease({ ttlMs }: GrantLeaseRequest, options: CallOptions = {}): Promise<LeaseGrant> {
    const [lease] = (await this.#apply({ type: 'grantLease', ttlMs }, true, options)) as [number]
    this.#upkeep.endsIn(ttlMs)
    return { lease, ttlMs }
  }

  async revokeLease(lease: LeaseId, options: CallOptions = {}): Promise<{ readonly revision: number }> {
    const [revision] = (await this.#apply({ type: 'revokeLease', lease }, false, options)) as [number]
    this.#line.see(revision)
    return { revision }
  }

  async keepLeaseAlive(lease: LeaseId, options: CallOptions = {}): Promise<LeaseGrant> {
    return await this.#whileOpen(options, (own) =>
      this.#leases.keepLeaseAlive(lease, own, this.#timeoutOf(options)),
    )
  }

  async keepLeasesAlive(
    leases: readonly LeaseId[],
    options: CallOptions = {},
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    return await this.#whileOpen(options, (own) =>
      this.#leases.keepLeasesAlive(leases, own, this.#timeoutOf(options)),
    )
  }

  async leases(options: ReadOptions = {}): Promise<readonly LeaseStatus[]> {
    return await this.#whileOpen(options, (own) => this.#leases.leases(own, this.#timeoutOf(options)))
  }

  /** May be repeated: it says from which revision on the history is needed. */
  async compact(revision: number, options: CallOptions = {}): Promise<{ readonly compactRevision: number }> {
    validateMutation({ type: 'compact', revision })
    if (this.#isClosed) throw closedError('none')
    const call = { script: scripts.compact, args: [String(revision)] }
    try {
      const [compactRevision] = await this.#whileOpen(options, (own) =>
        this.#connections.read(call, own, this.#timeoutOf(options), (reply) => accepted(reply) as [number]),
      )
      this.#upkeep.purgeSoon()
      return { compactRevision }
    } catch (error) {
      const failure = asAlthingError(error)
      throw failure.outcome === undefined ? withOutcome(failure, 'unknown') : failure
    }
  }

  watch(request: WatchRequest): Watch {
    return this.#feed.add(request)
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#isClosed = true
    this.#feed.close(closedError())
    this.#upkeep.close()
    this.#writes.close((outcome) => closedError(outcome))
    this.#gets.close((outcome) => closedError(outcome))
    this.#closed.abort()
    this.#connections.close()
    return Promise.resolve()
  }

  async #get(key: ByteString, options: CallOptions): Promise<RangeReply> {
    if (this.#isClosed) throw closedError()
    return await this.#gets.submit(key, key.length, options, this.#timeoutOf(options))
  }

  async #readTxn(txn: TxnMutation, options: CallOptions): Promise<TxnReply> {
    const call = {
      script: scripts.readTxn,
      args: [String(storeLimits.rangeReplyBytesMax), ...txnArgs(txn)],
    }
    return await this.#whileOpen(options, (own) =>
      this.#connections.read(call, own, this.#timeoutOf(options), (reply) =>
        txnReplyOf(accepted(reply) as RawTxnReply, txn),
      ),
    )
  }

  async #writeTxn(txn: TxnMutation, options: ReadOptions): Promise<TxnReply> {
    if (options.consistency === 'serializable')
      throw invalidArgument(
        'consistency',
        options.consistency,
        `'linearizable' for a transaction that writes`,
      )
    const grows = [...txn.then, ...txn.else].some(({ op }) => op === 'put')
    return txnReplyOf((await this.#apply(txn, grows, options)) as unknown as RawTxnReply, txn)
  }

  async #apply(
    mutation: Exclude<StoreMutation, { type: 'compact' | 'closeSession' }>,
    grows: boolean,
    options: CallOptions,
  ): Promise<readonly unknown[]> {
    validateMutation(mutation)
    if (this.#isClosed) throw closedError('none')
    const args = commandArgs(mutation)
    const reply = await this.#writes.submit({ args, grows }, bytesOf(args), options, this.#timeoutOf(options))
    return accepted(reply) as readonly unknown[]
  }

  /** Ends the call with `closed` when the store is closed before it is done. */
  async #whileOpen<T>(options: CallOptions, call: (options: CallOptions) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw closedError()
    const { signal } = options
    const ends = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal])
    try {
      return await call({ ...options, signal: ends })
    } catch (error) {
      const failure = asAlthingError(error)
      if (failure.code === 'aborted' && this.#closed.signal.aborted && signal?.aborted !== true)
        throw closedError()
      throw failure
    }
  }

  #timeoutOf({ timeoutMs = this.#options.timeoutMs }: CallOptions): number {
    return timeoutMs
  }
}

/** One key, whole, as it is now. */
function isGet({ end, revision, keysOnly, countOnly }: RangeRequest): boolean {
  return end === undefined && revision === undefined && keysOnly !== true && countOnly !== true
}

function accepted(reply: unknown): unknown {
  if (isRefusal(reply)) throw refusalError(reply)
  return reply
}
