import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { createDeferred } from '../base/deferred.ts'
import { NodeHttpProxyHost } from '../world/http-proxy.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { createGateway, type Gateway, type GatewayOptions } from './gateway.ts'
import { GivenLiveSet, instanceOf } from './given-live-set.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function instanceServer(listener: RequestListener): Promise<{ server: Server; address: string }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** A gateway before one server for each listener, named a, b, c... */
async function gatewayBefore(
  listeners: readonly RequestListener[],
  options: Partial<GatewayOptions> = {},
): Promise<{ gateway: Gateway; liveSet: GivenLiveSet; servers: readonly Server[]; url: string }> {
  const liveSet = new GivenLiveSet()
  const started = await Promise.all(listeners.map(instanceServer))
  liveSet.set(started.map(({ address }, i) => instanceOf('abc'[i] as string, { address })))
  const gateway = await createGateway(
    {
      world: createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') }),
      http: new NodeHttpProxyHost(),
      directory: { watch: () => liveSet },
    },
    { service: 'agora', listen: '127.0.0.1:0', ...options },
  )
  cleanups.push(() => gateway.close())
  return { gateway, liveSet, servers: started.map(({ server }) => server), url: `http://${gateway.address}` }
}

const ok: RequestListener = (_request, response) => void response.end('ok')
const dies: RequestListener = (incoming) => void incoming.socket.destroy()

interface Seen {
  readonly status: number
  readonly node: unknown
  readonly headers: Record<string, unknown>
  readonly body: unknown
}

async function send(
  url: string,
  method: 'GET' | 'POST',
  headers: Record<string, string> = {},
): Promise<Seen> {
  const reply = await request(url, { method, headers, body: method === 'POST' ? 'x' : null })
  const text = await reply.body.text()
  const body: unknown = text.startsWith('{') ? JSON.parse(text) : text
  return { status: reply.statusCode, node: reply.headers['x-althing-node'], headers: reply.headers, body }
}

describe('retries', () => {
  test('a read is tried again elsewhere when its instance breaks off; the session stays where it was', async () => {
    let failures = 0
    const flaky: RequestListener = (incoming, response) =>
      ++failures === 1 ? dies(incoming, response) : ok(incoming, response)
    const { gateway, url } = await gatewayBefore([flaky, flaky])
    const first = await send(url, 'GET', { 'x-user-id': 'u' })
    const home = gateway.recentRoutes()[0]?.attempts[0]?.instanceId
    expect(first).toMatchObject({ status: 200 })
    expect(first.node).not.toBe(home)
    expect(gateway.recentRoutes()[0]?.attempts).toMatchObject([
      { reason: 'balanced', failure: expect.stringContaining('reply: reset') as string },
      { instanceId: first.node, reason: 'retry' },
    ])
    expect((await send(url, 'GET', { 'x-user-id': 'u' })).node).toBe(home)
  })

  test('a write that may have been done is not tried again, and the client is told that it may', async () => {
    let arrived = 0
    const counting: RequestListener = (incoming, response) => {
      arrived += 1
      dies(incoming, response)
    }
    const { gateway, url } = await gatewayBefore([counting, counting])
    const reply = await send(url, 'POST')
    expect(reply).toMatchObject({
      status: 502,
      body: { error: { code: 'unavailable', outcome: 'unknown', retryable: false } },
    })
    expect(arrived).toBe(1)
    expect(gateway.metrics()).toMatchObject({
      retries: 0,
      failures: { reset: 1 },
      refusals: { unavailable: 1 },
    })
  })

  test('a write whose instance could not be reached is tried elsewhere, and moves the session for good', async () => {
    const { gateway, servers, url } = await gatewayBefore([ok, ok, ok])
    const { node } = await send(url, 'POST', { 'x-user-id': 'u' })
    const dead = servers['abc'.indexOf(node as string)] as Server
    dead.closeAllConnections()
    dead.close()
    await once(dead, 'close')
    const next = await send(url, 'POST', { 'x-user-id': 'u' })
    expect(next.status).toBe(200)
    expect(next.node).not.toBe(node)
    expect((await send(url, 'POST', { 'x-user-id': 'u' })).node).toBe(next.node)
    expect(gateway.instances().find(({ id }) => id === node)).toMatchObject({ state: 'ejected' })
    expect(gateway.metrics()).toMatchObject({ ejections: 1, retries: 1, moves: { failed: 1 } })
  })

  test('retries stop when the budget is spent', async () => {
    const { gateway, url } = await gatewayBefore([dies, dies, dies], {
      retryRatio: 0,
      retriesPerSecondMin: 0,
    })
    expect((await send(url, 'GET')).status).toBe(502)
    expect(gateway.metrics()).toMatchObject({ retries: 0, retriesDenied: 1 })
  })

  test('no reply in time is told as such and not waited for again', async () => {
    const never: RequestListener = () => {}
    const { gateway, url } = await gatewayBefore([never, never], { limits: { replyTimeoutMs: 100 } })
    expect(await send(url, 'GET')).toMatchObject({ status: 504, body: { error: { code: 'timeout' } } })
    expect(gateway.metrics()).toMatchObject({ retries: 0, failures: { timeout: 1 } })
  })
})

