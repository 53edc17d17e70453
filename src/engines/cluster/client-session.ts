import { AlthingError, asAlthingError, invalidArgument, withOutcome } from '../../contracts/errors.ts'
import type { KeyRange, WatchBatch, WatchRequest } from '../../contracts/store.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { type Connection, type Logger, maxFrameBytes } from '../../contracts/world.ts'
import { decodeCommand, encodeCommand } from '../../models/store/codec.ts'
import type { StoreCommand, StoreMutation } from '../../models/store/types.ts'
import { isReadOnly } from '../../models/store/txn.ts'
import { validateMutation, validateRange, validateRenewals } from '../../models/store/validate.ts'
import type { Member } from '../../replication/peer-transport.ts'
import {
  encodeLeaseStatuses,
  encodeRangeReply,
  decodeRangeRequest,
  encodeStoreReply,
} from '../../models/store/wire.ts'
import { allLeases, type LeasePage, type LeasePageRequest } from '../local/lease-pages.ts'
import type { Consistency, StoreHost } from '../local/store-host.ts'
import type { Watcher } from '../local/watch-hub.ts'
import type { LeaderLink } from './leader-link.ts'
import type { NodeStatus } from './node-status.ts'
import { auditedOperation } from './audited-operation.ts'
import type { Caller, OperatorCalls } from './operator-calls.ts'
import {
  decodeRequest,
  encodeError,
  encodeMembers,
  encodeRenewal,
  encodeReply,
  encodeReplyAround,
  encodeWelcome,
  forwardedFlag,
  malformed,
  methods,
  replyStatus,
  type Request,
  type Welcome,
} from './protocol.ts'
import type { OwnedRequest, SessionAccess } from './session-access.ts'
import { encodedPartsOf } from './watch-parts.ts'
import { decodeWatchRequest } from './watch-request.ts'

export interface ClientSessionOptions {
  readonly connection: Connection
  readonly logger: Logger
  /** The copy of the group that the connection is about. Throws `unavailable` or `not-found` where this node has none. */
  host(): StoreHost
  readonly leader: LeaderLink
  readonly operators: OperatorCalls
  readonly access: SessionAccess
  status(): NodeStatus
  block(peers: readonly number[]): void
  ended(): void
}

interface SessionWatch {
  readonly range: KeyRange
  readonly ref: PrincipalRef
  /** `undefined` while the watch is being set. */
  watcher: Watcher | undefined
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
  readonly #access: SessionAccess
  readonly #watchers = new Map<number, SessionWatch>()
  /** Watches set aside until the client has read what it was sent, in the order in which they will go on. */
  readonly #pausedWatches = new Set<number>()
  /** {@link queuedBytesMax}, and on top of it what a batch left to be read. */
  #deafBytes = queuedBytesMax
  #operationsUnderWay = 0
  #isClosed = false

