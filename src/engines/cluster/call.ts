import { AlthingError, type ErrorCode, isAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { CallOptions } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { type Settle, withDeadline } from '../local/deadline.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import type { Method } from './protocol.ts'
import type { RpcConnection } from './rpc-connection.ts'

export interface CallRequest<T> {
  readonly method: Method
  readonly body: unknown
  /** A mutating call's errors carry an outcome. Repeating it must be harmless: it carries a session stamp. */
  readonly isMutation: boolean
  /** Any node can answer from its own copy: the one that will probably be the first is asked, not the leader. */
  readonly isLocal?: boolean
  /** Reads the reply. May throw what the store refused. */
  decode(body: unknown): T
  readonly options: CallOptions
  readonly timeoutMs: number
  /** Hears of each failure after which the call is made again. */
  noticed?(error: AlthingError): void
}

/** An attempt without an answer for this long is made again, elsewhere. */
const attemptTimeoutMs = 2_000
const backoffMsMin = 10
const backoffMsMax = 500
/** A node is not believed when it asks to be left alone for longer. */
const retryAfterMsMax = 30_000

/** Failures that say something of the node, not of the call: another node, or the same one later, may serve it. */
const nodeProblems: ReadonlySet<ErrorCode> = new Set([
  'node-failed',
  'not-member',
  'closed',
  'unavailable',
  'overloaded',
  'timeout',
])
/** Of these, those after which the node serves nothing any more. */
const lastWords: ReadonlySet<ErrorCode> = new Set(['node-failed', 'not-member', 'closed'])

/**
 * Makes a call at whatever node can serve it, again and again until it succeeds, is refused, or its time is over. That is safe: reads and renewals
 * may be repeated, and a command is applied once however often it arrives (thesis section 6.3).
 */
export function callCluster<T>(world: World, pool: EndpointPool, request: CallRequest<T>): Promise<T> {
  const call = new Call(world, pool, request)
  const bound = {
    timeoutMs: request.timeoutMs,
    outcome: () => call.outcome,
    abandoned: () => call.abandon(),
    lastError: () => call.lastError,
  }
  return withDeadline<T>(world, request.options, bound, (settle) => call.start(settle))
}

class Call<T> {
  readonly #world: World
  readonly #pool: EndpointPool
  readonly #request: CallRequest<T>
  readonly #deadlineMs: number
  #settle: Settle<T> | undefined
  #attempts = 0
  #ended = false
  #isUnderWay = false
  /** Of the listener at the pool; 0: none. */
  #closeListener = 0
  /** Some attempt may have reached the store without its answer reaching us. */
  #mayBeApplied = false
  #timer: Timer | undefined
  lastError: AlthingError | undefined

  constructor(world: World, pool: EndpointPool, request: CallRequest<T>) {
    this.#world = world
    this.#pool = pool
    this.#request = request
    this.#deadlineMs = world.clock.monotonicMs() + request.timeoutMs
  }

  get outcome(): 'none' | 'unknown' | undefined {
    if (!this.#request.isMutation) return undefined
    return this.#mayBeApplied || this.#isUnderWay ? 'unknown' : 'none'
  }

  start(settle: Settle<T>): void {
    this.#settle = settle
    this.#closeListener = this.#pool.onClose(() => this.#closed())
    this.#attempt()
  }

  abandon(): void {
    this.#ended = true
    this.#timer?.cancel()
    this.#pool.offClose(this.#closeListener)
  }

  #closed(): void {
    if (this.#ended) return
    const { outcome } = this
    this.#reject(
      new AlthingError('closed', 'the store has been closed', outcome === undefined ? {} : { outcome }),
    )
  }

  #reject(error: unknown): void {
    this.abandon()
    this.#settle?.reject(error)
  }

  #attempt(): void {
    if (this.#ended) return
    const ready = this.#request.isLocal === true ? this.#pool.nearest() : this.#pool.ready()
    if (ready !== undefined) {
      this.#send(ready)
      return
    }
    this.#pool.connect().then(
      (connection) => {
        if (!this.#ended) this.#send(connection)
      },
      (error: unknown) => this.#notSent(error as AlthingError),
    )
  }

  #send(connection: RpcConnection): void {
    const { method, body, isLocal } = this.#request
    const sentMs = this.#world.clock.monotonicMs()
    const remainingMs = Math.max(1, this.#deadlineMs - sentMs)
    let id = 0
    let isAnswered = false
    this.#isUnderWay = true
    const timer = this.#world.timers.after(Math.min(attemptTimeoutMs, remainingMs), () => {
      isAnswered = true
      connection.forget(id)
      this.#pool.distrust(connection)
      this.#failed(
        new AlthingError('timeout', `${connection.address} does not answer`, { outcome: 'unknown' }),
      )
    })
    this.#timer = timer
    id = connection.request(method, remainingMs, 0, body, {
      done: (error, reply) => {
        if (isAnswered) return
        isAnswered = true
        timer.cancel()
        if (error === undefined && isLocal === true)
          this.#pool.answered(connection, this.#world.clock.monotonicMs() - sentMs)
        if (error === undefined) this.#succeeded(reply)
        else this.#failed(error, connection)
      },
    })
  }

  #succeeded(body: unknown): void {
    this.#isUnderWay = false
    if (this.#ended) return
    this.abandon()
    try {
      this.#settle?.resolve(this.#request.decode(body))
    } catch (error) {
      this.#settle?.reject(this.#refined(error))
    }
  }

  /** No node could be reached: of this attempt at least nothing will ever be applied. */
  #notSent(error: AlthingError): void {
    if (this.#ended) return
    if (error.code === 'unavailable') this.#again(error)
    else this.#reject(this.#refined(error))
  }

  #failed(error: AlthingError, connection?: RpcConnection): void {
    this.#isUnderWay = false
    if (this.#ended) return
    if (error.outcome !== 'none') this.#mayBeApplied = true
    if (!isNodeProblem(error)) {
      this.#reject(this.#refined(error))
      return
    }
    if (connection !== undefined && lastWords.has(error.code)) this.#pool.distrust(connection)
    else if (connection !== undefined && error.code === 'unavailable') this.#pool.avoid(connection)
    this.#again(error)
  }

  #again(error: AlthingError): void {
    this.lastError = error
    this.#request.noticed?.(error)
    const delayMs = this.#delayMs(error)
    if (error.code === 'overloaded' && this.#world.clock.monotonicMs() + delayMs >= this.#deadlineMs) {
      // Told to wait for longer than the caller will: better that it learns why now.
      const { outcome } = this
      this.#reject(outcome === undefined ? error : withOutcome(error, outcome))
      return
    }
    this.#timer = this.#world.timers.after(delayMs, () => this.#attempt())
  }

  /** Back-off with jitter; a node that says how long it wants to be left alone is left alone for that long, and clients do not come back all at once. */
  #delayMs(error: AlthingError): number {
    const random = this.#world.random.float()
    const asked = error.code === 'overloaded' ? error.details?.['retryAfterMs'] : undefined
    if (typeof asked === 'number' && asked > 0) return Math.min(retryAfterMsMax, asked) * (1 + random / 4)
    const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(this.#attempts++, 8))
    return ceiling * (0.5 + random / 2)
  }

  /**
   * The store's refusal is its answer to this command; only a lost session leaves open what an earlier attempt did. Where there was no earlier
   * attempt the one copy sent is the one refused.
   */
  #refined(error: unknown): unknown {
    if (!isAlthingError(error) || !this.#request.isMutation) return error
    // Two refusals come without a look at what earlier attempts did: the session is gone, or the command was kept out of the log.
    if (error.code === 'session-expired' || error.code === 'no-space')
      return withOutcome(error, this.#mayBeApplied ? 'unknown' : 'none')
    return error.outcome === undefined ? withOutcome(error, 'none') : error
  }
}

/** A full disk concerns one node, and then that node says that the call may be repeated; a full store concerns all. */
function isNodeProblem(error: AlthingError): boolean {
  return nodeProblems.has(error.code) || (error.code === 'no-space' && error.retryable)
}
