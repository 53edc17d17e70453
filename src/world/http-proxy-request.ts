import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { ExchangeEnd, ProxyExchange, ProxyStep } from '../contracts/http.ts'
import { BodyTooLargeError, RequestBody, type RequestBodyBounds } from './http-proxy-body.ts'
import { attemptFailure } from './http-proxy-failure.ts'
import { passOnHeaders, textsOf } from './http-proxy-headers.ts'
import { refuseRequest } from './http-proxy-refusal.ts'

export interface PlainRequestContext {
  readonly bounds: RequestBodyBounds
  /** The connections to an instance. Throws when the address cannot be one. */
  readonly poolOf: (address: string) => Dispatcher
  readonly isDraining: () => boolean
}

type Forward = Extract<ProxyStep, { kind: 'forward' }>

/** What `undici` reports of a request that it will not send: the client's fault, not the instance's. */
const unsendable: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
])

/** One plain request: its attempts, one after the other, and the passing on of one reply. */
export class PlainRequest {
  readonly #context: PlainRequestContext
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #exchange: ProxyExchange
  readonly #done: () => void
  #body: RequestBody | undefined
  #attempt: Attempt | undefined
  #isEnded = false

  constructor(
    context: PlainRequestContext,
    request: IncomingMessage,
    response: ServerResponse,
    exchange: ProxyExchange,
    done: () => void,
  ) {
    this.#context = context
    this.#request = request
    this.#response = response
    this.#exchange = exchange
    this.#done = done
    request.on('error', () => {})
    response.on('error', () => {})
    response.once('close', () => this.#clientLeft())
  }

  /** The body is not announced as longer than allowed. */
  get isAcceptable(): boolean {
    return RequestBody.announcedBytes(this.#request) <= this.#context.bounds.requestBodyBytesMax
  }

  async run(): Promise<void> {
    if (RequestBody.isAnnounced(this.#request)) {
      if (!this.isAcceptable) {
        this.#refuseTooLarge()
        return
      }
      this.#body = new RequestBody(this.#request, this.#context.bounds)
      try {
        await this.#body.gather()
      } catch {
        this.#clientLeft()
        return
      }
    }
    this.#step()
  }

  /** Cuts it. */
  abort(): void {
    this.#response.destroy()
  }

  #step(): void {
    if (this.#isEnded) return
    const step = this.#exchange.next()
    if (step.kind === 'refuse') this.#refuse(step.status, step.error, step.replyHeaders)
    else this.#forward(step)
  }

  #forward(step: Forward): void {
    const attempt = new Attempt(step, this)
    this.#attempt = attempt
    let pool: Dispatcher
    try {
      pool = this.#context.poolOf(step.address)
    } catch (error) {
      this.#exchange.failed(attemptFailure(error as Error, false, true))
      this.#step()
      return
    }
    try {
      pool.dispatch(
        {
          method: this.#request.method as Dispatcher.HttpMethod,
          path: this.#request.url as string,
          headers: passOnHeaders(this.#request.rawHeaders, step.requestHeaders),
          body: this.#body?.open() ?? null,
        },
        attempt,
      )
    } catch (error) {
      this.attemptFailed(attempt, error as Error)
    }
  }

  /** The head of the reply. */
  replyBegan(attempt: Attempt, status: number, rawHeaders: readonly string[], message: string): void {
    const headers = passOnHeaders(rawHeaders, attempt.step.replyHeaders)
    if (this.#context.isDraining()) headers.push('connection', 'close')
    // Throws when the head is not fit for HTTP: then nothing has been passed on, and the attempt has failed.
    this.#response.writeHead(status, message, headers)
    this.#exchange.answered(status)
  }

  /** False: the client is slower than the instance. */
  replyContinued(chunk: Buffer): boolean {
    return this.#response.write(chunk)
  }

  onceWritable(callback: () => void): void {
    this.#response.once('drain', callback)
  }

  replyEnded(): void {
    this.#response.end()
    this.#end('replied')
  }

  attemptFailed(attempt: Attempt, error: Error): void {
    if (this.#isEnded) return
    if (error instanceof BodyTooLargeError) {
      this.#refuseTooLarge()
      return
    }
    if (this.#response.headersSent) {
      this.#end('broken')
      this.#response.destroy()
      return
    }
    const code = 'code' in error ? String(error.code) : ''
    if (!attempt.wasSent && unsendable.has(code)) {
      this.#refuse(400, invalidArgument('request', error.message, 'one that can be passed on'), {})
      return
    }
    this.#exchange.failed(attemptFailure(error, attempt.wasSent, this.#body?.canReplay ?? true))
    this.#step()
  }

  #refuseTooLarge(): void {
    const max = this.#context.bounds.requestBodyBytesMax
    const error = new AlthingError('too-large', `the request's body is over ${max} bytes`, {
      outcome: 'none',
      details: { requestBodyBytesMax: max },
    })
    this.#refuse(413, error, {})
  }

  #refuse(status: number, error: AlthingError, headers: Readonly<Record<string, string>>): void {
    if (this.#response.headersSent) {
      this.#end('refused')
      this.#response.destroy()
      return
    }
    const isRead = this.#request.complete || this.#body === undefined
    this.#end('refused')
    refuseRequest(
      this.#response,
      status,
      error,
      headers,
      isRead && status !== 413 && !this.#context.isDraining(),
    )
  }

  #clientLeft(): void {
    if (this.#isEnded) return
    this.#end('abandoned')
    this.#attempt?.abort()
  }

  #end(end: ExchangeEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#exchange.ended(end)
    this.#done()
  }
}

/** What `undici` tells of one attempt. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly step: Forward
  /** `undici` has a connection and is sending: before that the instance cannot have seen anything. */
  wasSent = false
  readonly #owner: PlainRequest
  #controller: Dispatcher.DispatchController | undefined
  #isAborted = false

  constructor(step: Forward, owner: PlainRequest) {
    this.step = step
    this.#owner = owner
  }

  abort(): void {
    this.#isAborted = true
    this.#controller?.abort(new Error('the client left'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isAborted) controller.abort(new Error('the client left'))
    else this.wasSent = true
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    message = '',
  ): void {
    if (status < 200) return
    const raw = textsOf((controller.rawHeaders ?? []) as readonly (Buffer | string)[])
    this.#owner.replyBegan(this, status, raw, message)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#owner.replyContinued(chunk)) return
    controller.pause()
    this.#owner.onceWritable(() => controller.resume())
  }

  onResponseEnd(): void {
    this.#owner.replyEnded()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#owner.attemptFailed(this, error)
  }
}
