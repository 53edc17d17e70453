import { AlthingError, asAlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { WatchBatch } from '../../contracts/store.ts'
import { type Connection, type Logger, maxFrameBytes } from '../../contracts/world.ts'
import { decodeCommand } from '../../models/store/codec.ts'
import type { StoreCommand } from '../../models/store/types.ts'
import { validateMutation, validateRange } from '../../models/store/validate.ts'
import {
  encodeLeaseStatuses,
  encodeRangeReply,
  decodeRangeRequest,
  encodeStoreReply,
} from '../../models/store/wire.ts'
import type { Consistency, StoreHost } from '../local/store-host.ts'
import type { Watcher } from '../local/watch-hub.ts'
import type { LeaderLink } from './leader-link.ts'
import type { NodeStatus } from './node-status.ts'
import type { OperatorCalls } from './operator-calls.ts'
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
import { partsOf } from './watch-parts.ts'
import { decodeWatchRequest } from './watch-request.ts'

export interface ClientSessionOptions {
  readonly connection: Connection
  readonly logger: Logger
  /** The copy of the group that the connection is about. Throws `unavailable` or `not-found` where this node has none. */
  host(): StoreHost
  readonly leader: LeaderLink
  readonly operators: OperatorCalls
  status(): NodeStatus
  block(peers: readonly number[]): void
  ended(): void
}

/** Bytes waiting for a client past which its watchers are set aside until it has read them. */
const watchBytesMax = 1024 * 1024
/** Bytes waiting for a client past which it is cut off: it does not read its replies. */
const queuedBytesMax = 64 * 1024 * 1024
const watchersMax = 10_000

/** One client's connection: decodes its requests, has them done here or by the leader, and sends the replies. */
export class ClientSession {
  readonly #options: ClientSessionOptions
  readonly #connection: Connection
  /** `undefined` while the watch is being set. */
  readonly #watchers = new Map<number, Watcher | undefined>()
  /** Watches set aside until the client has read what it was sent, in the order in which they will go on. */
  readonly #pausedWatches = new Set<number>()
  /** {@link queuedBytesMax}, and on top of it what a batch left to be read. */
  #deafBytes = queuedBytesMax
  #isClosed = false

  constructor(options: ClientSessionOptions) {
    this.#options = options
    this.#connection = options.connection
    this.#connection.handle({
      frame: (frame) => this.#receive(frame),
      closed: () => this.#closed(),
      drained: () => this.#resumeWatches(),
    })
  }

  get #host(): StoreHost {
    return this.#options.host()
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
    this.#pausedWatches.clear()
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
      case methods.operate:
        return this.#operate(request)
      default:
        throw new AlthingError('incompatible-peer', `this node knows no method ${request.method}`, {
          outcome: 'none',
        })
    }
  }

  #operate(request: Request): void {
    const { remoteAddress } = this.#connection
    const isForwarded = (request.flags & forwardedFlag) !== 0
    this.#options.operators.call(request.body, { name: remoteAddress, remoteAddress, isForwarded }).then(
      (answer) => this.#reply(request.id, undefined, () => answer),
      (error: unknown) => this.#fail(request.id, asAlthingError(error)),
    )
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
    if (this.#watchers.has(id)) throw invalidArgument('id', id, 'the id of no other watch of the connection')
    const watchRequest = decodeWatchRequest(request.body)
    this.#watchers.set(id, undefined)
    const sink = { push: (batch: WatchBatch) => this.#push(id, batch) }
    const isCancelled = (): boolean => this.#isClosed || !this.#watchers.has(id)
    this.#host.watch(watchRequest, sink, isCancelled, (error, watcher) => {
      if (error !== undefined || watcher === undefined) {
        this.#watchers.delete(id)
        this.#fail(id, error ?? malformed('watch'))
        return
      }
      if (isCancelled()) watcher.close()
      else this.#watchers.set(id, watcher)
    })
  }

  #cancel(body: unknown): void {
    if (typeof body !== 'number') return
    this.#watchers.get(body)?.close()
    this.#watchers.delete(body)
    this.#pausedWatches.delete(body)
  }

  #push(id: number, batch: WatchBatch): boolean {
    if (this.#isClosed || this.#cutOffWhenDeaf()) return false
    // Whole, whatever its size: a batch that is begun must be ended, and the next one waits until it has been read.
    for (const part of partsOf(batch)) this.#connection.send(encodeReply(id, replyStatus.more, part))
    this.#deafBytes = Math.max(this.#deafBytes, this.#connection.queuedBytes + queuedBytesMax)
    if (!this.#isFull) return true
    this.#pausedWatches.add(id)
    return false
  }

  get #isFull(): boolean {
    return this.#connection.queuedBytes >= watchBytesMax
  }

  /** Only as many as the connection takes: the others have their turn when it has drained again. */
  #resumeWatches(): void {
    this.#deafBytes = queuedBytesMax
    for (const id of [...this.#pausedWatches]) {
      if (this.#isFull || this.#isClosed) return
      this.#pausedWatches.delete(id)
      this.#watchers.get(id)?.resume()
    }
  }

  #reply(id: number, error: AlthingError | undefined, body: () => unknown): void {
    if (error !== undefined) {
      this.#fail(id, error)
      return
    }
    const frame = encodeReply(id, replyStatus.ok, body())
    if (frame.byteLength <= maxFrameBytes) this.#send(frame)
    else this.#fail(id, replyTooLarge(frame.byteLength))
  }

  #fail(id: number, error: AlthingError): void {
    this.#send(encodeReply(id, replyStatus.error, encodeError(error)))
  }

  #send(frame: Uint8Array): void {
    if (!this.#isClosed && !this.#cutOffWhenDeaf()) this.#connection.send(frame)
  }

  #cutOffWhenDeaf(): boolean {
    if (this.#connection.queuedBytes <= this.#deafBytes) return false
    this.#options.logger.log('warn', 'closing a client connection: it does not read its replies', {
      remote: this.#connection.remoteAddress,
    })
    this.close()
    return true
  }
}

/** The call has been carried out; only its answer cannot be given. */
function replyTooLarge(bytes: number): AlthingError {
  return new AlthingError('too-large', `the reply has ${bytes} bytes, but a frame at most ${maxFrameBytes}`, {
    outcome: 'unknown',
  })
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
