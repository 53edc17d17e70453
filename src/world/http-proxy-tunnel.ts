import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ExchangeEnd, ProxyExchange, ProxyStep } from '../contracts/http.ts'
import { attemptFailure } from './http-proxy-failure.ts'
import { passOnHeaders } from './http-proxy-headers.ts'
import { refuseConnection } from './http-proxy-refusal.ts'

export interface TunnelBounds {
  readonly connectTimeoutMs: number
  readonly replyTimeoutMs: number
}

type Forward = Extract<ProxyStep, { kind: 'forward' }>

const replyHeadBytesMax = 16 * 1024
/** After one side has ended, the other has so long to follow. */
const lingerMs = 10_000
const keepAliveMs = 30_000

class TunnelError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * One WebSocket handshake and what follows it. The handshake is passed on with the client's own key, so both ends see each other's; after status 101
 * bytes are carried both ways and never looked at.
 */
export class Tunnel {
  readonly #request: IncomingMessage
  readonly #client: Duplex
  /** Bytes that the client sent after its handshake without waiting. */
  readonly #early: Buffer
  readonly #exchange: ProxyExchange
  readonly #bounds: TunnelBounds
  readonly #done: () => void
  #instance: Socket | undefined
  #isAnswered = false
  #isEnded = false

  constructor(
    request: IncomingMessage,
    client: Duplex,
    early: Buffer,
    exchange: ProxyExchange,
    bounds: TunnelBounds,
    done: () => void,
  ) {
    this.#request = request
    this.#client = client
    this.#early = early
    this.#exchange = exchange
    this.#bounds = bounds
    this.#done = done
    client.on('error', () => client.destroy())
    client.once('close', () => this.#clientClosed())
  }

  start(): void {
    const step = this.#exchange.next()
    if (step.kind === 'forward') {
      this.#connect(step)
      return
    }
    this.#end('refused')
    refuseConnection(this.#client, step.status, step.error, step.replyHeaders)
  }

  /** Cuts it. */
  abort(): void {
    this.#client.destroy()
    this.#instance?.destroy()
  }

  #connect(step: Forward): void {
    const target = parseAddress(step.address)
    if (target === undefined) {
      this.#retry(new TunnelError('UND_ERR_INVALID_ARG', `${step.address} is no host:port`), false)
      return
    }
    const instance = connect({
      ...target,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    })
    this.#instance = instance
    const timeOut = (): void => {
      instance.destroy(new TunnelError('ETIMEDOUT', 'no reply within the time given'))
    }
    let wasSent = false
    instance.setTimeout(this.#bounds.connectTimeoutMs, timeOut)
    instance.once('connect', () => {
      wasSent = true
      instance.setTimeout(this.#bounds.replyTimeoutMs)
      instance.write(this.#handshake(step), 'latin1')
    })
    let failure: Error | undefined
    instance.on('error', (error) => {
      failure = error
    })
    instance.once('close', () => {
      if (instance !== this.#instance || this.#isEnded) return
      const error = failure ?? new TunnelError('ECONNRESET', 'closed before the handshake was answered')
      if (this.#isAnswered) this.#end('replied')
      else this.#retry(error, wasSent)
    })
    this.#awaitHead(instance, step)
  }

  #handshake(step: Forward): string {
    const kept = passOnHeaders(this.#request.rawHeaders, step.requestHeaders)
    let text = `${this.#request.method} ${this.#request.url} HTTP/1.1\r\n`
    for (let i = 0; i < kept.length; i += 2) text += `${kept[i]}: ${kept[i + 1]}\r\n`
    return `${text}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  }

  /** Reads until the end of the reply's head. */
  #awaitHead(instance: Socket, step: Forward): void {
    let received: Buffer = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const end = received.indexOf('\r\n\r\n')
      if (end < 0 && received.length <= replyHeadBytesMax) return
      instance.off('data', onData)
      instance.pause()
      const head =
        end < 0 || end > replyHeadBytesMax ? undefined : parseHead(received.toString('latin1', 0, end))
      if (head === undefined)
        instance.destroy(new TunnelError('HPE_INVALID', 'the reply to the handshake is not HTTP/1.1'))
      else this.#answer(instance, step, head, received.subarray(end + 4))
    }
    instance.on('data', onData)
  }

  #answer(instance: Socket, step: Forward, head: ReplyHead, rest: Buffer): void {
    this.#isAnswered = true
    instance.setTimeout(0)
    this.#exchange.answered(head.status)
    const isOpen = head.status === 101
    this.#client.write(renderHead(head, step.replyHeaders, isOpen), 'latin1')
    if (rest.length > 0) this.#client.write(rest)
    if (isOpen) {
      if (this.#early.length > 0) instance.write(this.#early)
      this.#client.pipe(instance)
    }
    instance.pipe(this.#client)
    this.#lingerAfter(instance, this.#client)
    this.#lingerAfter(this.#client, instance)
  }

  #lingerAfter(one: Duplex, other: Duplex): void {
    one.once('end', () => {
      const timer = setTimeout(() => other.destroy(), lingerMs)
      timer.unref()
      other.once('close', () => clearTimeout(timer))
    })
    one.once('close', () => {
      // What was received before is still written; after an error there is nothing more to come.
      if (!one.readableEnded) other.destroy()
    })
  }

  #retry(error: Error, wasSent: boolean): void {
    this.#instance = undefined
    this.#exchange.failed(attemptFailure(error, wasSent, true))
    this.start()
  }

  #clientClosed(): void {
    const wasAnswered = this.#isAnswered
    this.#end(wasAnswered ? 'replied' : 'abandoned')
    if (!wasAnswered) this.#instance?.destroy()
  }

  #end(end: ExchangeEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#exchange.ended(end)
    this.#done()
  }
}

interface ReplyHead {
  readonly status: number
  readonly message: string
  readonly rawHeaders: readonly string[]
}

/** `undefined` when `text` is not the head of an HTTP/1.1 reply. */
function parseHead(text: string): ReplyHead | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(first)
  if (status === null) return undefined
  const rawHeaders: string[] = []
  for (const line of lines) {
    const field = /^([!#$%&'*+\-.^_`|~0-9a-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/i.exec(line)
    if (field === null) return undefined
    rawHeaders.push(field[1] as string, (field[2] as string).trimEnd())
  }
  return { status: Number(status[1]), message: status[2] ?? '', rawHeaders }
}

function renderHead(head: ReplyHead, overrides: Readonly<Record<string, string>>, isOpen: boolean): string {
  const fields = passOnHeaders(head.rawHeaders, overrides)
  let text = `HTTP/1.1 ${head.status} ${head.message}\r\n`
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  if (isOpen) return `${text}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
  // The body ends with the connection, in the coding that the instance chose.
  const coding = head.rawHeaders.findIndex((name, i) => i % 2 === 0 && /^transfer-encoding$/i.test(name))
  if (coding >= 0) text += `Transfer-Encoding: ${head.rawHeaders[coding + 1]}\r\n`
  return `${text}Connection: close\r\n\r\n`
}

function parseAddress(address: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/i.exec(address)
  const port = Number(match?.[3])
  if (match === null || port < 1 || port > 65_535) return undefined
  return { host: (match[1] ?? match[2]) as string, port }
}
