import { type AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import {
  type CallOptions,
  type LeaseGrant,
  type LeaseId,
  limitsOf,
  type LeaseStatus,
  type Operation,
  type RangeReply,
  type RangeRequest,
  type ReadOptions,
  type RenewalSource,
  type Store,
  type StoreCapabilities,
  type TxnReply,
  type Watch,
  type WatchRequest,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation, StoreReply } from '../../models/store/types.ts'
import { validateMutation, validateRange, validateRenewals } from '../../models/store/validate.ts'
import { CommandStore } from '../local/command-store.ts'
import { closedError } from '../local/local-store.ts'
import { checkRequest } from '../local/request-limits.ts'
import { problemOfWatch } from '../local/watch-validation.ts'
import type { EtcdUser } from './authentication.ts'
import { EtcdCalls, unary } from './calls.ts'
import { Endpoints, type EtcdTls } from './endpoints.ts'
import { etcdCapabilities, etcdCapabilitiesOf } from './etcd-capabilities.ts'
import { EtcdLeases } from './etcd-leases.ts'
import { EtcdWatch } from './etcd-watch.ts'
import { type GrpcLibrary, loadGrpc } from './grpc-library.ts'
import { type EtcdTxnResponse, methods } from './messages.ts'
import { OlderReads, writesAndReadsOlder } from './older-reads.ts'
import { RangeReader } from './range-reader.ts'
import { renewalEntry } from './renewal-thread.ts'
import { leavesLeasesToSuccessor, parseServerVersion } from './server-version.ts'
import { etcdTxnRequest, revisionOf, txnReplyOf } from './txn-plan.ts'

export interface EtcdStoreOptions {
  /** `host:port` of one or more members. */
  readonly endpoints: readonly string[]
  /** Absent: connections are not secured. */
  readonly tls?: EtcdTls
  /** Where etcd asks who calls. */
  readonly user?: EtcdUser
  /** How long a call waits, when it does not say itself (default 5000). */
  readonly timeoutMs?: number
}

/**
 * Makes a client of an etcd, 3.4 or later, through its own interface (v3), and lets it meet a member, whose version decides what the store guarantees. Rejects with
 * `not-found` when the package `@grpc/grpc-js` is not installed, with `invalid-argument`, and as {@link EtcdStore.connect} does.
 */
export async function openEtcdStore(world: World, options: EtcdStoreOptions): Promise<EtcdStore> {
  if (options.endpoints.length === 0)
    throw invalidArgument('endpoints', options.endpoints, 'one or more addresses of the form host:port')
  const store = new EtcdStore(world, await loadGrpc(), options)
  try {
    await store.connect()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** {@link Store} on etcd. What etcd does otherwise than the built-in engines is listed in `docs/engines/etcd.md`. */
export class EtcdStore extends CommandStore implements Store {
  readonly renewal: RenewalSource
  #capabilities = etcdCapabilities
  readonly #world: World
  readonly #endpoints: Endpoints
  readonly #calls: EtcdCalls
  readonly #reader: RangeReader
  readonly #leases: EtcdLeases
  readonly #olderReads: OlderReads
  readonly #watches = new Set<EtcdWatch>()
  #isClosed = false

  constructor(world: World, grpc: GrpcLibrary, options: EtcdStoreOptions) {
    super()
    const { endpoints, tls, user } = options
    this.#world = world
    this.#endpoints = new Endpoints(world, grpc, endpoints, tls)
    this.#calls = new EtcdCalls(world, this.#endpoints, options)
    this.#reader = new RangeReader(this.#calls)
    this.#leases = new EtcdLeases(world, this.#calls)
    this.#olderReads = new OlderReads(this.#calls, this.#reader)
    const engine = {
      endpoints: [...endpoints],
      ...(tls === undefined ? {} : { tls }),
      ...(user === undefined ? {} : { user }),
    }
    this.renewal = { entry: renewalEntry, engine }
  }

  /** As far as is known: more may be promised once the store has met a member. */
  get capabilities(): StoreCapabilities {
    return this.#capabilities
  }

  /**
   * Makes sure that a member answers, and is an etcd that will do, and learns what it guarantees. Rejects with `unavailable`, `timeout`, `incompatible-peer` or
   * `unauthenticated`.
   */
  async connect(options: CallOptions = {}): Promise<void> {
    const status = await this.#calls.make({
      repetition: 'read',
      needsLeader: false,
      options,
      attempt: unary(methods.status, {}),
    })
    const version = parseServerVersion(status.version)
    const members = leavesLeasesToSuccessor(version) ? 0 : await this.#memberCount(options)
    this.#capabilities = etcdCapabilitiesOf(version, members)
  }

  async range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeReply> {
    validateRange(request)
    this.#assertOpen()
    return await this.#reader.range(request, options)
  }

  async keepLeaseAlive(lease: LeaseId, options: CallOptions = {}): Promise<LeaseGrant> {
    validateRenewals([lease])
    this.#assertOpen()
    return await this.#leases.keepAlive(lease, options)
  }

  async keepLeasesAlive(
    leases: readonly LeaseId[],
    options: CallOptions = {},
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    validateRenewals(leases)
    this.#assertOpen()
    return await this.#leases.keepManyAlive(leases, options)
  }

  async leases(options: ReadOptions = {}): Promise<readonly LeaseStatus[]> {
    this.#assertOpen()
    return await this.#leases.list(options)
  }

  watch(request: WatchRequest): Watch {
    const parts = { endpoints: this.#endpoints, calls: this.#calls, reader: this.#reader }
    const watch: EtcdWatch = new EtcdWatch(this.#world, parts, request, () => this.#watches.delete(watch))
    const problem = this.#isClosed ? closedError() : problemOfWatch(request)
    if (problem !== undefined) {
      watch.stream.fail(problem)
      return watch.stream
    }
    this.#watches.add(watch)
    watch.start()
    return watch.stream
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const watch of this.#watches) watch.stream.fail(closedError())
    this.#calls.close()
    this.#endpoints.close()
  }

  protected override async mutate(mutation: StoreMutation, options: CallOptions): Promise<StoreReply> {
    validateMutation(mutation)
    if (this.#isClosed) throw closedError('none')
    switch (mutation.type) {
      case 'txn': {
        const problem = checkRequest(mutation, limitsOf(etcdCapabilities))
        if (problem !== undefined) throw problem
        return { ok: true, type: 'txn', reply: await this.#txn(mutation, options) }
      }
      case 'grantLease': {
        const grant = await this.#leases.grant(mutation.ttlMs, options)
        return { ok: true, type: 'grantLease', ...grant }
      }
      case 'revokeLease':
        return { ok: true, type: 'revokeLease', ...(await this.#leases.revoke(mutation.lease, options)) }
      case 'compact':
        return {
          ok: true,
          type: 'compact',
          compactRevision: await this.#compact(mutation.revision, options),
        }
      case 'closeSession':
        throw invalidArgument('type', mutation.type, 'a mutation that etcd knows')
    }
  }

  protected override readSerializable(txn: TxnMutation, options: CallOptions): Promise<TxnReply> {
    return this.#txn(txn, { ...options, consistency: 'serializable' })
  }

  async #txn(txn: TxnMutation, options: ReadOptions): Promise<TxnReply> {
    const isSerializable = options.consistency === 'serializable'
    const put = isSerializable ? undefined : lonePut(txn)
    if (put !== undefined) return await this.#put(put, options)
    if (writesAndReadsOlder(txn)) {
      const remaining = this.#calls.sharing(options)
      return await this.#olderReads.txn(txn, remaining, (plain) => this.#sendTxn(plain, remaining()))
    }
    try {
      return txnReplyOf(txn, await this.#sendTxn(txn, options))
    } catch (error) {
      throw await this.#reader.explained(error, oldestRead(txn), options)
    }
  }

  async #sendTxn(txn: TxnMutation, options: ReadOptions): Promise<EtcdTxnResponse> {
    const isSerializable = options.consistency === 'serializable'
    return await this.#calls.make({
      repetition: isReadOnly(txn) ? 'repeatable' : 'once',
      needsLeader: !isSerializable,
      options,
      attempt: unary(methods.txn, etcdTxnRequest(txn, isSerializable)),
    })
  }

  /** The commonest transaction costs etcd less as what it is. */
  async #put(put: Put, options: CallOptions): Promise<TxnReply> {
    const { key, value, lease = 0, previous = false } = put
    const request = {
      key,
      value,
      ...(lease === 0 ? {} : { lease: lease as number }),
      ...(previous ? { prevKv: true } : {}),
    }
    const response = await this.#calls.make({
      repetition: 'once',
      options,
      attempt: unary(methods.put, request),
    })
    const { prevKv } = response
    return {
      revision: revisionOf(response),
      succeeded: true,
      replies: [previous && prevKv !== undefined ? { op: 'put', previous: prevKv } : { op: 'put' }],
    }
  }

  /** What was compacted already stays so, and the answer says how far. */
  async #compact(revision: number, options: CallOptions): Promise<number> {
    try {
      const attempt = unary(methods.compact, { revision })
      await this.#calls.make({ repetition: 'repeatable', options, attempt })
      return revision
    } catch (error) {
      if (!isAlthingError(error, 'compacted')) throw error
      return await this.#reader.oldestRevision(revision - 1, options)
    }
  }

  /** 0 where the server does not tell. */
  async #memberCount(options: CallOptions): Promise<number> {
    try {
      const attempt = unary(methods.memberList, {})
      const { members } = await this.#calls.make({
        repetition: 'read',
        needsLeader: false,
        options,
        attempt,
      })
      return members.length
    } catch (error) {
      if (isAlthingError(error, 'permission-denied')) return 0
      throw error
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError()
  }
}

type Put = Extract<Operation, { op: 'put' }>

function lonePut({ compare, then, else: otherwise }: TxnMutation): Put | undefined {
  const [only] = then
  if (then.length !== 1 || compare.length > 0 || otherwise.length > 0) return undefined
  return only?.op === 'put' && only.lease !== 'keep' ? only : undefined
}

/** The oldest revision that the transaction may read. */
function oldestRead({ then, else: otherwise }: TxnMutation): number | undefined {
  const revisions = [...then, ...otherwise].flatMap((operation) =>
    operation.op === 'range' && operation.revision !== undefined ? [operation.revision] : [],
  )
  return revisions.length === 0 ? undefined : Math.min(...revisions)
}
