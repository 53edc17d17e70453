import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createDeferred } from '../../base/deferred.ts'
import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import { NodeClient } from '../../engines/cluster/node-client.ts'
import type { Plain } from '../../engines/cluster/operator-calls.ts'
import { hasOpenssl, TestAuthority } from '../../world/certificates.test-support.ts'
import { errorAnswer } from './answers.ts'
import { CallerStores } from './caller-stores.ts'
import { HttpAccess, pageHeader } from './http-access.ts'
import { LoginSessions } from './login-sessions.ts'
import {
  type HttpTestBed,
  openHttpTestBed,
  type ServerEvent,
  serverEvents,
} from './http-test-bed.test-support.ts'

/** A node with access control on: a user `root` that may do everything, and `app`, which may do everything with keys under `app/`. */
interface Guarded extends AsyncDisposable {
  readonly bed: HttpTestBed
  readonly root: string
  readonly app: { readonly id: string; readonly token: string }
  operate(name: string, argument?: Plain): Promise<Record<string, string>>
  /** Status of the reply, and the error code in it. */
  ask(path: string, token?: string, init?: RequestInit): Promise<[number, string?]>
}

async function openGuarded(options: Parameters<typeof openHttpTestBed>[0] = {}): Promise<Guarded> {
  const bed = await openHttpTestBed(options)
  let root = ''
  const operate = async (name: string, argument: Plain = null): Promise<Record<string, string>> => {
    const credentials = root === '' ? {} : { credentials: { token: root } }
    const client = await NodeClient.open(bed.server.world, bed.server.node.address, credentials)
    try {
      return (await client.operate(name, argument)) as Record<string, string>
    } finally {
      client.close()
    }
  }
  root = (await operate('access.enable'))['token'] ?? ''
  await operate('access.role.add', { name: 'app' })
  const grant = { key: 'app/', end: 'app0', rights: ['read', 'write', 'lease'] }
  await operate('access.role.grant', { name: 'app', grant })
  await operate('access.user.add', { name: 'app', roles: ['app'], password: 'open sesame' })
  const app = (await operate('access.token.create', { user: 'app' })) as { id: string; token: string }
  return {
    bed,
    root,
    app,
    operate,
    ask: async (path, token, init = {}) => {
      const headers = new Headers(init.headers)
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
      const reply = await bed.fetch(path, { ...init, headers })
      const text = await reply.text()
      if (reply.ok) return [reply.status]
      return [reply.status, errorAnswer.parse(JSON.parse(text)).error.code]
    },
    [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose](),
  }
}

const put = (body: string): RequestInit => ({ method: 'PUT', body })
const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

