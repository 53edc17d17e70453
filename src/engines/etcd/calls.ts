import {
  AlthingError,
  asAlthingError,
  type ErrorCode,
  isAlthingError,
  withOutcome,
} from '../../contracts/errors.ts'
import type { CallOptions } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { defaultTimeoutMs, type Settle, withDeadline } from '../local/deadline.ts'
import { Authentication, type EtcdUser } from './authentication.ts'
import type { CallHeaders, Endpoint } from './endpoint.ts'
import type { Endpoints } from './endpoints.ts'
import { isStaleToken } from './etcd-errors.ts'
import type { Method } from './messages.ts'

/** How often a request may be sent: */
export type Repetition =
  /** As often as it takes; it changes nothing, and its errors carry no outcome. */
  | 'read'
  /** As often as it takes: sent twice it does what it does sent once. */
  | 'repeatable'
  /** Again only where it is certain that no earlier copy was or will be applied. */
  | 'once'

/** Sends a request to a member; `done` is called at most once. Returns how to give up. */
export interface Attempt<T> {
  (
    endpoint: Endpoint,
    headers: CallHeaders,
    done: (error: AlthingError | undefined, value?: T) => void,
  ): () => void
  /** Held until the call is over. */
  readonly bytes?: number
}

export interface EtcdCall<T> {
  readonly attempt: Attempt<T>
  readonly repetition: Repetition
  /** Default true. Without, a member that has lost the others answers too. */
  readonly needsLeader?: boolean
  readonly options: CallOptions
}

/** Encoded here and now: what is sent, however late and often, is what the caller's buffers hold at this moment. */
export function unary<Request, Response>(
  method: Method<Request, Response>,
  request: Request,
): Attempt<Response> {
  const data = method.encode(request)
  const encoded = { ...method, encode: () => data }
  const attempt: Attempt<Response> = (endpoint, headers, done) =>
    endpoint.unary(encoded, request, headers, done)
  return Object.assign(attempt, { bytes: data.byteLength })
}

/** Calls, and bytes of their requests, under way at a time. Past it: `overloaded`. */
const callsMax = 20_000
const bytesMax = 256 * 1024 * 1024

/** A member that says nothing for this long is asked no more, if another can be. */
const silenceMs = 2_000
const backoffMsMin = 20
const backoffMsMax = 500

/** Failures that say something of the member, not of the call. */
const memberProblems: ReadonlySet<ErrorCode> = new Set(['unavailable', 'timeout', 'overloaded'])

/** Makes calls at whatever member answers, until their time is over. */
export class EtcdCalls {
  readonly #world: World
  readonly #endpoints: Endpoints
  readonly #authentication: Authentication
  /** Of a call that does not say itself. */
  readonly timeoutMs: number
  readonly #running = new Set<{ close(): void }>()
  #bytes = 0

  constructor(
    world: World,
    endpoints: Endpoints,
    options: { readonly timeoutMs?: number | undefined; readonly user?: EtcdUser | undefined },
  ) {
    this.#world = world
    this.#endpoints = endpoints
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#authentication = new Authentication(world, options.user)
  }