describe('refusals', () => {
  test('without an instance: 503, and it serves as soon as there is one', async () => {
    const { liveSet, url } = await gatewayBefore([ok])
    const instances = liveSet.current.instances
    liveSet.set([])
    expect(await send(url, 'GET')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: {
        error: { code: 'unavailable', message: 'no instance of agora is registered', outcome: 'none' },
      },
    })
    liveSet.set(instances.map((instance) => ({ ...instance, state: 'draining' })))
    expect(await send(url, 'GET')).toMatchObject({ status: 503 })
    liveSet.set(instances)
    expect(await send(url, 'GET')).toMatchObject({ status: 200 })
  })

  test('past the bound of requests under way: 503, at once, while the others are served', async () => {
    const release = createDeferred<void>()
    const arrived = createDeferred<void>()
    const slow: RequestListener = (_request, response) => {
      arrived.resolve()
      void release.promise.then(() => response.end('slow'))
    }
    const { gateway, url } = await gatewayBefore([slow], { requestsMax: 1 })
    const first = send(url, 'GET')
    await arrived.promise
    expect(await send(url, 'GET')).toMatchObject({ status: 503, body: { error: { code: 'overloaded' } } })
    expect(gateway.metrics().requestsOpen).toBe(1)
    release.resolve()
    expect(await first).toMatchObject({ status: 200, body: 'slow' })
    expect(await send(url, 'GET')).toMatchObject({ status: 200 })
    expect(gateway.metrics()).toMatchObject({ requestsOpen: 0, requests: 3, replies: { '2xx': 2 } })
  })
})

describe('what is told', () => {
  test('the instance learns who called, and a client cannot invent it', async () => {
    let seen: IncomingMessage['headers'] = {}
    const looking: RequestListener = (incoming, response) => {
      seen = incoming.headers
      response.end()
    }
    const { url } = await gatewayBefore([looking])
    const claims = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', forwarded: 'for=6.6.6.6' }
    await send(url, 'GET', { ...claims, 'x-althing-node': 'forged' })
    expect(seen).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' })
    expect(seen).not.toHaveProperty('forwarded')
    expect(seen).not.toHaveProperty('x-althing-node')
    const trusting = await gatewayBefore([looking], { trustedProxies: ['127.0.0.0/8'] })
    await send(trusting.url, 'GET', claims)
    expect(seen).toMatchObject({ 'x-forwarded-for': '6.6.6.6, 127.0.0.1', 'x-forwarded-proto': 'https' })
    expect(trusting.gateway.recentRoutes()[0]?.client).toBe('address:6.6.6.6')
  })

  test('the route and its reason, in the reply, in the list and on request', async () => {
    const { gateway, url, liveSet } = await gatewayBefore([ok, ok], { routeHeaders: 'route' })
    const first = await send(`${url}/path?secret=1`, 'GET', { 'x-device-id': 'd' })
    expect(first.headers['x-althing-route']).toBe(
      'identity=device; balancer=consistent-hash; reason=balanced; attempt=1',
    )
    expect(gateway.why({ deviceId: 'd' })).toMatchObject({
      identity: { key: 'device:d' },
      route: { reason: 'session', instance: { id: first.node } },
    })
    liveSet.set(liveSet.current.instances.filter(({ id }) => id !== first.node))
    expect(gateway.why({ deviceId: 'd' })).toMatchObject({ route: { reason: 'moved' } })
    const moved = await send(url, 'GET', { 'x-device-id': 'd' })
    expect(moved.headers['x-althing-route']).toContain(
      `reason=moved; attempt=1; from=${first.node}; cause=gone`,
    )
    expect(gateway.recentRoutes()).toMatchObject([
      { client: 'device:d', path: '/', status: 200, end: 'replied', attempts: [{ reason: 'moved' }] },
      { client: 'device:d', path: '/path', status: 200 },
    ])
  })

  test('nothing about instances when that is switched off', async () => {
    const { url } = await gatewayBefore([ok], { routeHeaders: 'none' })
    const { headers } = await send(url, 'GET')
    expect(Object.keys(headers).filter((name) => name.startsWith('x-althing'))).toEqual([])
  })
})

test('after a drain nothing is followed any more', async () => {
  const { gateway, liveSet, url } = await gatewayBefore([ok])
  await send(url, 'GET')
  await gateway.drain({ within: '5s' })
  expect(liveSet.isClosed).toBe(true)
  await expect(send(url, 'GET')).rejects.toThrow()
  await gateway.close()
})