describe('the HTTP API with access control on', () => {
  test('is closed to who has not signed in, but for whether the node lives and is ready', async () => {
    await using guarded = await openGuarded()
    const { ask, bed } = guarded
    expect(await ask('/health')).toEqual([200])
    expect(await ask('/ready')).toEqual([200])
    const data = [
      'kv',
      'kv/a',
      'kv?consistency=serializable',
      'leases',
      'locks',
      'semaphores',
      'elections',
      'cron',
      'cron/a/history',
      'services',
      'watch?key=a',
    ]
    const others = ['status', 'cluster', 'live', 'gateway', 'local', 'local/processes', 'login']
    for (const path of [...data, ...others].map((each) => `/api/v1/${each}`))
      expect([path, ...(await ask(path))]).toEqual([path, 401, 'unauthenticated'])
    expect(await ask('/metrics')).toEqual([401, 'unauthenticated'])
    expect(await ask('/api/v1/kv/a', undefined, put('v'))).toEqual([401, 'unauthenticated'])
    const reply = await bed.fetch('/api/v1/kv', { headers: { authorization: 'Bearer alt_nothing' } })
    expect(reply.status).toBe(401)
    expect(reply.headers.get('www-authenticate')).toContain('Bearer')
    expect((await bed.fetch('/api/v1/kv', { headers: { authorization: 'Digest x' } })).status).toBe(401)
  })

  test('takes a token, or a user with a password', async () => {
    await using guarded = await openGuarded()
    const { ask, app, bed } = guarded
    expect(await ask('/api/v1/kv/app/1', app.token, put('v'))).toEqual([200])
    const status = async (headers: Record<string, string>) =>
      (await bed.fetch('/api/v1/kv/app/1', { headers })).status
    expect(await status(basic('app', 'open sesame'))).toBe(200)
    expect(await status(basic('app', 'open barley'))).toBe(401)
    expect(await status(basic('nobody', 'open sesame'))).toBe(401)
    expect(await bed.json('/api/v1/login', { headers: basic('app', 'open sesame') })).toEqual({
      user: 'app',
      accessControl: true,
    })
  })

  test('gives each caller its own keys, whichever way it asks for them', async () => {
    await using guarded = await openGuarded()
    const { ask, app, root } = guarded
    expect(await ask('/api/v1/kv/other/1', root, put('v'))).toEqual([200])
    const txn = (key: string): RequestInit => ({
      method: 'POST',
      body: JSON.stringify({ then: [{ op: 'put', key, value: 'v' }] }),
    })
    const lease: RequestInit = { method: 'POST', body: JSON.stringify({ ttl: '60s' }) }
    expect(await ask('/api/v1/kv/app/1', app.token, put('v'))).toEqual([200])
    expect(await ask('/api/v1/txn', app.token, txn('app/2'))).toEqual([200])
    expect(await ask('/api/v1/kv?prefix=app/', app.token)).toEqual([200])
    expect(await ask('/api/v1/kv?prefix=app/&consistency=serializable', app.token)).toEqual([200])
    expect(await ask('/api/v1/leases', app.token, lease)).toEqual([200])
    expect(await ask('/api/v1/status', app.token)).toEqual([200])
    const refused = [403, 'permission-denied']
    expect(await ask('/api/v1/kv/other/1', app.token, put('w'))).toEqual(refused)
    expect(await ask('/api/v1/kv/other/1', app.token)).toEqual(refused)
    expect(await ask('/api/v1/kv?prefix=other/', app.token)).toEqual(refused)
    expect(await ask('/api/v1/kv', app.token)).toEqual(refused)
    expect(await ask('/api/v1/kv?consistency=serializable', app.token)).toEqual(refused)
    expect(await ask('/api/v1/txn', app.token, txn('other/2'))).toEqual(refused)
    expect(await ask('/api/v1/cron', app.token)).toEqual(refused)
    expect(await ask('/api/v1/cron', root)).toEqual([200])
    for (const order of ['resume', 'run'])
      expect(await ask(`/api/v1/cron/a/${order}`, app.token, { method: 'POST' })).toEqual(refused)
    expect(await ask('/api/v1/cron/a', app.token, { method: 'DELETE' })).toEqual(refused)
    expect(await ask('/api/v1/live', app.token)).toEqual(refused)
    expect(await ask('/api/v1/local/processes/node-1/kill', app.token, { method: 'POST' })).toEqual(refused)
    const watched = await collect(`${guarded.bed.base}/api/v1/watch?prefix=other/`, app.token, () => {})
    expect(watched.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'permission-denied' } } })
  })

  test('writes down who was refused, and what operators have done', async () => {
    await using guarded = await openGuarded()
    const { ask, app, root, operate } = guarded
    await ask('/api/v1/live', app.token)
    await ask('/api/v1/locks/none?by=ann&reason=stuck', root, { method: 'DELETE' })
    await ask('/api/v1/cron/nightly/run', root, { method: 'POST' })
    const lines = (await operate('audit.read')) as unknown as { who: string; what: string; outcome: string }[]
    expect(lines).toContainEqual(
      expect.objectContaining({ who: 'app', what: 'http.live', outcome: 'denied' }),
    )
    expect(lines.filter(({ what }) => what === 'http.runSchedule')).toMatchObject([
      { who: 'root', outcome: 'begun', details: { name: 'nightly' } },
      { who: 'root', outcome: 'failed' },
    ])
    const forced = lines.filter(({ what }) => what === 'http.forceReleaseLock')
    expect(forced).toMatchObject([
      { who: 'root', outcome: 'begun', details: { name: 'none', by: 'ann', reason: 'stuck' } },
      { who: 'root', outcome: 'failed' },
    ])
  })

  test('tells a caller that asks too much when to come again', async () => {
    await using guarded = await openGuarded({ rateLimits: { requestsPerSecond: 20 } })
    const { bed, app, root } = guarded
    const headers = { authorization: `Bearer ${app.token}` }
    const replies = await Promise.all(
      Array.from({ length: 40 }, () => bed.fetch('/api/v1/status', { headers })),
    )
    const refused = replies.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(10)
    expect(replies.length - refused.length).toBeGreaterThanOrEqual(20)
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(await guarded.ask('/api/v1/status', root)).toEqual([200])
    expect(await guarded.ask('/health')).toEqual([200])
  })
})