  make<T>(request: EtcdCall<T>): Promise<T> {
    const { bytes = 0 } = request.attempt
    if (this.#running.size >= callsMax || this.#bytes + bytes > bytesMax) {
      return Promise.reject(overloaded(request))
    }
    const timeoutMs = request.options.timeoutMs ?? this.timeoutMs
    const call = new Call<T>(this.#world, this.#endpoints, this.#authentication, request, timeoutMs)
    const bound = {
      timeoutMs,
      outcome: () => call.outcome,
      abandoned: () => call.abandon(),
      lastError: () => call.lastError,
    }
    return withDeadline<T>(this.#world, request.options, bound, (settle) => {
      this.#running.add(call)
      this.#bytes += bytes
      call.start(settle, () => {
        if (this.#running.delete(call)) this.#bytes -= bytes
      })
    })
  }

  /** The options of calls that share the time of one. */
  sharing(options: CallOptions): () => CallOptions {
    const { clock } = this.#world
    const deadlineMs = clock.monotonicMs() + (options.timeoutMs ?? this.timeoutMs)
    return () => ({ ...options, timeoutMs: Math.max(1, deadlineMs - clock.monotonicMs()) })
  }

  /** The token to show, where the server asks who calls. */
  token(endpoint: Endpoint): Promise<string | undefined> {
    return this.#authentication.token(endpoint)
  }

  forgetToken(): void {
    this.#authentication.forget()
  }

  /** Calls under way end with `closed`. */
  close(): void {
    for (const call of this.#running) call.close()
  }
}

class Call<T> {
  readonly #world: World
  readonly #endpoints: Endpoints
  readonly #authentication: Authentication
  readonly #request: EtcdCall<T>
  readonly #deadlineMs: number
  #settle: Settle<T> | undefined
  #over: (() => void) | undefined
  #attempts = 0
  #isOver = false
  #isUnderWay = false
  /** An earlier attempt may have reached the store without its answer reaching us. */
  #mayBeApplied = false
  #cancel: (() => void) | undefined
  #timer: Timer | undefined
  #hasRenewedToken = false
  lastError: AlthingError | undefined

  constructor(
    world: World,
    endpoints: Endpoints,
    authentication: Authentication,
    request: EtcdCall<T>,
    timeoutMs: number,
  ) {
    this.#world = world
    this.#endpoints = endpoints
    this.#authentication = authentication
    this.#request = request
    this.#deadlineMs = world.clock.monotonicMs() + timeoutMs
  }

  get outcome(): 'none' | 'unknown' | undefined {
    if (this.#request.repetition === 'read') return undefined
    return this.#mayBeApplied || this.#isUnderWay ? 'unknown' : 'none'
  }

  start(settle: Settle<T>, over: () => void): void {
    this.#settle = settle
    this.#over = over
    this.#attempt()
  }

  /** The caller waits no longer. */
  abandon(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#cancel?.()
    this.#over?.()
  }

  close(): void {
    if (!this.#isOver) this.#reject(new AlthingError('closed', 'the store has been closed'))
  }

  #attempt(): void {
    if (this.#isOver) return
    const ready = this.#endpoints.ready()
    if (ready !== undefined) {
      this.#send(ready)
      return
    }
    this.lastError = this.#endpoints.unreachable()
    this.#endpoints.connect().then(
      (endpoint) => this.#send(endpoint),
      (error: unknown) => this.#notSent(asAlthingError(error)),
    )
  }

  #send(endpoint: Endpoint): void {
    if (this.#isOver) return
    if (!this.#authentication.isNeeded) {
      this.#sendAs(endpoint, undefined)
      return
    }
    this.#authentication.token(endpoint).then(
      (token) => this.#sendAs(endpoint, token),
      (error: unknown) => this.#notSent(asAlthingError(error), endpoint),
    )
  }

  #sendAs(endpoint: Endpoint, token: string | undefined): void {
    if (this.#isOver) return
    this.#isUnderWay = true
    let isDone = false
    const done = (error: AlthingError | undefined, value?: T): void => {
      if (isDone) return
      isDone = true
      silence.cancel()
      if (error === undefined) this.#succeeded(value as T)
      else this.#failed(error, endpoint)
    }
    const silence = this.#watchSilence(endpoint, done)
    this.#timer = silence
    const headers = { token, needsLeader: this.#request.needsLeader ?? true }
    this.#cancel = this.#request.attempt(endpoint, headers, done)
  }

  /**
   * A connection over which nothing has come since the request went out may be dead without a sign, and its member may stand still. What may be repeated goes
   * elsewhere; what may not waits on for its answer, but nothing else is sent there.
   */
  #watchSilence(endpoint: Endpoint, done: (error: AlthingError) => void): Timer {
    const sentMs = this.#world.clock.monotonicMs()
    return this.#world.timers.after(silenceMs, () => {
      const isSilent = endpoint.lastHeardMs < sentMs
      if (isSilent) this.#endpoints.distrust(endpoint)
      if (this.#request.repetition === 'once') return
      this.#cancel?.()
      done(new AlthingError('timeout', `etcd at ${endpoint.address} does not answer`, { outcome: 'unknown' }))
    })
  }

  #succeeded(value: T): void {
    if (this.#isOver) return
    this.#finish()
    this.#settle?.resolve(value)
  }

  /** Of this attempt at least nothing will ever be applied. */
  #notSent(error: AlthingError, endpoint?: Endpoint): void {
    if (this.#isOver) return
    if (!memberProblems.has(error.code)) {
      this.#reject(error)
      return
    }
    if (endpoint !== undefined) this.#endpoints.avoid(endpoint)
    this.#again(error)
  }

  #failed(error: AlthingError, endpoint: Endpoint): void {
    this.#isUnderWay = false
    this.#cancel = undefined
    if (this.#isOver) return
    const wasRefused = error.outcome === 'none'
    if (!wasRefused) this.#mayBeApplied = true
    if (isStaleToken(error) && !this.#hasRenewedToken) {
      this.#hasRenewedToken = true
      this.#authentication.forget()
      this.#attempt()
      return
    }
    const isOfMember = memberProblems.has(error.code)
    if (isOfMember && error.code !== 'overloaded') this.#endpoints.avoid(endpoint)
    const mayRepeat = this.#request.repetition !== 'once' || wasRefused
    if (isOfMember && mayRepeat) this.#again(error)
    else this.#reject(error)
  }

  #again(error: AlthingError): void {
    this.lastError = error
    const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(this.#attempts++, 8))
    const delayMs = ceiling * (0.5 + this.#world.random.float() / 2)
    if (this.#world.clock.monotonicMs() + delayMs >= this.#deadlineMs) return
    this.#timer = this.#world.timers.after(delayMs, () => this.#attempt())
  }

  /** A refusal is the answer to this attempt; an earlier one that may have been applied makes the outcome of the call unknown all the same. */
  #reject(error: AlthingError): void {
    const { outcome } = this
    this.#finish()
    this.#settle?.reject(outcome === undefined ? withoutOutcome(error) : withOutcome(error, outcome))
  }

  #finish(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#over?.()
  }
}

/** A read has none; what refused it was worded for calls that change something. */
function withoutOutcome(error: AlthingError): AlthingError {
  if (error.outcome === undefined || !isAlthingError(error)) return error
  const { cause, retryable, details } = error
  return new AlthingError(error.code, error.message, {
    cause,
    retryable,
    ...(details === undefined ? {} : { details }),
  })
}

function overloaded({ repetition }: EtcdCall<unknown>): AlthingError {
  return new AlthingError(
    'overloaded',
    `more than ${callsMax} calls, or ${bytesMax} bytes of their requests, wait for the servers`,
    { details: { limit: callsMax }, ...(repetition === 'read' ? {} : { outcome: 'none' as const }) },
  )
}
