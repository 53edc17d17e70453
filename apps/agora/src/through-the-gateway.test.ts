import { once } from 'node:events'
import { Pool, request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createGateway, type Gateway } from 'althing/traffic'
import { createNodeWorld, NodeHttpProxyHost, NodeLogger } from 'althing/world'
import { AgentPlan, Popularity } from './agent-plan.ts'
import { open } from './althing.ts'
import { Corpus } from './corpus.ts'
import { LoadAgent } from './load-agent.ts'
import { LoadReport } from './load-report.ts'
import { SeededRandom } from './seeded-random.ts'
import { WorkerServer } from './worker-server.ts'

type Althing = Awaited<ReturnType<typeof open>>

interface Worker {
  readonly id: string
  readonly server: WorkerServer
  readonly registration: Awaited<ReturnType<Althing['discovery']['register']>>
}

/** On a busy machine the default of one second is too short. */
const patient = { timeout: 20_000 }

let althing: Althing
let gateway: Gateway
let workers: Worker[]
let url: string

beforeEach(async () => {
  althing = await open('memory:')
  workers = await Promise.all(['w1', 'w2', 'w3'].map(startWorker))
  gateway = await createGateway(
    {
      world: createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') }),
      http: new NodeHttpProxyHost(),
      directory: althing.discovery,
    },
    { service: 'agora', listen: '127.0.0.1:0', routeHeaders: 'route' },
  )
  url = `http://${gateway.address}`
  await expect.poll(() => gateway.instances().length, patient).toBe(3)
})

afterEach(async () => {
  await gateway.close()
  await Promise.all(workers.map(({ server }) => server.close({ spreadMs: 0, withinMs: 0 })))
  await althing.close()
})

async function startWorker(id: string): Promise<Worker> {
  const server = await WorkerServer.start({
    store: althing.raw,
    id,
    host: '127.0.0.1',
    port: 0,
    logError: (error) => expect.unreachable(String(error)),
  })
  const address = `127.0.0.1:${server.port}`
  const registration = await althing.discovery.register({ service: 'agora', id, address })
  return { id, server, registration }
}

const tokenOf = (handle: string): string => `token-of-${handle}-0123456789`
const headersOf = (handle: string): Record<string, string> => ({
  'x-user-id': handle,
  authorization: `Bearer ${tokenOf(handle)}`,
})