/** All events of a stream until it ends; `began` is called at the first. */
async function collect(url: string, credentials: string, began: () => unknown): Promise<ServerEvent[]> {
  const headers: Record<string, string> = credentials.startsWith('alt_')
    ? { authorization: `Bearer ${credentials}` }
    : { cookie: credentials }
  const events: ServerEvent[] = []
  for await (const event of serverEvents(url, headers)) {
    if (events.length === 0) await began()
    events.push(event)
  }
  return events
}

describe('an event stream', () => {
  const last = { event: 'error', data: { error: { code: 'unauthenticated' } } }

  test('ends when the token is revoked that it was opened with, and says why', async () => {
    await using guarded = await openGuarded()
    const { bed, app, operate } = guarded
    const { token: overseer = '', id = '' } = await operate('access.token.create', { user: 'root' })
    const bothOpen = createDeferred<void>()
    let open = 0
    const count = (): void => {
      if (++open === 2) bothOpen.resolve()
    }
    const watch = collect(`${bed.base}/api/v1/watch?prefix=app/`, app.token, count)
    const live = collect(`${bed.base}/api/v1/live`, overseer, count)
    await bothOpen.promise
    await operate('access.token.revoke', { id: app.id })
    await operate('access.token.revoke', { id })
    expect((await watch).at(-1)).toMatchObject(last)
    expect((await live).at(-1)).toMatchObject(last)
  })

  test('ends when the right to what it shows is taken away', async () => {
    await using guarded = await openGuarded()
    const { bed, app, operate } = guarded
    const url = `${bed.base}/api/v1/watch?prefix=app/`
    const events = await collect(url, app.token, () =>
      operate('access.user.roles', { name: 'app', roles: [] }),
    )
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { error: { code: 'permission-denied' } } })
  })

  test('ends when the browser that it is open in is signed out', async () => {
    await using guarded = await openGuarded()
    const { bed, root } = guarded
    const cookie = cookieIn(await signIn(bed, root))
    const events = await collect(`${bed.base}/api/v1/live`, cookie, () =>
      bed.fetch('/api/v1/login', { method: 'DELETE', headers: { cookie } }),
    )
    expect(events.at(-1)).toMatchObject(last)
  })
})

