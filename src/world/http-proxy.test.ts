import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from 'node:net'
import { Agent, request as send } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createDeferred } from '../base/deferred.ts'
import { AlthingError } from '../contracts/errors.ts'
import type {
  AttemptFailure,
  HttpProxyOptions,
  HttpProxyServer,
  ProxyExchange,
  ProxyHandler,
  ProxyRequest,
  ProxyStep,
} from '../contracts/http.ts'
import { NodeHttpProxyHost } from './http-proxy.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Tries the given addresses in turn, then refuses; writes down all that it is told. */
class ScriptedHandler implements ProxyHandler {
  readonly calls: string[] = []
  readonly requests: ProxyRequest[] = []
  readonly failures: AttemptFailure[] = []
  readonly ended = createDeferred<void>()
  readonly #addresses: readonly string[]

  constructor(...addresses: string[]) {
    this.#addresses = addresses
  }

  begin(request: ProxyRequest): ProxyExchange {
    this.requests.push(request)
    let attempt = 0
    return {
      next: (): ProxyStep => {
        const address = this.#addresses[attempt++]
        this.calls.push(`next ${attempt}`)
        if (address === undefined) {
          const error = new AlthingError('unavailable', 'nobody left', { outcome: 'none' })
          return { kind: 'refuse', status: 503, error, replyHeaders: { 'retry-after': '1' } }
        }
        const requestHeaders = { 'x-forwarded-for': '9.9.9.9', 'x-secret': undefined }
        return { kind: 'forward', address, requestHeaders, replyHeaders: { 'x-althing-node': `n${attempt}` } }
      },
      failed: (failure): void => {
        this.failures.push(failure)
        this.calls.push(`failed ${failure.phase} ${failure.kind} ${failure.canReplay}`)
      },
      answered: (status): void => void this.calls.push(`answered ${status}`),
      ended: (end): void => {
        this.calls.push(`ended ${end}`)
        this.ended.resolve()
      },
    }
  }
}

async function listening(server: Server | TcpServer): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function upstream(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  return listening(createServer(listener))
}

/** Answers each connection as told, without knowing HTTP. */
async function rawUpstream(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  cleanups.push(() => sockets.forEach((socket) => socket.destroy()))
  return listening(
    createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      onConnection(socket)
    }),
  )
}

async function proxyTo(
  handler: ProxyHandler,
  options: Partial<HttpProxyOptions> = {},
): Promise<HttpProxyServer> {
  const proxy = await new NodeHttpProxyHost().listen({ address: '127.0.0.1:0', ...options }, handler)
  cleanups.push(() => proxy.close())
  return proxy
}

/** The near end of a connection: nobody listens there, and nobody else is given it, as could happen to a port that is let go. */
async function deadAddress(): Promise<string> {
  const server = createTcpServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const held = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  cleanups.push(() => {
    held.destroy()
    far.destroy()
    server.close()
  })
  return `127.0.0.1:${held.localPort}`
}

/** Sends bytes as they are; resolves with all that comes back until the other side closes. */
async function exchangeBytes(address: string, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  cleanups.push(() => socket.destroy())
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  for (const part of parts) socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
  await once(socket, 'close')
  return received
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('error', () => {})
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  response.setHeader('set-cookie', ['a=1', 'b=2'])
  request.on('end', () => response.end(Buffer.concat(chunks)))
}

const opaque = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 31) % 251))

