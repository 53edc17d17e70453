import { setTimeout as wait } from 'node:timers/promises'
import type { IncomingMessage } from 'node:http'
import { type Dispatcher, request } from 'undici'
import { WebSocket } from 'ws'
import type { Action, AgentPlan } from './agent-plan.ts'
import type { Corpus } from './corpus.ts'
import type { LoadReport, OperationName } from './load-report.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface LoadAgentOptions {
  readonly handle: string
  readonly token: string
  /** Of the gateway: `http://host:port`. */
  readonly url: string
  readonly dispatcher: Dispatcher
  readonly corpus: Corpus
  readonly random: SeededRandom
  readonly plan: AgentPlan
  readonly report: LoadReport
  readonly signal: AbortSignal
}

const replyTimeoutMs = 10_000
const connectTimeoutMs = 10_000
/** Between attempts to connect again, doubled each time, with half of it drawn. */
const reconnectMs = { first: 200, max: 5_000 }

/** One agent: registers, keeps one socket open, and acts by its plan until it is told to stop. */
export class LoadAgent {
  readonly #options: LoadAgentOptions
  readonly #headers: Readonly<Record<string, string>>
  #socket: WebSocket | undefined
  /** The node that the socket is on. */
  #session: string | undefined
  #posts = 0

  constructor(options: LoadAgentOptions) {
    this.#options = options
    this.#headers = { 'x-user-id': options.handle, authorization: `Bearer ${options.token}` }
  }

  /** True once registered; false when that failed until the end. */
  async register(): Promise<boolean> {
    const { handle, token, signal } = this.#options
    for (let pauseMs = 200; !signal.aborted; pauseMs = Math.min(5_000, pauseMs * 2)) {
      if ((await this.#send('register', 'POST', '/agents', { handle, token })) !== undefined) return true
      await this.#pause(pauseMs)
    }
    return false
  }

  /** Resolves when the signal has fired and the socket is closed. */
  async run(): Promise<void> {
    const connected = this.#stayConnected()
    const { plan, signal } = this.#options
    while (!signal.aborted) {
      await this.#pause(plan.pauseMs())
      if (!signal.aborted) await this.#act(plan.next())
    }
    this.#socket?.close(1000)
    await connected
  }

  async #act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'read':
        await this.#send('read', 'GET', '/timeline?limit=20')
        break
      case 'post':
        await this.#post(this.#options.corpus.post(this.#options.random))
        break
      case 'follow':
        if ((await this.#send('follow', 'POST', '/follows', { handle: action.handle })) !== undefined)
          this.#options.plan.followed(action.handle)
        break
    }
  }

  #post(text: string, replyTo?: string): Promise<unknown> {
    this.#posts += 1
    const retryKey = `${this.#options.handle}-${this.#posts}`
    return this.#send('post', 'POST', '/posts', {
      text,
      retryKey,
      ...(replyTo === undefined ? {} : { replyTo }),
    })
  }

  /** The reply's JSON, or `undefined` after an error, which has been counted. */
  async #send(
    operation: OperationName,
    method: 'GET' | 'POST',
    path: string,
    body?: object,
  ): Promise<unknown> {
    const { url, dispatcher, report, signal } = this.#options
    const begunMs = performance.now()
    try {
      const reply = await request(url + path, {
        method,
        dispatcher,
        headers:
          body === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
        headersTimeout: replyTimeoutMs,
        bodyTimeout: replyTimeoutMs,
      })
      const json = (await reply.body.json()) as { readonly error?: { readonly code?: string } }
      const node = reply.headers['x-althing-node']
      if (reply.statusCode >= 400) {
        report.failed(`${reply.statusCode} ${json.error?.code ?? ''}`.trim())
        return undefined
      }
      report.answeredBy(typeof node === 'string' ? node : undefined, this.#session)
      report.succeeded(operation, performance.now() - begunMs)
      return json
    } catch (error) {
      if (!signal.aborted) report.failed(kindOf(error))
      return undefined
    }
  }

  async #stayConnected(): Promise<void> {
    const { signal, report, random } = this.#options
    let pauseMs = reconnectMs.first
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (attempt > 0) report.reconnects += 1
      const wasOpen = await this.#connectOnce()
      if (signal.aborted) return
      pauseMs = wasOpen ? reconnectMs.first : Math.min(reconnectMs.max, pauseMs * 2)
      await this.#pause(pauseMs * (0.5 + random.float() / 2))
    }
  }

  /** Resolves when the socket is closed: true when it had been open. */
  #connectOnce(): Promise<boolean> {
    const { url, report } = this.#options
    const begunMs = performance.now()
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/connect`, {
      headers: this.#headers,
      handshakeTimeout: connectTimeoutMs,
      perMessageDeflate: false,
    })
    this.#socket = socket
    let isOpen = false
    return new Promise((resolve) => {
      socket.once('upgrade', (reply: IncomingMessage) => {
        const node = reply.headers['x-althing-node']
        this.#session = typeof node === 'string' ? node : undefined
      })
      socket.once('open', () => {
        isOpen = true
        report.connected += 1
        report.succeeded('connect', performance.now() - begunMs)
      })
      socket.on('message', (data) => this.#onMessage(String(data)))
      socket.on('error', (error) => {
        if (!isOpen && !this.#options.signal.aborted) report.failed(`connect: ${kindOf(error)}`)
      })
      socket.once('close', () => {
        if (isOpen) report.connected -= 1
        this.#session = undefined
        resolve(isOpen)
      })
    })
  }

  #onMessage(text: string): void {
    const { report, plan, corpus, random, signal } = this.#options
    const message = JSON.parse(text) as { type?: string; post?: { id: string; author: string } }
    if (message.type !== 'post' || message.post === undefined) return
    report.pushed += 1
    if (signal.aborted || !plan.answersPushed()) return
    const { id, author } = message.post
    void this.#post(corpus.reply(random, author), id)
  }

  async #pause(ms: number): Promise<void> {
    await wait(ms, undefined, { signal: this.#options.signal }).catch(() => {})
  }
}

function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const status = /^Unexpected server response: (\d{3})$/.exec(error.message)?.[1]
  if (status !== undefined) return status
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