function signIn(bed: HttpTestBed, token: string): Promise<Response> {
  return bed.fetch('/api/v1/login', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
}

function cookieIn(reply: Response): string {
  return reply.headers.get('set-cookie')?.split(';')[0] ?? ''
}

describe('a browser', () => {
  test('signs in once, and is known by a cookie that scripts and other sites cannot use', async () => {
    await using guarded = await openGuarded()
    const { bed, root, ask } = guarded
    const reply = await signIn(bed, root)
    expect(await reply.json()).toEqual({ user: 'root', accessControl: true })
    expect(reply.headers.get('set-cookie')).toMatch(
      /^althing-login-1=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    )
    const cookie = cookieIn(reply)
    expect(await ask('/api/v1/kv', undefined, { headers: { cookie } })).toEqual([200])
    const forged = `${cookie.slice(0, -1)}${cookie.endsWith('A') ? 'B' : 'A'}`
    expect(await ask('/api/v1/kv', undefined, { headers: { cookie: forged } })).toEqual([
      401,
      'unauthenticated',
    ])
    const out = await bed.fetch('/api/v1/login', { method: 'DELETE', headers: { cookie } })
    expect(out.headers.get('set-cookie')).toContain('Max-Age=0')
    expect(await ask('/api/v1/kv', undefined, { headers: { cookie } })).toEqual([401, 'unauthenticated'])
    expect((await bed.fetch('/api/v1/login', { method: 'POST' })).status).toBe(401)
  })

  test('changes something by its cookie only with the header that no form can send', async () => {
    await using guarded = await openGuarded()
    const { bed, root, ask } = guarded
    const cookie = cookieIn(await signIn(bed, root))
    const write = (headers: Record<string, string>) =>
      ask('/api/v1/kv/a', undefined, { ...put('v'), headers: { cookie, ...headers } })
    expect(await write({})).toEqual([403, 'permission-denied'])
    expect(await write({ [pageHeader]: '1', origin: 'https://elsewhere.example' })).toEqual([
      403,
      'permission-denied',
    ])
    expect(await write({ [pageHeader]: '1', 'sec-fetch-site': 'cross-site' })).toEqual([
      403,
      'permission-denied',
    ])
    expect(await write({ [pageHeader]: '1' })).toEqual([200])
    expect(await ask('/api/v1/kv/a', root, put('w'))).toEqual([200])
  })

  test('is signed out with the token that it has shown', async () => {
    await using guarded = await openGuarded()
    const { bed, app, operate, ask } = guarded
    const cookie = cookieIn(await signIn(bed, app.token))
    expect(await ask('/api/v1/status', undefined, { headers: { cookie } })).toEqual([200])
    await operate('access.token.revoke', { id: app.id })
    expect(await ask('/api/v1/status', undefined, { headers: { cookie } })).toEqual([401, 'unauthenticated'])
  })
})

describe('an HTTP address that other machines reach', () => {
  const route = { id: 'listItems' }
  const asked = {
    request: new Request('http://10.0.0.1/api/v1/kv'),
    route,
    changesState: false,
    remoteAddress: '10.0.0.9:5',
  }

  test('serves nothing while access control is off, unless that was asked for', async () => {
    await using bed = await openHttpTestBed()
    const { world, node } = bed.server
    const stores = new CallerStores({
      open: () => openClusterStore(world, { endpoints: [node.address] }),
      credentials: () => ({}),
    })
    const shared = { control: node.access, stores, logins: new LoginSessions(world, 1, false) }
    const guarded = new HttpAccess({ ...shared, reach: 'protected' })
    await expect(guarded.admit(asked)).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('althing access enable') as string,
    })
    const admitted = await new HttpAccess({ ...shared, reach: 'open' }).admit(asked)
    expect(admitted.caller.principal).toEqual(['anonymous'])
    admitted.release()
    await stores.close()
  })
})

describe.skipIf(!hasOpenssl)('the HTTP API over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'althing-https-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  interface Secured {
    readonly status: number
    readonly serial: string
    readonly cookie: string | undefined
  }

  function get(
    address: string,
    caFile: string,
    path: string,
    token: string,
    method = 'GET',
  ): Promise<Secured> {
    const headers = { authorization: `Bearer ${token}` }
    return new Promise((resolve, reject) => {
      const request = https.request(
        `https://${address}${path}`,
        { ca: readFileSync(caFile), headers, method, agent: false },
        (reply) => {
          const { serialNumber } = (
            reply.socket as unknown as { getPeerCertificate(): { serialNumber: string } }
          ).getPeerCertificate()
          reply.resume()
          resolve({
            status: reply.statusCode ?? 0,
            serial: serialNumber,
            cookie: reply.headers['set-cookie']?.[0],
          })
        },
      )
      request.on('error', reject)
      request.end()
    })
  }

  test('shows its certificate, takes a new one without a restart, and keeps cookies to itself', async () => {
    const authority = new TestAuthority(folder)
    const httpTls = authority.issue('node', 'http')
    await using guarded = await openGuarded({ httpTls })
    const address = guarded.bed.server.httpAddress as string
    const status = (method?: string) => get(address, authority.caFile, '/api/v1/login', guarded.root, method)
    const before = await status()
    expect(before.status).toBe(200)
    expect((await status('POST')).cookie).toContain('; Secure')
    await expect(guarded.bed.fetch('/health')).rejects.toThrow()
    authority.issue('node', 'http')
    let after = await status()
    // The files are looked at twice a second.
    while (after.serial === before.serial) after = await status()
    expect(after.status).toBe(200)
  })
})
