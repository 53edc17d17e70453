import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import type { Agora } from './agora.ts'
import { AlthingError, isAlthingError } from './althing.ts'
import type { Audience, Listener } from './audience.ts'
import { parseForm, socketMessageForm } from './forms.ts'
import { authenticateHeaders } from './http-api.ts'
import { limits } from './limits.ts'
import type { WorkerCounters } from './worker-counters.ts'

/** Close codes of RFC 6455, 7.4.1, and 1013 of its registry. */
export const closeCodes = { goingAway: 1001, policyViolation: 1008, tryAgainLater: 1013 } as const

const heartbeatMs = 30_000
/** Messages that are not understood; past it the socket is closed. */
const badMessagesMax = 10

export interface SocketsOptions {
  readonly agora: Agora
  readonly audience: Audience
  readonly counters: WorkerCounters
  readonly workerId: string
}

/** The agents' WebSocket connections: `GET /connect`, with the same headers as a request. */
export class Sockets {
  readonly #options: SocketsOptions
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.socketMessageBytesMax,
    perMessageDeflate: false,
  })
  readonly #open = new Set<AgentSocket>()
  readonly #heartbeat: NodeJS.Timeout
  #isDraining = false

  constructor(options: SocketsOptions) {
    this.#options = options
    this.#heartbeat = setInterval(() => {
      for (const socket of this.#open) socket.checkAlive()
    }, heartbeatMs)
    this.#heartbeat.unref()
  }

  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on('error', () => stream.destroy())
    this.#accept(request, stream, head).catch((error: unknown) => refuse(stream, error))
  }

  /** Takes no more; closes those there are with 1001, one after the other within `withinMs`, so that they do not all come back at once. */
  async drain(withinMs: number): Promise<void> {
    this.#isDraining = true
    clearInterval(this.#heartbeat)
    const sockets = [...this.#open]
    for (const [i, socket] of sockets.entries()) {
      socket.close(closeCodes.goingAway, 'the worker stops; connect again')
      if (i % 50 === 49) await wait((withinMs * 50) / sockets.length)
    }
    await Promise.race([Promise.all(sockets.map((socket) => socket.closed)), wait(2_000)])
    for (const socket of this.#open) socket.terminate()
  }

  async #accept(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0]
    if (path !== '/connect')
      throw new AlthingError('not-found', 'WebSocket connections are taken at /connect')
    if (this.#isDraining) throw new AlthingError('unavailable', 'the worker stops; connect again')
    if (this.#open.size >= limits.socketsMax)
      throw new AlthingError('overloaded', `the worker is at its bound of ${limits.socketsMax} connections`)
    const { agora, audience, counters } = this.#options
    const header = (name: string): string | undefined => {
      const value = request.headers[name]
      return typeof value === 'string' ? value : undefined
    }
    const handle = await authenticateHeaders(header, agora)
    const following = await agora.following(handle)
    if (stream.destroyed) return
    this.#server.handleUpgrade(request, stream, head, (webSocket) => {
      const socket = new AgentSocket(webSocket, handle, counters)
      this.#open.add(socket)
      counters.socketsOpened += 1
      audience.set(socket, following)
      socket.send({ type: 'welcome', handle, worker: this.#options.workerId, following })
      void socket.closed.then(() => {
        this.#open.delete(socket)
        audience.remove(socket)
      })
      if (this.#isDraining) socket.close(closeCodes.goingAway, 'the worker stops; connect again')
    })
  }
}

class AgentSocket implements Listener {
  readonly handle: string
  readonly closed: Promise<void>
  readonly #socket: WebSocket
  readonly #counters: WorkerCounters
  #isAlive = true
  #badMessages = 0

  constructor(socket: WebSocket, handle: string, counters: WorkerCounters) {
    this.handle = handle
    this.#socket = socket
    this.#counters = counters
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => socket.terminate())
    socket.on('pong', () => {
      this.#isAlive = true
    })
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary))
  }

  /** A reader that has fallen too far behind is told to come back and read its timeline. */
  send(message: object): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    if (this.#socket.bufferedAmount > limits.socketQueueBytesMax) {
      this.#counters.socketsClosedAsSlow += 1
      this.close(closeCodes.tryAgainLater, 'reading too slowly')
      return
    }
    this.#socket.send(JSON.stringify(message))
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.terminate()
  }

  /** Called in turn: a peer that has not answered since the last time is gone. */
  checkAlive(): void {
    if (!this.#isAlive) {
      this.#socket.terminate()
      return
    }
    this.#isAlive = false
    this.#socket.ping()
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    try {
      if (isBinary) throw new AlthingError('invalid-argument', 'messages are JSON text')
      const message = parseForm(socketMessageForm, jsonOf((data as Buffer).toString()))
      this.send({ type: 'pong', id: message.id })
    } catch (error) {
      this.#badMessages += 1
      if (this.#badMessages > badMessagesMax) this.close(closeCodes.policyViolation, 'too many bad messages')
      else this.send({ type: 'error', error: errorOf(error).toJSON() })
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AlthingError('invalid-argument', 'the message is not JSON', { cause })
  }
}

function errorOf(error: unknown): AlthingError {
  return isAlthingError(error) ? error : new AlthingError('internal', 'the worker failed', { cause: error })
}

const statusLines: Readonly<Record<string, string>> = {
  'permission-denied': '401 Unauthorized',
  'not-found': '404 Not Found',
}

function refuse(stream: Duplex, error: unknown): void {
  const told = errorOf(error)
  const body = `${JSON.stringify({ error: told.toJSON() })}\n`
  const head = [
    `HTTP/1.1 ${statusLines[told.code] ?? '503 Service Unavailable'}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => stream.destroy())
}
