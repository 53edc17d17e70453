import {
  type AlthingError,
  asAlthingError,
  errorFromJson,
  invalidArgument,
  isAlthingError,
  withOutcome,
} from '../../contracts/errors.ts'
import type {
  CallOptions,
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
  Watch,
  WatchRequest,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { Credentials } from '../../access/access-control.ts'
import { decodeCommand, encodeCommand, encodeMutation } from '../../models/store/codec.ts'
import type { StoreMutation, StoreReply } from '../../models/store/types.ts'
import type { TxnMutation } from '../../models/store/txn.ts'
import {
  validateLease,
  validateMutation,
  validateRange,
  validateRenewals,
} from '../../models/store/validate.ts'
import {
  decodeLeaseStatuses,
  decodeRangeReply,
  encodeRangeRequest,
  decodeStoreReply,
} from '../../models/store/wire.ts'
import { defaultTimeoutMs, withDeadline } from '../local/deadline.ts'
import { CommandStore } from '../local/command-store.ts'
import { allLeases, type LeasePage } from '../local/lease-pages.ts'
import { closedError } from '../local/local-store.ts'
import { unwrapReply } from '../local/store-host.ts'
import { problemOfWatch } from '../local/watch-validation.ts'
import { callCluster } from './call.ts'
import { ClusterWatch } from './cluster-watch.ts'
import { CommandStamps } from './command-stamps.ts'
import { clusterCapabilities } from './cluster-capabilities.ts'
import { EndpointPool, type NodeSpeaker } from './endpoint-pool.ts'
import { decodeRenewals, type Hello, type Method, malformed, methods } from './protocol.ts'

export interface ClusterStoreOptions {
  /** `host:port` of one or more nodes. */
  readonly endpoints: readonly string[]
  /** The cluster's id, to be sure not to talk to another. Default: any. */
  readonly clusterId?: string
  /** The group whose store it is. Default: the cluster's own. */
  readonly group?: string
  /** What nodes are shown of who calls, where they ask for it. */
  readonly credentials?: Credentials
  /** For a node that makes calls in the name of a caller; in place of `credentials`. Its leases have no thread. */
  readonly node?: NodeSpeaker
  /** How long a call waits, when it does not say itself (default 5000). */
  readonly timeoutMs?: number
}

/**
 * {@link Store} on a cluster reached over the network. Every call is tried at whatever node can serve it until its time is over; commands carry a
 * session, so that each is applied once.
 */
export class ClusterStore extends CommandStore implements Store {
  readonly capabilities: StoreCapabilities = clusterCapabilities
  readonly renewal?: RenewalSource
  readonly #world: World
  readonly #pool: EndpointPool
  readonly #timeoutMs: number
  readonly #watches = new Set<ClusterWatch>()
  #stamps: CommandStamps | undefined
  #opening: Promise<CommandStamps> | undefined
  #openingProblem: AlthingError | undefined
  #isClosed = false

  /** `renewal` says how a thread can renew this store's leases; absent in that thread itself. */
  constructor(world: World, options: ClusterStoreOptions, renewal?: RenewalSource) {
    super()
    if (options.endpoints.length === 0) {
      throw invalidArgument('endpoints', options.endpoints, 'one or more addresses of the form host:port')
    }
    this.#world = world
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#pool = new EndpointPool({
      world,
      endpoints: options.endpoints,
      clusterId: options.clusterId ?? '',
      greeting: greetingOf(options),
      ...(options.node === undefined ? {} : { node: options.node }),
    })
    if (renewal !== undefined) this.renewal = renewal
  }

  /** Makes sure that a node can be reached. Rejects with `unavailable` when none can within the time. */
  async connect(options: CallOptions = {}): Promise<void> {
    await this.#read(
      methods.status,
      options,
      () => {},
      () => null,
    )
  }

  range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeReply> {
    return this.#read(methods.range, options, decodeRangeReply, () => {
      validateRange(request)
      return [encodeRangeRequest(request), options.consistency ?? 'linearizable']
    })
  }

  keepLeaseAlive(lease: LeaseId, options: CallOptions = {}): Promise<LeaseGrant> {
    return this.#read(methods.keepLeaseAlive, options, leaseGrantFrom, () => {
      validateLease(lease)
      return lease
    })
  }

  async keepLeasesAlive(
    leases: readonly LeaseId[],
    options: CallOptions = {},
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    return await this.#read(methods.keepLeaseAlive, options, decodeRenewals, () => {
      validateRenewals(leases)
      return leases
    })
  }

  async leases(options: ReadOptions = {}): Promise<readonly LeaseStatus[]> {
    const consistency = options.consistency ?? 'linearizable'
    try {
      return await allLeases(({ after = 0, limit = 0 }) =>
        this.#read(methods.leases, options, leasePageFrom, () => [consistency, after, limit]),
      )
    } catch (error) {
      // A node of the previous version does not know pages.
      if (!isAlthingError(error, 'corrupt')) throw error
      return await this.#read(methods.leases, options, decodeLeaseStatuses, () => consistency)
    }
  }

  watch(request: WatchRequest): Watch {
    const watch = new ClusterWatch(this.#world, this.#pool, request, () => this.#watches.delete(watch))
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
    this.#pool.close()
  }

  protected override async readSerializable(txn: TxnMutation, options: CallOptions): Promise<TxnReply> {
    const command = encodeCommand({ session: 0, sequence: 0, acknowledged: 0, ...txn })
    const reply = await this.#read(methods.readTxn, options, replyFrom, () => [command, 'serializable'])
    return unwrapReply(reply, 'txn').reply
  }

  async #read<T>(
    method: Method,
    options: ReadOptions,
    decode: (body: unknown) => T,
    body: () => unknown,
  ): Promise<T> {
    const encoded = body()
    if (this.#isClosed) throw closedError()
    const isLocal = options.consistency === 'serializable'
    return this.#call(method, encoded, false, decode, options, isLocal)
  }

  protected override async mutate(mutation: StoreMutation, options: CallOptions): Promise<StoreReply> {
    validateMutation(mutation)
    if (this.#isClosed) throw closedError('none')
    const deadlineMs = this.#world.clock.monotonicMs() + (options.timeoutMs ?? this.#timeoutMs)
    let own = mutation
    let stamps = this.#stamps
    if (stamps === undefined) {
      // What was checked is what is sent, whatever the caller does with its buffers until the session is open.
      own = ownCopy(mutation)
      stamps = await this.#sessionWithin(deadlineMs, options)
    }
    try {
      return await this.#mutateIn(stamps, own, deadlineMs, options)
    } catch (error) {
      if (!isAlthingError(error, 'session-expired')) throw error
      if (this.#stamps === stamps) this.#stamps = undefined
      if (error.outcome !== 'none') throw error
      // A session that was not used for long is evicted. The one copy of the command was refused, so it may go out in a new one.
      return this.#mutateIn(await this.#sessionWithin(deadlineMs, options), own, deadlineMs, options)
    }
  }

  async #mutateIn(
    stamps: CommandStamps,
    mutation: StoreMutation,
    deadlineMs: number,
    { signal }: CallOptions,
  ): Promise<StoreReply> {
    const stamp = stamps.take()
    try {
      // The stamp apart: a copy made by `ownCopy` brings that of no session along.
      const command = encodeMutation(mutation, stamp)
      const timeoutMs = deadlineMs - this.#world.clock.monotonicMs()
      const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal }
      return await this.#call(methods.mutate, command, true, replyFrom, options)
    } finally {
      stamps.settle(stamp)
    }
  }

  /** The opening is shared by all who wait for it; each waits no longer than it wants to. */
  #sessionWithin(deadlineMs: number, options: CallOptions): Promise<CommandStamps> {
    if (this.#stamps !== undefined) return Promise.resolve(this.#stamps)
    this.#opening ??= this.#registerSession().finally(() => (this.#opening = undefined))
    const opening = this.#opening
    const timeoutMs = deadlineMs - this.#world.clock.monotonicMs()
    const bound = { timeoutMs, outcome: () => 'none' as const, lastError: () => this.#openingProblem }
    return withDeadline(this.#world, options, bound, (settle) => {
      opening.then(settle.resolve, settle.reject)
    })
  }

  /** A session that was registered without our hearing of it does no harm: nothing of the caller's has been sent. */
  async #registerSession(): Promise<CommandStamps> {
    // Random, so that a repeated registration is recognised and no two clients share a session.
    const ownerKey = Buffer.from(this.#world.random.bytes(16)).toString('hex')
    const command = encodeCommand({ type: 'openSession', ownerKey })
    this.#openingProblem = undefined
    const reply = await callCluster(this.#world, this.#pool, {
      method: methods.mutate,
      body: command,
      isMutation: true,
      decode: replyFrom,
      options: {},
      timeoutMs: this.#timeoutMs,
      noticed: (problem) => {
        this.#openingProblem = problem
      },
    }).catch((error: unknown) => {
      throw withOutcome(asAlthingError(error), 'none')
    })
    this.#stamps = new CommandStamps(unwrapReply(reply, 'openSession').session)
    return this.#stamps
  }

  #call<T>(
    method: Method,
    body: unknown,
    isMutation: boolean,
    decode: (body: unknown) => T,
    options: CallOptions,
    isLocal = false,
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs
    const request = { method, body, isMutation, isLocal, decode, options, timeoutMs }
    return callCluster(this.#world, this.#pool, request)
  }
}

