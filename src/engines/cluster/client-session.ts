import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { WatchBatch } from '../../contracts/store.ts'
import type { Connection, Logger } from '../../contracts/world.ts'
import { decodeCommand } from '../../models/store/codec.ts'
import type { StoreCommand } from '../../models/store/types.ts'
import { validateMutation, validateRange } from '../../models/store/validate.ts'
import {
  encodeLeaseStatuses,
  encodeRangeReply,
  decodeRangeRequest,
  encodeStoreReply,
  encodeWatchBatch,
} from '../../models/store/wire.ts'
import type { Consistency, StoreHost } from '../local/store-host.ts'
import type { Watcher } from '../local/watch-hub.ts'
import type { LeaderLink } from './leader-link.ts'
import type { NodeStatus } from './node-status.ts'
import {
  decodeRequest,
  encodeError,
  encodeReply,
  encodeWelcome,
  forwardedFlag,
  malformed,
  methods,
  replyStatus,
  type Request,
  type Welcome,
} from './protocol.ts'
import { decodeWatchRequest } from './watch-request.ts'

export interface ClientSessionOptions {
  readonly connection: Connection
  readonly logger: Logger
  readonly host: StoreHost
  readonly leader: LeaderLink
  status(): NodeStatus
  block(peers: readonly number[]): void
  ended(): void
}

/** Bytes waiting for a client past which its watchers are set aside until it has read them. */
const watchBytesMax = 1024 * 1024
/** Bytes waiting for a client past which it is cut off: it does not read its replies. */
const queuedBytesMax = 64 * 1024 * 1024
const watchersMax = 10_000
/** Key-values in one frame of a resync. */
const resyncPartBytes = 4 * 1024 * 1024

/** One client's connection: decodes its requests, has them done here or by the leader, and sends the replies. */
export class ClientSession {
  readonly #options: ClientSessionOptions
  readonly #connection: Connection
  readonly #host: StoreHost
  /** `undefined` while the watch is being set. */
  readonly #watchers = new Map<number, Watcher | undefined>()
  #isClosed = false