describe('requests and replies', () => {
  test.each([0, 1, 1_000, 65_536, 65_537, 3_000_000])(
    'carries a body of %i bytes both ways',
    async (size) => {
      const handler = new ScriptedHandler(await upstream(echo))
      const proxy = await proxyTo(handler)
      const body = opaque(size)
      const reply = await send(`http://${proxy.address}/echo?x=1`, { method: 'POST', body })
      expect(Buffer.from(await reply.body.arrayBuffer()).equals(body)).toBe(true)
      expect(reply.statusCode).toBe(200)
      expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2'])
      expect(reply.headers['x-althing-node']).toBe('n1')
      await handler.ended.promise
      expect(handler.calls).toEqual(['next 1', 'answered 200', 'ended replied'])
    },
  )

  test('carries a body of unknown length', async () => {
    const proxy = await proxyTo(new ScriptedHandler(await upstream(echo)))
    const parts = Array.from({ length: 40 }, (_, i) => Buffer.alloc(10_000, i))
    const reply = await send(`http://${proxy.address}/`, {
      method: 'PUT',
      body: (async function* () {
        yield* parts
      })() as never,
    })
    expect(Buffer.from(await reply.body.arrayBuffer()).equals(Buffer.concat(parts))).toBe(true)
  })

  test('passes on the fields of the message and not those of the connection', async () => {
    let seen: IncomingMessage['headers'] = {}
    const address = await upstream((request, response) => {
      seen = request.headers
      response.writeHead(200, { 'x-kept': 'yes', 'x-althing-node': 'forged', 'proxy-authenticate': 'Basic' })
      response.end()
    })
    const proxy = await proxyTo(new ScriptedHandler(address))
    const text = await exchangeBytes(
      proxy.address,
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Authorization: s\r\n' +
        'X-Forwarded-For: 1.1.1.1\r\nX-Secret: s\r\nX-Kept: \xe9\r\n\r\n',
    )
    expect(seen).toMatchObject({ host: 'h', 'x-kept': '\xe9', 'x-forwarded-for': '9.9.9.9' })
    for (const name of ['x-mine', 'te', 'proxy-authorization', 'x-secret'])
      expect(seen).not.toHaveProperty(name)
    expect(text).toMatch(/x-kept: yes/i)
    expect(text).toMatch(/x-althing-node: n1/)
    expect(text).not.toMatch(/forged|proxy-authenticate/i)
  })

  test('carries replies that have no body, and heads of HEAD', async () => {
    const address = await upstream((request, response) => {
      if (request.url === '/304') response.writeHead(304, { etag: '"e"' }).end()
      else
        response
          .writeHead(200, { 'content-length': '12' })
          .end(request.method === 'HEAD' ? '' : 'twelve bytes')
    })
    const proxy = await proxyTo(new ScriptedHandler(address))
    const unchanged = await send(`http://${proxy.address}/304`)
    expect([unchanged.statusCode, unchanged.headers.etag, await unchanged.body.text()]).toEqual([
      304,
      '"e"',
      '',
    ])
    const head = await send(`http://${proxy.address}/`, { method: 'HEAD' })
    expect([head.headers['content-length'], await head.body.text()]).toEqual(['12', ''])
  })

  test('a reader that stops reading stops the writer', async () => {
    const total = 256 * 1024 * 1024
    let written = 0
    const address = await upstream((request, response) => {
      if (request.url === '/other') {
        response.end()
        return
      }
      const chunk = Buffer.alloc(64 * 1024)
      const write = (): void => {
        while (written < total) {
          written += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', write)
            return
          }
        }
        response.end()
      }
      write()
    })
    const proxy = await proxyTo(new ScriptedHandler(address))
    const reply = await send(`http://${proxy.address}/`)
    let before = -1
    while (written !== before) {
      before = written
      for (let i = 0; i < 20; i++) await (await send(`http://${proxy.address}/other`)).body.dump()
    }
    expect(written).toBeLessThan(64 * 1024 * 1024)
    let received = 0
    for await (const chunk of reply.body) received += (chunk as Buffer).length
    expect(received).toBe(total)
  })

  test('a body over the bound is refused, announced or not', async () => {
    const handler = new ScriptedHandler(await upstream(echo), await upstream(echo))
    const proxy = await proxyTo(handler, { requestBodyBytesMax: 100_000 })
    const announced = await send(`http://${proxy.address}/`, { method: 'POST', body: Buffer.alloc(100_001) })
    expect(announced.statusCode).toBe(413)
    expect(await announced.body.json()).toMatchObject({ error: { code: 'too-large', outcome: 'none' } })
    const chunk = 'x'.repeat(0x8000)
    const chunked = await exchangeBytes(
      proxy.address,
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n',
      ...Array.from({ length: 5 }, () => `8000\r\n${chunk}\r\n`),
    )
    expect(chunked).toMatch(/^HTTP\/1.1 413 /)
    expect(handler.calls).not.toContain('answered 200')
  })

  test('a request that waits for 100 is told to go on, or is refused', async () => {
    const proxy = await proxyTo(new ScriptedHandler(await upstream(echo)), { requestBodyBytesMax: 10 })
    const head = 'POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\n'
    expect(await exchangeBytes(proxy.address, `${head}Content-Length: 5\r\n\r\nhello`)).toMatch(
      /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK[^]*hello/,
    )
    expect(await exchangeBytes(proxy.address, `${head}Content-Length: 50\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /)
  })
})

describe('failing instances', () => {
  test('a refused connection is a failure before anything was sent, and the body goes whole to the next', async () => {
    const handler = new ScriptedHandler(await deadAddress(), await upstream(echo))
    const proxy = await proxyTo(handler)
    const reply = await send(`http://${proxy.address}/`, { method: 'POST', body: 'once' })
    expect(await reply.body.text()).toBe('once')
    expect(reply.headers['x-althing-node']).toBe('n2')
    await handler.ended.promise
    expect(handler.calls).toEqual([
      'next 1',
      'failed connect refused true',
      'next 2',
      'answered 200',
      'ended replied',
    ])
  })

  test('when the handler has no more to try, its refusal reaches the client as JSON', async () => {
    const proxy = await proxyTo(new ScriptedHandler(await deadAddress()))
    const reply = await send(`http://${proxy.address}/`)
    expect([reply.statusCode, reply.headers['retry-after']]).toEqual([503, '1'])
    expect(await reply.body.json()).toEqual({
      error: { code: 'unavailable', message: 'nobody left', retryable: true, outcome: 'none' },
    })
  })

  test('an instance that dies after the request was sent is a failure in doubt', async () => {
    const handler = new ScriptedHandler(
      await rawUpstream((socket) => socket.once('data', () => socket.destroy())),
    )
    const proxy = await proxyTo(handler)
    expect((await send(`http://${proxy.address}/`)).statusCode).toBe(503)
    expect(handler.calls).toContain('failed reply reset true')
  })

  test('a body that was too long to be held cannot be sent again', async () => {
    const handler = new ScriptedHandler(
      await rawUpstream((socket) => socket.once('data', () => socket.destroy())),
    )
    const proxy = await proxyTo(handler)
    const reply = await send(`http://${proxy.address}/`, { method: 'POST', body: Buffer.alloc(1_000_000) })
    expect(reply.statusCode).toBe(503)
    expect(handler.failures).toMatchObject([{ phase: 'reply', canReplay: false }])
  })

  test('an instance that dies inside a reply breaks the client off: never a short reply that looks whole', async () => {
    const handler = new ScriptedHandler(
      await rawUpstream((socket) =>
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', () =>
            socket.destroy(),
          )
        }),
      ),
    )
    const proxy = await proxyTo(handler)
    const reply = await send(`http://${proxy.address}/`)
    await expect(reply.body.text()).rejects.toThrow()
    await handler.ended.promise
    expect(handler.calls).toEqual(['next 1', 'answered 200', 'ended broken'])
  })

  test('no reply in time is a timeout', async () => {
    const handler = new ScriptedHandler(await rawUpstream(() => {}))
    const proxy = await proxyTo(handler, { replyTimeoutMs: 100 })
    expect((await send(`http://${proxy.address}/`)).statusCode).toBe(503)
    expect(handler.calls).toContain('failed reply timeout true')
  })

  test.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ])('a reply that is %s is a malformed one', async (_title, reply) => {
    const handler = new ScriptedHandler(
      await rawUpstream((socket) => socket.once('data', () => socket.write(reply, 'latin1'))),
    )
    const proxy = await proxyTo(handler)
    expect((await send(`http://${proxy.address}/`)).statusCode).toBe(503)
    expect(handler.failures).toMatchObject([{ phase: 'reply', kind: 'malformed' }])
  })

  test.each(['nonsense', 'a b:80', '', '127.0.0.1:99999'])(
    'an instance that gave %j as its address is skipped',
    async (bad) => {
      const handler = new ScriptedHandler(bad, await upstream(echo))
      const proxy = await proxyTo(handler)
      expect((await send(`http://${proxy.address}/`)).statusCode).toBe(200)
      expect(handler.calls[1]).toMatch(/^failed connect/)
    },
  )

  test('a client that leaves ends the request at the instance too', async () => {
    const arrived = createDeferred<void>()
    const left = createDeferred<void>()
    const address = await upstream((_request, response) => {
      response.once('close', () => left.resolve())
      arrived.resolve()
    })
    const handler = new ScriptedHandler(address)
    const proxy = await proxyTo(handler)
    const abort = new AbortController()
    const reply = send(`http://${proxy.address}/`, { signal: abort.signal })
    await arrived.promise
    abort.abort()
    await expect(reply).rejects.toThrow()
    await left.promise
    await handler.ended.promise
    expect(handler.calls).toEqual(['next 1', 'ended abandoned'])
  })
})