/** What a client of `options` shows to each node, besides that it is one. */
export function greetingOf({
  group,
  credentials,
}: Pick<ClusterStoreOptions, 'group' | 'credentials'>): Pick<Hello, 'group' | 'credentials'> {
  return {
    ...(group === undefined ? {} : { group }),
    ...(credentials === undefined ? {} : { credentials }),
  }
}

function ownCopy(mutation: StoreMutation): StoreMutation {
  const bytes = encodeCommand({ session: 0, sequence: 0, acknowledged: 0, ...mutation })
  return decodeCommand(bytes) as StoreMutation
}

/** A refusal of the store becomes the call's error here, so that the call can tell what it means for earlier attempts. */
function replyFrom(body: unknown): StoreReply {
  const reply = decodeStoreReply(body)
  if (!reply.ok) throw errorFromJson(reply.error)
  return reply
}

function leasePageFrom(body: unknown): LeasePage {
  if (!Array.isArray(body) || body.length !== 2 || typeof body[1] !== 'boolean')
    throw malformed('page of leases')
  return { leases: decodeLeaseStatuses(body[0]), more: body[1] }
}

function leaseGrantFrom(body: unknown): LeaseGrant {
  if (!Array.isArray(body) || typeof body[0] !== 'number' || typeof body[1] !== 'number')
    throw malformed('lease grant')
  return { lease: body[0], ttlMs: body[1] }
}