  constructor(options: ClientSessionOptions) {
    this.#options = options
    this.#connection = options.connection
    this.#access = options.access
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

  membersChanged(members: readonly Member[], version: number): void {
    this.#connection.send(encodeReply(0, replyStatus.members, encodeMembers(members, version)))
  }

  /** What callers may do has changed: what this one may do no more ends now. */
  accessChanged(): void {
    if (this.#isClosed) return
    // A client that can show something else will: it connects anew, and is told there what is not valid any more.
    if (!this.#access.isValid) {
      for (const id of [...this.#watchers.keys()]) this.#cancel(id)
      // The answer to what an operator has just done (switched access control on, perhaps) still has to leave.
      if (this.#operationsUnderWay === 0) this.close()
      return
    }
    for (const [id, { range, ref }] of [...this.#watchers]) {
      try {
        this.#access.authorizeRead(range, ref, 'watch')
      } catch (error) {
        this.#cancel(id)
        this.#fail(id, asAlthingError(error))
      }
    }
  }

  close(): void {
    this.#connection.close()
    this.#closed()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { watcher } of this.#watchers.values()) watcher?.close()
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
      this.#access.take(frame.byteLength)
      this.#serve(this.#access.owned(request))
    } catch (error) {
      this.#fail(request.id, asAlthingError(error))
    }
  }

  #serve(request: OwnedRequest): void {
    switch (request.method) {
      case methods.mutate:
        return this.#mutate(request)
      case methods.range:
        return this.#range(request)
      case methods.keepLeaseAlive:
        return this.#keepLeaseAlive(request)
      case methods.readTxn:
        return this.#readTxn(request)
      case methods.leases:
        return this.#leases(request)
      case methods.watch:
        return this.#watch(request)
      case methods.cancel:
        return this.#cancel(request.body)
      case methods.status:
        return this.#whenAllowed(
          request.id,
          () => this.#access.authorizeStatus(request.ref),
          () => this.#reply(request.id, undefined, () => JSON.stringify(this.#options.status())),
        )
      case methods.transferLeadership: {
        const to = memberFrom(request.body)
        return this.#operation(request, 'transfer-leadership', to, async () => {
          this.#host.group.transferLeadership(to)
          return null
        })
      }
      case methods.block: {
        const peers = membersFrom(request.body)
        return this.#operation(request, 'block', peers, async () => {
          this.#options.block(peers)
          return null
        })
      }
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

  #operate(request: OwnedRequest): void {
    const [name, argument] = Array.isArray(request.body) ? (request.body as unknown[]) : []
    if (typeof name !== 'string') throw malformed('operator call')
    this.#operation(request, name, argument, (caller) => this.#options.operators.call(request.body, caller))
  }