  constructor(options: ClientSessionOptions) {
    this.#options = options
    this.#connection = options.connection
    this.#host = options.host
    this.#connection.handle({
      frame: (frame) => this.#receive(frame),
      closed: () => this.#closed(),
      drained: () => {
        for (const watcher of this.#watchers.values()) watcher?.resume()
      },
    })
  }

  welcome(welcome: Welcome): void {
    this.#connection.send(encodeWelcome(welcome))
  }

  leaderChanged(leader: number): void {
    this.#connection.send(encodeReply(0, replyStatus.leader, leader))
  }

  close(): void {
    this.#connection.close()
    this.#closed()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const watcher of this.#watchers.values()) watcher?.close()
    this.#watchers.clear()
    this.#options.ended()
  }

  #receive(frame: Uint8Array): void {
    let request: Request
    try {
      request = decodeRequest(frame)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#options.logger.log('warn', 'closing a client connection: malformed request', {
        remote: this.#connection.remoteAddress,
        reason,
      })
      this.close()
      return
    }
    try {
      this.#serve(request)
    } catch (error) {
      this.#fail(request.id, asAlthingError(error))
    }
  }

  #serve(request: Request): void {
    switch (request.method) {
      case methods.mutate:
        return this.#mutate(request)
      case methods.range:
        return this.#range(request)
      case methods.keepLeaseAlive:
        return this.#keepLeaseAlive(request)
      case methods.leases:
        return this.#host.leases(consistencyFrom(request.body), (error, leases) =>
          this.#reply(request.id, error, () => encodeLeaseStatuses(leases ?? [])),
        )
      case methods.watch:
        return this.#watch(request)
      case methods.cancel:
        return this.#cancel(request.body)
      case methods.status:
        return this.#reply(request.id, undefined, () => JSON.stringify(this.#options.status()))
      case methods.transferLeadership:
        this.#host.group.transferLeadership(memberFrom(request.body))
        return this.#reply(request.id, undefined, () => null)
      case methods.block:
        this.#options.block(membersFrom(request.body))
        return this.#reply(request.id, undefined, () => null)
      case methods.ping:
        return this.#reply(request.id, undefined, () => null)
      default:
        throw new AlthingError('incompatible-peer', `this node knows no method ${request.method}`, {
          outcome: 'none',
        })
    }
  }

  #mutate(request: Request): void {
    const { body } = request
    if (!(body instanceof Uint8Array)) throw malformed('command')
    const command = decodeCommand(body)
    validateClientCommand(command)
    if (this.#forwards(request)) return
    this.#host.mutate(body, command, (error, reply) => {
      this.#reply(request.id, error, () => (reply === undefined ? null : encodeStoreReply(reply)))
    })
  }

  #range(request: Request): void {
    const [range, consistency] = Array.isArray(request.body) ? (request.body as unknown[]) : []
    const rangeRequest = decodeRangeRequest(range)
    validateRange(rangeRequest)
    this.#host.range(rangeRequest, consistencyFrom(consistency), (error, reply) =>
      this.#reply(request.id, error, () => (reply === undefined ? null : encodeRangeReply(reply))),
    )
  }

  #keepLeaseAlive(request: Request): void {
    if (typeof request.body !== 'number') throw malformed('lease')
    if (this.#forwards(request)) return
    this.#host.keepLeaseAlive(request.body, (error, grant) =>
      this.#reply(request.id, error, () => (grant === undefined ? null : [grant.lease, grant.ttlMs])),
    )
  }

  /** Hands the request to the leader when that is another node, or refuses it when none is known. */
  #forwards(request: Request): boolean {
    const { role, leader } = this.#host.group
    if (role === 'leader') return false
    const isForwarded = (request.flags & forwardedFlag) !== 0
    if (leader === 0 || isForwarded) {
      const problem = isForwarded
        ? 'this node leads no more'
        : 'no leader is known: a quorum of the members is needed'
      throw (
        this.#host.group.failure ??
        new AlthingError('unavailable', problem, { outcome: 'none', details: { leader } })
      )
    }
    this.#options.leader.forward(leader, request.method as 1, request.timeoutMs, request.body, {
      done: (error, body) => this.#reply(request.id, error, () => body),
    })
    return true
  }

  #watch(request: Request): void {
    const { id } = request
    if (this.#watchers.size >= watchersMax)
      throw new AlthingError('overloaded', `${watchersMax} watches on one connection`)
    const watchRequest = decodeWatchRequest(request.body)
    this.#watchers.set(id, undefined)
    const sink = { push: (batch: WatchBatch) => this.#push(id, batch) }
    const isCancelled = (): boolean => this.#isClosed || !this.#watchers.has(id)
    this.#host.watch(watchRequest, sink, isCancelled, (error, watcher) => {
      if (error !== undefined || watcher === undefined) {
        this.#watchers.delete(id)
        this.#fail(id, error ?? malformed('watch'))
      } else if (isCancelled()) watcher.close()
      else this.#watchers.set(id, watcher)
    })
  }

  #cancel(body: unknown): void {
    if (typeof body !== 'number') return
    this.#watchers.get(body)?.close()
    this.#watchers.delete(body)
  }

  #push(id: number, batch: WatchBatch): boolean {
    if (this.#isClosed) return false
    for (const part of partsOf(batch)) this.#send(encodeReply(id, replyStatus.more, part))
    return this.#connection.queuedBytes < watchBytesMax
  }

  #reply(id: number, error: AlthingError | undefined, body: () => unknown): void {
    if (error !== undefined) this.#fail(id, error)
    else this.#send(encodeReply(id, replyStatus.ok, body()))
  }

  #fail(id: number, error: AlthingError): void {
    this.#send(encodeReply(id, replyStatus.error, encodeError(error)))
  }

  #send(frame: Uint8Array): void {
    if (this.#isClosed) return
    if (this.#connection.queuedBytes > queuedBytesMax) {
      this.#options.logger.log('warn', 'closing a client connection: it does not read its replies', {
        remote: this.#connection.remoteAddress,
      })
      this.close()
      return
    }
    this.#connection.send(frame)
  }
}

/** A resync may be larger than a frame: it goes out in parts, all but the last marked as such. */
function* partsOf(batch: WatchBatch): Iterable<unknown> {
  if (batch.kind !== 'resync') {
    yield [true, encodeWatchBatch(batch)]
    return
  }
  let kvs = []
  let bytes = 0
  for (const kv of batch.kvs) {
    kvs.push(kv)
    bytes += kv.key.length + kv.value.byteLength + 64
    if (bytes < resyncPartBytes) continue
    yield [false, encodeWatchBatch({ ...batch, kvs })]
    kvs = []
    bytes = 0
  }
  yield [true, encodeWatchBatch({ ...batch, kvs })]
}

/** What a client may put into the log: everything but the expiry of leases, which is the leader's to decide. */
function validateClientCommand(command: StoreCommand): void {
  if (command.type === 'expireLeases') {
    throw new AlthingError('permission-denied', 'only the cluster itself expires leases', { outcome: 'none' })
  }
  if (command.type !== 'openSession') validateMutation(command)
}

function consistencyFrom(value: unknown): Consistency {
  if (value !== 'linearizable' && value !== 'serializable') throw malformed('consistency')
  return value
}

function memberFrom(value: unknown): number {
  if (typeof value !== 'number') throw malformed('member id')
  return value
}

function membersFrom(value: unknown): readonly number[] {
  if (!Array.isArray(value)) throw malformed('list of member ids')
  return value.map(memberFrom)
}
