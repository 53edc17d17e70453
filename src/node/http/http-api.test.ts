import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LockService } from '../../coordination/locks/lock.ts'
import { SemaphoreService } from '../../coordination/semaphores/semaphore.ts'
import { Discovery } from '../../coordination/discovery/discovery.ts'
import { ElectionService } from '../../coordination/election/election.ts'
import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import { NodeLogger } from '../../world/logger.ts'
import { createNodeWorld } from '../../world/node-world.ts'
import * as answers from './answers.ts'
import * as coordination from './coordination-answers.ts'
import { service } from './service-answers.ts'
import { type HttpTestBed, openHttpTestBed, serverEvents } from './http-test-bed.test-support.ts'

let bed: HttpTestBed
beforeAll(async () => {
  bed = await openHttpTestBed()
})
afterAll(() => bed[Symbol.asyncDispose]())

const put = (key: string, value: string, query = '', headers: Record<string, string> = {}) =>
  bed.fetch(`/api/v1/kv/${encodeURIComponent(key)}${query}`, { method: 'PUT', body: value, headers })
const post = (path: string, body: unknown, status = 200) =>
  bed.json(path, { method: 'POST', body: JSON.stringify(body) }, status)
const codeOf = async (reply: Promise<Response>) => {
  const answer = await reply
  const { error } = answers.errorAnswer.parse(await answer.json())
  return { status: answer.status, code: error.code, outcome: error.outcome }
}

