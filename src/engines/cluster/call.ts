import { AlthingError, isAlthingError, withOutcome } from '../../contracts/errors.ts'
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
  /** Reads the reply. May throw what the store refused. */
  decode(body: unknown): T
  readonly options: CallOptions
  readonly timeoutMs: number
}

/** An attempt without an answer for this long is made again, elsewhere. */
const attemptTimeoutMs = 2_000
const backoffMsMin = 10
const backoffMsMax = 500

/** Failures that say something of the node, not of the call: another node may serve it. */
const nodeProblems: ReadonlySet<string> = new Set([
  'node-failed',
  'closed',
  'unavailable',
  'overloaded',
  'timeout',
])

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

  #isUnderWay = false

  start(settle: Settle<T>): void {
    this.#settle = settle
    this.#attempt()
  }

  abandon(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  #attempt(): void {
    if (this.#ended) return
    const ready = this.#pool.ready()
    if (ready !== undefined) {
      this.#send(ready)
      return
    }
    this.#pool.connect().then(
      (connection) => {
        if (!this.#ended) this.#send(connection)
      },
      (error: unknown) => this.#failed(error as AlthingError),
    )
  }

  #send(connection: RpcConnection): void {
    const { method, body } = this.#request
    const remainingMs = Math.max(1, this.#deadlineMs - this.#world.clock.monotonicMs())
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
        if (error === undefined) this.#succeeded(reply)
        else this.#failed(error, connection)
      },
    })
  }

  #succeeded(body: unknown): void {
    this.#isUnderWay = false
    if (this.#ended) return
    this.#ended = true
    try {
      this.#settle?.resolve(this.#request.decode(body))
    } catch (error) {
      this.#settle?.reject(this.#refined(error))
    }
  }

  #failed(error: AlthingError, connection?: RpcConnection): void {
    this.#isUnderWay = false
    if (this.#ended) return
    if (error.outcome !== 'none') this.#mayBeApplied = true
    if (!nodeProblems.has(error.code)) {
      this.#ended = true
      this.#settle?.reject(this.#refined(error))
      return
    }
    this.lastError = error
    const isNodeGone = error.code === 'node-failed' || error.code === 'closed'
    if (connection !== undefined && isNodeGone) this.#pool.distrust(connection)
    const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(this.#attempts++, 8))
    this.#timer = this.#world.timers.after(ceiling * (0.5 + this.#world.random.float() / 2), () =>
      this.#attempt(),
    )
  }

  /** The store's refusal is its answer to this command; only a lost session leaves open what an earlier attempt did. */
  #refined(error: unknown): unknown {
    if (!isAlthingError(error) || !this.#request.isMutation) return error
    if (error.code === 'session-expired' && this.#mayBeApplied) return withOutcome(error, 'unknown')
    return error.outcome === undefined ? withOutcome(error, 'none') : error
  }
}