describe('WebSocket', () => {
  async function echoSockets(): Promise<string> {
    const server = createServer((_request, response) => response.writeHead(426).end('upgrade, please'))
    const sockets = new WebSocketServer({
      server,
      verifyClient: ({ req }: { req: IncomingMessage }) => req.url !== '/no',
    })
    sockets.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }))
    })
    return listening(server)
  }

  async function opened(proxy: HttpProxyServer, path = '/'): Promise<WebSocket> {
    const socket = new WebSocket(`ws://${proxy.address}${path}`)
    cleanups.push(() => socket.terminate())
    await once(socket, 'open')
    return socket
  }

  test('carries frames both ways, and the end', async () => {
    const handler = new ScriptedHandler(await deadAddress(), await echoSockets())
    const proxy = await proxyTo(handler)
    const socket = new WebSocket(`ws://${proxy.address}/chat`)
    const open = once(socket, 'open')
    const [reply] = (await once(socket, 'upgrade')) as [IncomingMessage]
    expect(reply.headers['x-althing-node']).toBe('n2')
    await open
    for (const message of [opaque(5), opaque(200_000)]) {
      socket.send(message)
      const [back] = (await once(socket, 'message')) as [Buffer]
      expect(back.equals(message)).toBe(true)
    }
    socket.close(1000)
    expect((await once(socket, 'close'))[0]).toBe(1000)
    await handler.ended.promise
    expect(handler.requests[0]).toMatchObject({ isUpgrade: true, target: '/chat' })
    expect(handler.calls).toEqual([
      'next 1',
      'failed connect refused true',
      'next 2',
      'answered 101',
      'ended replied',
    ])
  })

  test('an instance that says no is heard', async () => {
    const proxy = await proxyTo(new ScriptedHandler(await echoSockets()))
    const socket = new WebSocket(`ws://${proxy.address}/no`)
    const [, reply] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(reply.statusCode).toBe(401)
    reply.resume()
    await once(reply, 'end')
  })

  test('the death of the instance closes the client', async () => {
    const handler = new ScriptedHandler(
      await rawUpstream((socket) =>
        socket.once('data', () => {
          socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nbytes',
          )
          socket.once('data', () => socket.destroy())
        }),
      ),
    )
    const proxy = await proxyTo(handler)
    const text = await exchangeBytes(
      proxy.address,
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly bytes',
    )
    expect(text).toMatch(/^HTTP\/1.1 101 [^]*\r\n\r\nbytes$/)
    await handler.ended.promise
  })

  test.each([
    ['closes', ''],
    ['answers without HTTP', 'hello there\r\n\r\n'],
    ['answers without end', `HTTP/1.1 101 X\r\nA: ${'a'.repeat(20_000)}`],
    ['smuggles a line break', 'HTTP/1.1 101 X\r\nA: b\nC: d\r\n\r\n'],
  ])('an instance that %s is a failed attempt', async (_title, reply) => {
    const bad = await rawUpstream((socket) => socket.once('data', () => socket.end(reply)))
    const handler = new ScriptedHandler(bad, await echoSockets())
    const proxy = await proxyTo(handler)
    await opened(proxy)
    expect(handler.failures).toHaveLength(1)
    expect(handler.failures[0]?.phase).toBe('reply')
  })
})