  #operation(
    request: OwnedRequest,
    name: string,
    argument: unknown,
    work: (caller: Caller) => Promise<unknown>,
  ): void {
    const check = (): string => this.#access.authorizeOperator(request.ref, name)
    this.#whenAllowed(request.id, check, () => this.#operateAs(check(), request, name, argument, work))
  }

  #operateAs(
    who: string,
    request: OwnedRequest,
    name: string,
    argument: unknown,
    work: (caller: Caller) => Promise<unknown>,
  ): void {
    const { remoteAddress } = this.#connection
    const caller = { name: who, remoteAddress, isForwarded: (request.flags & forwardedFlag) !== 0 }
    this.#operationsUnderWay++
    auditedOperation(this.#access.control.audit, { name, argument, caller }, () => work(caller))
      .then(
        (answer) => this.#reply(request.id, undefined, () => answer),
        (error: unknown) => this.#fail(request.id, asAlthingError(error)),
      )
      .finally(() => {
        this.#operationsUnderWay--
        this.accessChanged()
      })
  }

  #mutate(request: OwnedRequest): void {
    const { body, ref } = request
    if (!(body instanceof Uint8Array)) throw malformed('command')
    const asked = decodeCommand(body)
    const command = this.#access.clientCommand(asked, ref)
    if (isMutation(command)) validateMutation(command)
    const data = command === asked ? body : encodeCommand(command)
    const run = (): void => {
      const host = this.#host
      const check = (): void => this.#access.authorizeCommand(command, ref, host.model)
      this.#whenAllowed(request.id, check, () =>
        host.mutate(data, command, (error, reply) => {
          this.#reply(request.id, error, () => {
            // It is read after this: see `#range`.
            if (command.type === 'txn' && isReadOnly(command)) check()
            return reply === undefined ? null : encodeStoreReply(reply)
          })
        }),
      )
    }
    // What only reads is a read of any node.
    if (command.type === 'txn' && isReadOnly(command)) run()
    else this.#atLeader({ ...request, body: data }, run)
  }

  /** As `mutate` for a transaction that only reads, but from this node's own copy where that is asked for. */
  #readTxn(request: OwnedRequest): void {
    const { ref } = request
    const [bytes, consistency] = Array.isArray(request.body) ? (request.body as unknown[]) : []
    if (!(bytes instanceof Uint8Array)) throw malformed('command')
    const command = this.#access.clientCommand(decodeCommand(bytes), ref)
    if (command.type !== 'txn') throw malformed('transaction')
    validateMutation(command)
    const host = this.#host
    host.readTxn(command, consistencyFrom(consistency), (error, reply) =>
      this.#reply(request.id, error, () => {
        this.#access.authorizeCommand(command, ref, host.model)
        return reply === undefined ? null : encodeStoreReply({ ok: true, type: 'txn', reply })
      }),
    )
  }

  #range(request: OwnedRequest): void {
    const { ref } = request
    const [wire, consistency] = Array.isArray(request.body) ? (request.body as unknown[]) : []
    const asked = decodeRangeRequest(wire)
    validateRange(asked)
    const range = this.#access.clientRange(asked, ref)
    const check = (): void => this.#access.authorizeRead(range, ref, 'range')
    this.#whenAllowed(request.id, check, () =>
      this.#host.range(range, consistencyFrom(consistency), (error, reply) =>
        this.#reply(request.id, error, () => {
          // Once more by the state that was read: a right that was taken away before the read began is gone by then.
          check()
          return reply === undefined ? null : encodeRangeReply(reply)
        }),
      ),
    )
  }

  /** A page of them; all at once for a client of the previous version. */
  #leases(request: OwnedRequest): void {
    const { ref, body } = request
    const [consistency, after = 0, limit = 0] = Array.isArray(body) ? (body as unknown[]) : [body]
    if (typeof after !== 'number' || typeof limit !== 'number') throw malformed('page of leases')
    this.#whenAllowed(
      request.id,
      () => this.#access.authorizeLease(ref),
      () => this.#listLeases(request, consistencyFrom(consistency), { after, limit }),
    )
  }

  #listLeases({ id, ref, body }: OwnedRequest, consistency: Consistency, wanted: LeasePageRequest): void {
    const shown = ({ leases }: LeasePage): unknown =>
      encodeLeaseStatuses(this.#access.readableLeases(leases, ref))
    const page = (of: LeasePageRequest): Promise<LeasePage> =>
      new Promise((resolve, reject) =>
        this.#host.leases(of, consistency, (error, found) =>
          found === undefined ? reject(error) : resolve(found),
        ),
      )
    const answer = Array.isArray(body)
      ? page(wanted).then((found) => [shown(found), found.more])
      : allLeases(page).then((leases) => shown({ leases, more: false }))
    answer.then(
      (reply) => this.#reply(id, undefined, () => reply),
      (error: unknown) => this.#fail(id, asAlthingError(error)),
    )
  }

  /** One lease, or a list of them with a result each. */
  #keepLeaseAlive(request: OwnedRequest): void {
    const { body } = request
    if (!Array.isArray(body) && typeof body !== 'number') throw malformed('lease')
    const leases = Array.isArray(body) ? (body as number[]) : [body]
    validateRenewals(leases)
    const check = (): void => this.#access.authorizeLease(request.ref)
    const renew = (): void =>
      this.#host.keepLeasesAlive(leases, (error, results = []) => {
        const single = results[0]
        if (Array.isArray(body)) this.#reply(request.id, error, () => results.map(encodeRenewal))
        else if (single instanceof AlthingError) this.#fail(request.id, single)
        else this.#reply(request.id, error, () => (single === undefined ? null : encodeRenewal(single)))
      })
    this.#atLeader(request, () => this.#whenAllowed(request.id, check, renew))
  }

  /**
   * Does the work in the turn in which the check has passed. Where it does not, this node may only not have heard yet of a right that was granted: the check counts
   * once its users and rights are as new as the request.
   */
  #whenAllowed(id: number, check: () => void, work: () => void): void {
    const refusal = this.#access.rehearse(check)
    if (refusal === undefined) {
      work()
      return
    }
    this.#access.control
      .caughtUp()
      .catch(() => {
        throw refusal
      })
      .then(() => {
        check()
        work()
      })
      .catch((error: unknown) => this.#fail(id, asAlthingError(error)))
  }

  /**
   * Has the request done by the leader: here, once this node has applied all that was acknowledged before it led. Until then its users and roles may be older
   * than those by which the leader before it answered.
   */
  #atLeader(request: OwnedRequest, work: () => void): void {
    if (this.#forwards(request)) return
    const { group } = this.#host
    if (group.isLeaderReady) {
      work()
      return
    }
    group.readBarrier((error) => {
      try {
        if (error !== undefined) throw withOutcome(error, 'none')
        if (!this.#forwards(request)) work()
      } catch (cause) {
        this.#fail(request.id, asAlthingError(cause))
      }
    })
  }

  /** Hands the request to the leader when that is another node, or refuses it when none is known. */
  #forwards(request: OwnedRequest): boolean {
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
    const handler = {
      done: (error: AlthingError | undefined, body: unknown) => this.#reply(request.id, error, () => body),
    }
    this.#options.leader.forward(
      leader,
      request.method as 1,
      request.timeoutMs,
      request.body,
      handler,
      request.ref,
    )
    return true
  }

  #watch(request: OwnedRequest): void {
    const { id } = request
    if (this.#watchers.size >= watchersMax)
      throw new AlthingError('overloaded', `${watchersMax} watches on one connection`)
    if (this.#watchers.has(id)) throw invalidArgument('id', id, 'the id of no other watch of the connection')
    const asked = decodeWatchRequest(request.body)
    const watchRequest = this.#access.clientRange(asked, request.ref)
    const check = (): void => this.#access.authorizeRead(watchRequest, request.ref, 'watch')
    this.#whenAllowed(id, check, () => this.#startWatch(id, watchRequest, request.ref))
  }

  #startWatch(id: number, watchRequest: WatchRequest, ref: PrincipalRef): void {
    if (this.#isClosed || this.#watchers.has(id)) return
    const watch: SessionWatch = { range: watchRequest, ref, watcher: undefined }
    this.#watchers.set(id, watch)
    const sink = { push: (batch: WatchBatch) => this.#push(id, batch) }
    const isCancelled = (): boolean => this.#isClosed || this.#watchers.get(id) !== watch
    this.#host.watch(watchRequest, sink, isCancelled, (error, watcher) => {
      if (error !== undefined || watcher === undefined) {
        this.#watchers.delete(id)
        this.#fail(id, error ?? malformed('watch'))
        return
      }
      if (isCancelled()) watcher.close()
      else watch.watcher = watcher
    })
  }

  #cancel(body: unknown): void {
    if (typeof body !== 'number') return
    this.#watchers.get(body)?.watcher?.close()
    this.#watchers.delete(body)
    this.#pausedWatches.delete(body)
  }

  #push(id: number, batch: WatchBatch): boolean {
    if (this.#isClosed || this.#cutOffWhenDeaf()) return false
    // Whole, whatever its size: a batch that is begun must be ended, and the next one waits until it has been read.
    for (const part of encodedPartsOf(batch))
      this.#connection.send(encodeReplyAround(id, replyStatus.more, part))
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
      this.#watchers.get(id)?.watcher?.resume()
    }
  }

  #reply(id: number, error: AlthingError | undefined, body: () => unknown): void {
    if (error !== undefined) {
      this.#fail(id, error)
      return
    }
    let frame: Uint8Array
    try {
      frame = encodeReply(id, replyStatus.ok, body())
    } catch (refusal) {
      this.#fail(id, asAlthingError(refusal))
      return
    }
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

function isMutation(command: StoreCommand): command is Extract<StoreCommand, StoreMutation> {
  return 'sequence' in command
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