async function call(
  handle: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly node: unknown; readonly json: unknown }> {
  const reply = await request(url + path, {
    method,
    headers: headersOf(handle),
    body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: reply.statusCode, node: reply.headers['x-althing-node'], json: await reply.body.json() }
}

async function join(handle: string): Promise<void> {
  expect(await call(handle, 'POST', '/agents', { handle, token: tokenOf(handle) })).toMatchObject({
    status: 201,
  })
}

interface Connected {
  readonly socket: WebSocket
  readonly node: unknown
  next(): Promise<unknown>
}

async function connect(handle: string): Promise<Connected> {
  const socket = new WebSocket(`ws://${gateway.address}/connect`, { headers: headersOf(handle) })
  const messages: unknown[] = []
  const waiting: ((message: unknown) => void)[] = []
  socket.on('message', (data) => {
    const message: unknown = JSON.parse(String(data))
    const taker = waiting.shift()
    if (taker === undefined) messages.push(message)
    else taker(message)
  })
  const opened = once(socket, 'open')
  const [reply] = (await once(socket, 'upgrade')) as [{ headers: Record<string, unknown> }]
  await opened
  const next = (): Promise<unknown> =>
    messages.length > 0 ? Promise.resolve(messages.shift()) : new Promise((resolve) => waiting.push(resolve))
  return { socket, node: reply.headers['x-althing-node'], next }
}

describe('agents behind the gateway', () => {
  test('register, follow, post, read, and hear of posts that another worker took', async () => {
    const handles = Array.from({ length: 12 }, (_, i) => `agent${i}`)
    for (const handle of handles) await join(handle)
    const nodes = new Map<string, unknown>()
    for (const handle of handles) nodes.set(handle, (await call(handle, 'GET', `/agents/${handle}`)).node)
    const reader = handles[0] as string
    const author = handles.find((handle) => nodes.get(handle) !== nodes.get(reader)) as string
    const socket = await connect(reader)
    expect(socket.node).toBe(nodes.get(reader))
    expect(await socket.next()).toMatchObject({ type: 'welcome', handle: reader, worker: socket.node })
    expect(await call(reader, 'POST', '/follows', { handle: author })).toMatchObject({ status: 200 })
    const posted = await call(author, 'POST', '/posts', { text: 'All are lunatics' })
    expect(posted).toMatchObject({ status: 201, node: nodes.get(author), json: { id: `${author}/1` } })
    expect(await socket.next()).toMatchObject({
      type: 'post',
      post: { id: `${author}/1`, text: 'All are lunatics' },
    })
    expect(await call(reader, 'GET', '/timeline')).toMatchObject({ json: { posts: [{ id: `${author}/1` }] } })
    expect(await call(reader, 'GET', `/agents/${author}`)).toMatchObject({ json: { followers: 1, posts: 1 } })
    socket.socket.send(JSON.stringify({ type: 'ping', id: 7 }))
    expect(await socket.next()).toEqual({ type: 'pong', id: 7 })
    socket.socket.terminate()
  })

  test.each<[string, 'GET' | 'POST', unknown, number, string]>([
    ['/agents', 'POST', { handle: 'Ä', token: 'x'.repeat(20) }, 400, 'invalid-argument'],
    ['/agents', 'POST', { handle: 'ok', token: 'short' }, 400, 'invalid-argument'],
    ['/agents', 'POST', '{"handle":', 400, 'invalid-argument'],
    ['/agents', 'POST', 'x'.repeat(20_000), 413, 'too-large'],
    ['/agents', 'POST', { handle: 'ada', token: 'somebody-elses-token' }, 409, 'conflict'],
    ['/posts', 'POST', { text: '  ' }, 400, 'invalid-argument'],
    ['/posts', 'POST', { text: 'x'.repeat(501) }, 400, 'invalid-argument'],
    ['/posts', 'POST', { text: 'x', admin: true }, 400, 'invalid-argument'],
    ['/follows', 'POST', { handle: 'nobody' }, 404, 'not-found'],
    ['/follows', 'POST', { handle: 'ada' }, 400, 'invalid-argument'],
    ['/timeline?limit=1000', 'GET', undefined, 400, 'invalid-argument'],
    ['/agents/nobody', 'GET', undefined, 404, 'not-found'],
    ['/agents/%00', 'GET', undefined, 400, 'invalid-argument'],
    ['/nothing', 'GET', undefined, 404, 'not-found'],
  ])('%s %s with %j is refused with %i %s', async (path, method, body, status, code) => {
    await join('ada')
    expect(await call('ada', method, path, body)).toMatchObject({ status, json: { error: { code } } })
  })

  test('nobody acts for another', async () => {
    await join('ada')
    const reply = await request(`${url}/posts`, {
      method: 'POST',
      headers: { ...headersOf('eve'), 'x-user-id': 'ada' },
      body: '{"text":"I am Ada"}',
    })
    expect(reply.statusCode).toBe(401)
    const socket = new WebSocket(`ws://${gateway.address}/connect`, { headers: headersOf('eve') })
    const [error] = (await once(socket, 'error')) as [Error]
    expect(error.message).toContain('401')
  })

  test('a socket that talks nonsense is told so, and closed when it goes on', async () => {
    await join('ada')
    const { socket, next } = await connect('ada')
    await next()
    for (let i = 0; i < 11; i++) socket.send('{"type":"attack"}')
    expect(await next()).toMatchObject({ type: 'error', error: { code: 'invalid-argument' } })
    expect((await once(socket, 'close'))[0]).toBe(1008)
  })
})

describe('workers that come and go', () => {
  test('a worker that drains closes its sockets with 1001, and they come back elsewhere; no request fails', async () => {
    const handles = Array.from({ length: 20 }, (_, i) => `agent${i}`)
    for (const handle of handles) await join(handle)
    const sockets = new Map<string, Connected>()
    for (const handle of handles) sockets.set(handle, await connect(handle))
    const leaving = workers[0] as Worker
    const affected = handles.filter((handle) => sockets.get(handle)?.node === leaving.id)
    expect(affected.length).toBeGreaterThan(0)
    const closes = affected.map((handle) => once((sockets.get(handle) as Connected).socket, 'close'))
    await leaving.registration.drain()
    await expect
      .poll(() => gateway.instances().find(({ id }) => id === leaving.id)?.state, patient)
      .toBe('draining')
    leaving.server.beginDrain()
    const statuses: number[] = []
    const closing = leaving.server.close({ spreadMs: 0, withinMs: 5_000 })
    for (const handle of handles)
      statuses.push((await call(handle, 'POST', '/posts', { text: 'still here' })).status)
    await closing
    expect(new Set(statuses)).toEqual(new Set([201]))
    for (const [code] of await Promise.all(closes)) expect(code).toBe(1001)
    for (const handle of handles) {
      const before = sockets.get(handle) as Connected
      if (affected.includes(handle)) expect((await connect(handle)).node).not.toBe(leaving.id)
      else expect(before.socket.readyState).toBe(WebSocket.OPEN)
      before.socket.terminate()
    }
    await leaving.registration.deregister()
    await expect.poll(() => gateway.instances().length, patient).toBe(2)
  })

  test('a worker that dies without a word moves only its own agents, whose next request succeeds', async () => {
    const handles = Array.from({ length: 30 }, (_, i) => `agent${i}`)
    for (const handle of handles) await join(handle)
    const home = new Map<string, unknown>()
    for (const handle of handles) home.set(handle, (await call(handle, 'GET', '/timeline')).node)
    const dead = workers[1] as Worker
    await dead.server.close({ spreadMs: 0, withinMs: 0 })
    for (const handle of handles) {
      const { status, node } = await call(handle, 'POST', '/posts', { text: 'alive' })
      expect(status).toBe(201)
      if (home.get(handle) === dead.id) expect(node).not.toBe(dead.id)
      else expect(node).toBe(home.get(handle))
    }
    expect(gateway.instances().find(({ id }) => id === dead.id)).toMatchObject({ state: 'ejected' })
    expect(gateway.metrics().refusals).toEqual({})
    const moved = handles.find((handle) => home.get(handle) === dead.id) as string
    expect(gateway.why({ userId: moved })).toMatchObject({
      identity: { kind: 'user' },
      route: { reason: 'session' },
    })
  })

  test('agents of the load driver keep their sessions, and the report says so', async () => {
    const report = new LoadReport()
    const popularity = new Popularity()
    const stop = new AbortController()
    const dispatcher = new Pool(url, { connections: 8 })
    const corpus = await Corpus.load()
    const agents = Array.from({ length: 10 }, async (_, i) => {
      const random = new SeededRandom(i)
      const handle = `agent${i}`
      const plan = new AgentPlan(handle, random, popularity, { meanPauseMs: 5, followsMax: 100 })
      const signal = stop.signal
      const agent = new LoadAgent({
        handle,
        token: tokenOf(handle),
        url,
        dispatcher,
        corpus,
        random,
        plan,
        report,
        signal,
      })
      expect(await agent.register()).toBe(true)
      popularity.joined(handle)
      await agent.run()
    })
    await expect
      .poll(() => report.summary({ agents: 10, connected: 0, seconds: 1 }).sessionRequests, patient)
      .toBeGreaterThan(200)
    await expect.poll(() => report.pushed, patient).toBeGreaterThan(0)
    stop.abort()
    await Promise.all(agents)
    await dispatcher.close()
    const summary = report.summary({ agents: 10, connected: 0, seconds: 1 })
    expect(summary.errors).toEqual({})
    expect(summary.sessionsKept).toBe(1)
    expect(summary.reconnects).toBe(0)
    for (const name of ['register', 'connect', 'follow', 'post', 'read'] as const)
      expect(summary.operations[name].count).toBeGreaterThan(0)
  })
})
