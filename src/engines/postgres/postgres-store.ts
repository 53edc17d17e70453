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
import { checkRequest } from '../local/request-limits.ts'
import { commandBatches } from './command-batches.ts'
import {
  type Command,
  commandOf,
  decodeTxnReply,
  encodeTxn,
  sizeOf,
  type TxnReplyJson,
} from './command-json.ts'
import type { Connections, Statement, StatementQueue } from './connections.ts'
import { boundsProblem } from './key-bounds.ts'
import { getBatches } from './get-batches.ts'
import { LeaseCalls } from './lease-calls.ts'
import type { Row } from './library.ts'
import type { CheckedOptions } from './options.ts'
import { isGet, rangeReplyOf, rangeStatement } from './range-query.ts'
import { isRefusal, refusalError } from './refusals.ts'
import { limits } from './server-settings.ts'
import { Upkeep } from './upkeep.ts'
import { WatchFeed } from './watch-feed.ts'
import { BatchQueue } from '../batch-queue.ts'

export interface PostgresStoreParts {
  readonly connections: Connections
  readonly capabilities: StoreCapabilities
  readonly options: CheckedOptions
  readonly renewal?: RenewalSource
  /** Ends the pool, where it is the store's own. */
  readonly release: () => Promise<void>
}

/**
 * {@link Store} in a PostgreSQL database: rows of a schema of its own, changed only by functions in the server.
 *
 *     txn, leases   -> commands -> apply_batch(client, number, commands)   one statement, one commit, for all that wait
 *     range, reads  -> one statement, one snapshot of the primary; reads of one key each that wait together share it
 *     watch         -> WatchFeed: woken by LISTEN, reads the history by revision
 *     Upkeep        ends leases by the server's clock, keeps the history short
 */
export class PostgresStore implements Store {
  readonly capabilities: StoreCapabilities
  readonly renewal?: RenewalSource
  readonly #connections: Connections
  readonly #options: CheckedOptions
  readonly #writes: StatementQueue<Command, object>
  readonly #gets: StatementQueue<ByteString, RangeReply>
  readonly #leases: LeaseCalls
  readonly #feed: WatchFeed
  readonly #upkeep: Upkeep
  readonly #release: () => Promise<void>
  readonly #closed = new AbortController()
  #closing: Promise<void> | undefined

  constructor({ connections, capabilities, options, renewal, release }: PostgresStoreParts) {
    this.capabilities = capabilities
    if (renewal !== undefined) this.renewal = renewal
    this.#connections = connections
    this.#options = options
    const { place } = options
    const carrier = connections.carrier(options.timeoutMs / 2)
    this.#writes = new BatchQueue(carrier, commandBatches(place, connections.world.random))
    this.#gets = new BatchQueue(carrier, getBatches(place))
    this.#leases = new LeaseCalls(connections, options.place)
    this.#feed = new WatchFeed(connections, options.place)
    this.#upkeep = new Upkeep(connections, options.place, options.history)
    this.#release = release
    this.#upkeep.start()
  }

  async range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeReply> {
    validateRange(request)
    const tooLong = boundsProblem(request, 'range')
    if (tooLong !== undefined) throw tooLong
    if (isGet(request)) {
      if (this.#closing !== undefined) throw closedError()
      return await this.#gets.submit(request.key, request.key.length, options, this.#timeoutOf(options))
    }
    const statement = rangeStatement(this.#options.place, request)
    return await this.#read(statement, options, (rows) => rangeReplyOf(rows, request))
  }

  async txn(request: TxnRequest, options: ReadOptions = {}): Promise<TxnReply> {
    const { compare = [], then = [], else: otherwise = [] } = request
    const txn: TxnMutation = { type: 'txn', compare, then, else: otherwise }
    validateMutation(txn)
    const tooLarge = checkRequest(txn, limits)
    if (tooLarge !== undefined) throw tooLarge
    if (isReadOnly(txn)) return await this.#readTxn(txn, options)
    if (options.consistency === 'serializable')
      throw invalidArgument(
        'consistency',
        options.consistency,
        `'linearizable' for a transaction that writes`,
      )
    // Which operations were sent decides how the reply is read: the list is the caller's, and may change meanwhile.
    const sent: TxnMutation = { ...txn, then: [...then], else: [...otherwise] }
    return decodeTxnReply((await this.#apply(sent, options)) as TxnReplyJson, sent)
  }

  async grantLease({ ttlMs }: GrantLeaseRequest, options: CallOptions = {}): Promise<LeaseGrant> {
    const grant = (await this.#apply({ type: 'grantLease', ttlMs }, options)) as LeaseGrant
    this.#upkeep.endsIn(grant.ttlMs)
    return { lease: grant.lease, ttlMs: grant.ttlMs }
  }

  async revokeLease(lease: LeaseId, options: CallOptions = {}): Promise<{ readonly revision: number }> {
    const reply = (await this.#apply({ type: 'revokeLease', lease }, options)) as {
      readonly revision: number
    }
    return { revision: reply.revision }
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
    if (this.#closing !== undefined) throw closedError('none')
    const { schema } = this.#options.place
    const statement = { text: `select ${schema}.compact($1) as reply`, values: [revision] }
    try {
      const reply = await this.#read(statement, options, (rows) => replyIn(rows))
      this.#upkeep.purgeSoon()
      return reply as { readonly compactRevision: number }
    } catch (error) {
      const failure = asAlthingError(error)
      throw failure.outcome === undefined ? withOutcome(failure, 'unknown') : failure
    }
  }

  watch(request: WatchRequest): Watch {
    return this.#feed.add(request)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#feed.close(closedError())
    this.#upkeep.close()
    this.#writes.close((outcome) => closedError(outcome))
    this.#gets.close((outcome) => closedError(outcome))
    this.#closed.abort()
    this.#connections.abandonAll()
    await this.#release()
  }

  async #apply(
    mutation: Exclude<StoreMutation, { type: 'compact' | 'closeSession' }>,
    options: CallOptions,
  ): Promise<object> {
    validateMutation(mutation)
    if (this.#closing !== undefined) throw closedError('none')
    const command = commandOf(mutation)
    const reply = await this.#writes.submit(command, sizeOf(command), options, this.#timeoutOf(options))
    if (isRefusal(reply)) throw refusalError(reply)
    return reply
  }

  async #readTxn(txn: TxnMutation, options: CallOptions): Promise<TxnReply> {
    const { schema } = this.#options.place
    const sent = { ...txn, then: [...txn.then], else: [...txn.else] }
    const statement = {
      name: `althing_read_${schema}`,
      text: `select ${schema}.read_txn($1, $2) as reply, pg_is_in_recovery() as standby`,
      values: [encodeTxn(txn), storeLimits.rangeReplyBytesMax],
    }
    return await this.#read(statement, options, (rows) => decodeTxnReply(replyIn(rows) as TxnReplyJson, sent))
  }

  #read<T>(statement: Statement, options: CallOptions, decode: (rows: readonly Row[]) => T): Promise<T> {
    return this.#whileOpen(options, (own) =>
      this.#connections.read(statement, own, this.#timeoutOf(options), decode),
    )
  }

  /** Ends the call with `closed` when the store is closed before it is done. */
  async #whileOpen<T>(options: CallOptions, call: (options: CallOptions) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedError()
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

function replyIn(rows: readonly Row[]): object {
  const reply = rows[0]?.reply as object
  if (isRefusal(reply)) throw refusalError(reply)
  return reply
}