describe('hostile input', () => {
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
  test.each([
    ['bytes that are no HTTP', '\x16\x03\x01\x02\x00garbage\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a negative length', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\nabcde', 400],
    ['a list of lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nabcde', 400],
    [
      'chunks inside another coding',
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a blank before the colon', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nabcde', 400],
    ['a folded field', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b: c\r\n\r\n', 400],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n', 400],
    ['an upgrade with two hosts', `GET / HTTP/1.1\r\nHost: h\r\nhost: i\r\n${upgrade}\r\n`, 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a head over its bound', `GET / HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['another server as target', 'GET http://169.254.169.254/ HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['a target without path', 'OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n', 400],
    ['a tunnel to anywhere', 'CONNECT example.org:443 HTTP/1.1\r\nHost: h\r\n\r\n', 405],
    [
      'an upgrade to something else',
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      400,
    ],
    ['an upgrade by POST', `POST / HTTP/1.1\r\nHost: h\r\n${upgrade}\r\n`, 400],
    ['an upgrade with a body', `GET / HTTP/1.1\r\nHost: h\r\n${upgrade}Content-Length: 3\r\n\r\nabc`, 400],
  ])(
    '%s gets an error and a closed connection, and nothing reaches an instance',
    async (_title, bytes, status) => {
      const handler = new ScriptedHandler(await upstream(echo))
      const proxy = await proxyTo(handler)
      const text = await exchangeBytes(proxy.address, Buffer.from(bytes, 'latin1'))
      expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(handler.calls).toEqual([])
      if (status !== 405 && !/Host/.test(bytes)) expect(text).not.toBe('')
      expect((await send(`http://${proxy.address}/`)).statusCode).toBe(200)
    },
  )

  test('garbage after a request does not end up inside its reply', async () => {
    const release = createDeferred<void>()
    const address = await upstream((_request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('01234')
      void release.promise.then(() => response.end('56789'))
    })
    const proxy = await proxyTo(new ScriptedHandler(address))
    const bytes = exchangeBytes(proxy.address, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n\x00\x01garbage\r\n\r\n')
    const text = await bytes
    release.resolve()
    expect(text).not.toMatch(/01234.*HTTP\/1.1 400/s)
  })

  test('a client that never finishes its head is cut off', async () => {
    const proxy = await proxyTo(new ScriptedHandler(), { requestTimeoutMs: 200 })
    expect(await exchangeBytes(proxy.address, 'GET / HT')).toMatch(/^HTTP\/1.1 408 /)
  })
})

describe('drain and close', () => {
  test('what is under way is finished, and nothing new is taken', async () => {
    const arrived = createDeferred<void>()
    const release = createDeferred<void>()
    const address = await upstream((_request, response) => {
      arrived.resolve()
      void release.promise.then(() => response.end('late'))
    })
    const proxy = await proxyTo(new ScriptedHandler(address))
    const reply = send(`http://${proxy.address}/`)
    reply.catch(() => {})
    await arrived.promise
    const drained = proxy.drain(30_000)
    await expect(send(`http://${proxy.address}/`, { dispatcher: new Agent() })).rejects.toThrow(
      'ECONNREFUSED',
    )
    release.resolve()
    const { headers, body } = await reply
    expect([headers.connection, await body.text()]).toEqual(['close', 'late'])
    await drained
  })

  test('what does not end in time is cut, tunnels too', async () => {
    const server = createServer()
    const sockets = new WebSocketServer({ server })
    cleanups.push(() => sockets.close())
    const handler = new ScriptedHandler(await listening(server))
    const proxy = await proxyTo(handler)
    const socket = new WebSocket(`ws://${proxy.address}/`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await proxy.drain(20)
    expect((await closed)[0]).toBe(1006)
    expect(handler.calls.at(-1)).toBe('ended replied')
  })

  test('close does not wait for a drain that is under way', async () => {
    const arrived = createDeferred<void>()
    const address = await upstream(() => arrived.resolve())
    const proxy = await proxyTo(new ScriptedHandler(address))
    const reply = send(`http://${proxy.address}/`)
    const failed = expect(reply).rejects.toThrow()
    await arrived.promise
    const drained = proxy.drain(1_000_000)
    await proxy.close()
    await drained
    await failed
  })

  test('an address that is taken is refused', async () => {
    const address = await upstream(echo)
    await expect(proxyTo(new ScriptedHandler(), { address })).rejects.toMatchObject({ code: 'unavailable' })
    await expect(proxyTo(new ScriptedHandler(), { address: 'nowhere' })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })

  test('connections to instances that are gone are closed when idle', async () => {
    const closed = createDeferred<void>()
    const server = createServer(echo)
    server.on('connection', (socket) => socket.once('close', () => closed.resolve()))
    const address = await listening(server)
    const proxy = await proxyTo(new ScriptedHandler(address))
    await (await send(`http://${proxy.address}/`)).body.dump()
    proxy.retain(new Set([address]))
    await (await send(`http://${proxy.address}/`)).body.dump()
    proxy.retain(new Set())
    await closed.promise
  })
})