describe('items over HTTP', () => {
  test('a value is written, read with its revisions, and deleted', async () => {
    const written = (await (await put('kv/one', 'grüße')).json()) as { revision: number }
    const item = answers.item.parse(await bed.json('/api/v1/kv/kv%2Fone'))
    expect(item).toMatchObject({
      key: 'kv/one',
      value: 'grüße',
      modRevision: written.revision,
      version: 1,
      lease: 0,
    })
    expect(await bed.json('/api/v1/kv/kv/one')).toEqual(item)
    expect(await bed.json('/api/v1/kv/kv%2Fone', { method: 'DELETE' })).toEqual({
      deleted: 1,
      revision: written.revision + 1,
    })
    expect(await codeOf(bed.fetch('/api/v1/kv/kv%2Fone'))).toEqual({
      status: 404,
      code: 'not-found',
      outcome: undefined,
    })
    expect(await bed.json(`/api/v1/kv/kv%2Fone?revision=${written.revision}`)).toEqual(item)
  })

  test.each(['a b', 'ü/ö?#&', '100%', '%2F', 'a+b', '..x', ' '])(
    'the key %j comes back as it went',
    async (key) => {
      await put(key, 'v')
      expect(await bed.json(`/api/v1/kv/${encodeURIComponent(key)}`)).toMatchObject({ key, value: 'v' })
    },
  )

  test('bytes that are not text come back as base64, and raw as they are', async () => {
    const bytes = new Uint8Array([0, 255, 1, 254])
    await bed.fetch('/api/v1/kv/bytes', { method: 'PUT', body: bytes })
    expect(await bed.json('/api/v1/kv/bytes')).toMatchObject({ valueBase64: 'AP8B/g==' })
    const raw = await bed.fetch('/api/v1/kv/bytes?raw=true')
    expect(new Uint8Array(await raw.arrayBuffer())).toEqual(bytes)
    expect(raw.headers.get('content-type')).toBe('application/octet-stream')
    expect(raw.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('a key that is not URL-encoded UTF-8 is refused', async () => {
    expect(await codeOf(bed.fetch('/api/v1/kv/%FF'))).toMatchObject({ status: 400, code: 'invalid-argument' })
  })

  test('a list gives a page, counts all, and goes on where it ended', async () => {
    for (const i of [1, 2, 3]) await put(`list/${i}`, String(i))
    const first = (await bed.json('/api/v1/kv?prefix=list/&limit=2')) as {
      items: { key: string }[]
      count: number
      more: boolean
    }
    expect(first).toMatchObject({ count: 3, more: true, items: [{ key: 'list/1' }, { key: 'list/2' }] })
    expect(await bed.json('/api/v1/kv?prefix=list/&from=list/2%00')).toMatchObject({
      items: [{ key: 'list/3' }],
      more: false,
    })
    const keys = (await bed.json('/api/v1/kv?prefix=list/&keysOnly=true&consistency=serializable')) as {
      items: object[]
    }
    expect(keys.items.length).toBe(3)
    expect(keys.items.every((item) => !('value' in item))).toBe(true)
  })

  test('a write with a condition that fails changes nothing: 409 by the query, 412 by the header', async () => {
    const first = (await (await put('cond', 'a', '?ifRevision=0')).json()) as { revision: number }
    expect(await codeOf(put('cond', 'b', '?ifRevision=0'))).toEqual({
      status: 409,
      code: 'conflict',
      outcome: 'none',
    })
    expect(await codeOf(put('cond', 'b', '', { 'If-None-Match': '*' }))).toEqual({
      status: 412,
      code: 'conflict',
      outcome: 'none',
    })
    const etag = (await bed.fetch('/api/v1/kv/cond')).headers.get('etag') ?? ''
    expect(etag).toBe(`"${first.revision}"`)
    expect((await put('cond', 'c', '', { 'If-Match': etag })).status).toBe(200)
    expect((await put('cond', 'd', '', { 'If-Match': etag })).status).toBe(412)
    expect(await bed.json('/api/v1/kv/cond')).toMatchObject({ value: 'c', version: 2 })
    expect((await put('cond-none', 'd', '', { 'If-Match': '*' })).status).toBe(412)
    expect(await codeOf(put('cond', 'd', '?ifRevision=1', { 'If-Match': etag }))).toMatchObject({
      code: 'invalid-argument',
    })
  })

  test('a value over the limit is refused without being read to its end', async () => {
    const body = new Uint8Array(1024 * 1024 + 1)
    expect(await codeOf(bed.fetch('/api/v1/kv/large', { method: 'PUT', body }))).toEqual({
      status: 413,
      code: 'too-large',
      outcome: 'none',
    })
    expect((await bed.fetch('/api/v1/kv/large', { method: 'PUT', body: body.subarray(1) })).status).toBe(200)
  })

  test.each([
    'limit=0',
    'limit=x',
    'limit=10001',
    'consistency=maybe',
    'timeout=2',
    'timeout=2h',
    'limit=1&limit=2',
  ])('the query %s is refused', async (query) => {
    expect(await codeOf(bed.fetch(`/api/v1/kv?${query}`))).toMatchObject({
      status: 400,
      code: 'invalid-argument',
    })
  })

  test('a revision that is yet to come is refused', async () => {
    expect(await codeOf(bed.fetch('/api/v1/kv?revision=999999'))).toMatchObject({
      status: 400,
      code: 'future-revision',
    })
  })
})

describe('transactions over HTTP', () => {
  test('the branch whose comparison holds is done, and its replies come in order', async () => {
    const document = {
      compare: [{ key: 'txn/stock', target: 'version', op: '=', value: 0 }],
      then: [
        { op: 'put', key: 'txn/stock', value: '3' },
        { op: 'put', key: 'txn/raw', valueBase64: 'AP8=' },
      ],
      else: [
        { op: 'get', prefix: 'txn/' },
        { op: 'delete', prefix: 'txn/', previous: true },
      ],
    }
    expect(await post('/api/v1/txn', document)).toMatchObject({
      succeeded: true,
      replies: [{ op: 'put' }, { op: 'put' }],
    })
    expect(await post('/api/v1/txn', document)).toMatchObject({
      succeeded: false,
      replies: [
        {
          op: 'get',
          count: 2,
          items: [
            { key: 'txn/raw', valueBase64: 'AP8=' },
            { key: 'txn/stock', value: '3' },
          ],
        },
        { op: 'delete', deleted: 2, previous: [{ key: 'txn/raw' }, { key: 'txn/stock' }] },
      ],
    })
  })

  test.each([
    [{ then: [{ op: 'put', key: 'a' }] }],
    [{ then: [{ op: 'put', key: 'a', value: 'x', valueBase64: 'AA==' }] }],
    [{ then: [{ op: 'get', key: 'a', prefix: 'b' }] }],
    [
      {
        then: [
          { op: 'put', key: 'a', value: '1' },
          { op: 'put', key: 'a', value: '2' },
        ],
      },
    ],
    [{ compare: [{ key: 'a', target: 'lease', op: '=', value: 'x' }] }],
    [{ before: [] }],
    [[]],
  ])('%j is refused', async (document) => {
    const reply = bed.fetch('/api/v1/txn', { method: 'POST', body: JSON.stringify(document) })
    expect(await codeOf(reply)).toEqual({ status: 400, code: 'invalid-argument', outcome: 'none' })
  })

  test('a body that is not JSON is refused', async () => {
    expect(await codeOf(bed.fetch('/api/v1/txn', { method: 'POST', body: '{' }))).toMatchObject({
      status: 400,
    })
  })
})

describe('leases over HTTP', () => {
  test('a lease is granted, kept alive, listed with its keys, and takes them along when it ends', async () => {
    const { lease } = (await post('/api/v1/leases', { ttl: '1m' })) as { lease: number }
    await put('leased', 'v', `?lease=${lease}`)
    expect(await bed.json(`/api/v1/leases/${lease}/keep-alive`, { method: 'POST' })).toEqual({
      lease,
      ttlMs: 60_000,
    })
    const leases = answers.lease.array().parse(await bed.json('/api/v1/leases'))
    expect(leases.find((each) => each.lease === lease)?.keys).toEqual(['leased'])
    await bed.json(`/api/v1/leases/${lease}`, { method: 'DELETE' })
    expect((await bed.fetch('/api/v1/kv/leased')).status).toBe(404)
    expect(await codeOf(bed.fetch(`/api/v1/leases/${lease}`, { method: 'DELETE' }))).toEqual({
      status: 404,
      code: 'lease-not-found',
      outcome: 'none',
    })
    expect(await codeOf(put('leased', 'v', `?lease=${lease}`))).toMatchObject({
      code: 'lease-not-found',
      outcome: 'none',
    })
  })
})

describe('watching over HTTP', () => {
  test('Last-Event-ID resumes after the last event, with none lost and none twice', async () => {
    const { revision } = (await (await put('watch/a', '1')).json()) as { revision: number }
    const url = `${bed.base}/api/v1/watch?prefix=watch/&fromRevision=${revision}`
    let lastId = ''
    for await (const { event, id, data } of serverEvents(url)) {
      if (event !== 'events') continue
      expect(data).toMatchObject({ events: [{ type: 'put', item: { key: 'watch/a', value: '1' } }] })
      lastId = id ?? ''
      break
    }
    await put('watch/b', '2')
    await bed.json('/api/v1/kv/watch%2Fa', { method: 'DELETE' })
    const seen: unknown[] = []
    for await (const { event, data } of serverEvents(url, { 'Last-Event-ID': lastId })) {
      if (event === 'events') seen.push(...(data as { events: unknown[] }).events)
      if (seen.length === 2) break
    }
    expect(seen).toMatchObject([
      { type: 'put', item: { key: 'watch/b' } },
      { type: 'delete', key: 'watch/a' },
    ])
  })

  test('neither key nor prefix, both, and a resume from nowhere are refused', async () => {
    for (const query of ['', '?key=a&prefix=b'])
      expect((await bed.fetch(`/api/v1/watch${query}`)).status).toBe(400)
    const reply = await bed.fetch('/api/v1/watch?key=a', { headers: { 'Last-Event-ID': 'x' } })
    expect(reply.status).toBe(400)
  })
})

describe('coordination over HTTP', () => {
  test('readers and permits show with their holders; one of them is put out by its token; the limit is set and taken back', async () => {
    const world = createNodeWorld({ dataFolder: bed.folder, logger: new NodeLogger('error') })
    const store = openClusterStore(world, { endpoints: [bed.server.node.address] })
    const locks = new LockService({ store, world })
    const semaphores = new SemaphoreService({ store, world })
    const readers = [
      await locks.acquire('page', { mode: 'read' }),
      await locks.acquire('page', { mode: 'read' }),
    ]
    const lockPath = '/api/v1/locks/page'
    expect(coordination.lock.parse(await bed.json(lockPath)).holders).toMatchObject(
      readers.map(({ token }) => ({ token, mode: 'read' })),
    )
    const remove = { method: 'DELETE' }
    const order = 'by=bob&reason=stuck'
    expect(await codeOf(bed.fetch(`${lockPath}?${order}`, remove))).toMatchObject({ status: 400 })
    await bed.json(`${lockPath}?${order}&token=${readers[0]?.token}`, remove)
    expect(coordination.lock.parse(await bed.json(lockPath)).holders).toMatchObject([
      { token: readers[1]?.token },
    ])

    const permit = await semaphores.acquire('pool', { permits: 2, limit: 3, note: 'import' })
    expect(coordination.semaphore.array().parse(await bed.json('/api/v1/semaphores'))).toMatchObject([
      { name: 'pool', limit: 3, taken: 2, holders: [{ permits: 2, note: 'import' }], waiters: [] },
    ])
    const setLimit = (body: object) =>
      bed.fetch('/api/v1/semaphores/pool/limit', {
        method: 'PUT',
        body: JSON.stringify(body),
      })
    expect(await codeOf(setLimit({ limit: 0, by: 'bob', reason: 'calm' }))).toMatchObject({ status: 400 })
    expect(await codeOf(setLimit({ limit: 1, by: 'bob' }))).toMatchObject({ status: 400 })
    const change: unknown = await (await setLimit({ limit: 1, by: 'bob', reason: 'calm' })).json()
    expect(coordination.limitChange.parse(change)).toMatchObject({ name: 'pool', limit: 1, by: 'bob' })
    const path = '/api/v1/semaphores/pool'
    expect(await bed.json(path)).toMatchObject({ limit: 1, limitSetBy: 'bob', taken: 2 })
    const record = coordination.forcedPermitRelease.parse(await bed.json(`${path}?${order}`, remove))
    expect(record).toMatchObject({ token: permit.token, holder: { permits: 2 } })
    await expect(permit.txn({ then: [] })).rejects.toMatchObject({
      code: expect.stringMatching(/stale-token|lost/) as string,
    })
    expect((await setLimit({ limit: null, by: 'bob', reason: 'done' })).status).toBe(200)
    expect(await bed.json('/api/v1/semaphores')).toEqual([])
    await Promise.all([locks.close(), semaphores.close()])
    await store.close()
  })

  test('locks, elections and services show as they stand, and a lock is taken from its holder with a record', async () => {
    const world = createNodeWorld({ dataFolder: bed.folder, logger: new NodeLogger('error') })
    const store = openClusterStore(world, { endpoints: [bed.server.node.address] })
    const locks = new LockService({ store, world })
    const elections = new ElectionService({ store, world })
    const discovery = new Discovery({ store, world })
    const lock = await locks.acquire('jobs/nightly', { owner: 'ann', note: 'backup' })
    await elections.campaign('main', { candidate: 'ann', value: 'here' })
    await discovery.register({ service: 'web', id: 'w1', address: '127.0.0.1:1' })

    expect(coordination.lock.array().parse(await bed.json('/api/v1/locks'))).toMatchObject([
      { name: 'jobs/nightly', holder: { owner: 'ann', note: 'backup', token: lock.token }, waiters: [] },
    ])
    expect(coordination.election.array().parse(await bed.json('/api/v1/elections'))).toMatchObject([
      { name: 'main', leader: { candidate: 'ann', value: 'here' }, candidates: [] },
    ])
    expect(service.array().parse(await bed.json('/api/v1/services'))).toMatchObject([
      { name: 'web', instances: [{ id: 'w1', address: '127.0.0.1:1', state: 'up' }] },
    ])
    expect(await bed.json('/api/v1/services/web')).toMatchObject({ name: 'web' })
    expect((await bed.fetch('/api/v1/services/none')).status).toBe(404)

    const path = `/api/v1/locks/${encodeURIComponent('jobs/nightly')}`
    expect(await codeOf(bed.fetch(path, { method: 'DELETE' }))).toMatchObject({ status: 400 })
    expect(
      await codeOf(bed.fetch(`${path}?by=bob&reason=stuck&token=1`, { method: 'DELETE' })),
    ).toMatchObject({ status: 409, outcome: 'none' })
    const record = await bed.json(`${path}?by=bob&reason=stuck`, { method: 'DELETE' })
    expect(coordination.forcedRelease.parse(record)).toMatchObject({
      by: 'bob',
      reason: 'stuck',
      token: lock.token,
    })
    await expect(lock.txn({ then: [] })).rejects.toMatchObject({
      code: expect.stringMatching(/stale-token|lost/) as string,
    })
    expect(await bed.json(path)).toMatchObject({ name: 'jobs/nightly', waiters: [] })
    await Promise.all([locks.close(), elections.close(), discovery.close()])
    await store.close()
  })

  test('a gateway that has registered an address of another machine is not asked', async () => {
    const world = createNodeWorld({ dataFolder: bed.folder, logger: new NodeLogger('error') })
    const store = openClusterStore(world, { endpoints: [bed.server.node.address] })
    const discovery = new Discovery({ store, world })
    await discovery.register({
      service: 'gateway',
      id: 'g',
      address: '127.0.0.1:2',
      metadata: { admin: '192.0.2.1:80' },
    })
    const [gateway] = answers.gateway.array().parse(await bed.json('/api/v1/gateway'))
    expect(gateway).toMatchObject({
      id: 'g',
      stats: null,
      problem: 'it has registered no admin address of this machine',
    })
    await discovery.close()
    await store.close()
  })
})

describe('the pages of other sites', () => {
  const send = (headers: Record<string, string>, method = 'PUT', path = '/api/v1/kv/site') =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(`${bed.base}${path}`, { method, headers }, (reply) => {
        reply.resume()
        resolve(reply.statusCode)
      })
      request.once('error', reject)
      request.end(method === 'PUT' ? 'x' : undefined)
    })

  test.each([
    [{ Origin: 'http://evil.example' }, 403],
    [{ Origin: 'null' }, 403],
    [{ Origin: 'http://127.0.0.1.evil.example' }, 403],
    [{ Host: 'rebound.example:7500' }, 403],
    [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
    [{ Origin: 'http://localhost:5173' }, 200],
    [{ Origin: 'http://[::1]:7500' }, 200],
    [{}, 200],
  ] as const)('a change with %j gets %i', async (headers, status) => {
    expect(await send(headers)).toBe(status)
  })

  test('a page whose name was rebound to this machine cannot read either', async () => {
    expect(await send({ Host: 'rebound.example' }, 'GET', '/api/v1/kv')).toBe(403)
  })
})

describe('what is not there', () => {
  test('an unknown path of the API is an error of the stated form; any other is the console', async () => {
    expect(await codeOf(bed.fetch('/api/v1/nothing'))).toMatchObject({ status: 404, code: 'not-found' })
    expect(await codeOf(bed.fetch('/api/v1/status', { method: 'POST' }))).toMatchObject({ status: 404 })
  })

  test('faults can be made only where a supervisor runs', async () => {
    expect(await bed.json('/api/v1/local')).toEqual({ supervised: false })
    expect(await codeOf(bed.fetch('/api/v1/local/processes'))).toMatchObject({
      status: 404,
      code: 'not-found',
    })
    const body = JSON.stringify({ node: 1, isolated: true })
    expect(await codeOf(bed.fetch('/api/v1/local/partition', { method: 'POST', body }))).toMatchObject({
      status: 404,
    })
    expect(bed.server.node.status().blocked).toEqual([])
  })
})
