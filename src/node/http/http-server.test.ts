import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { HttpListener } from '../http-listener.ts'
import * as answers from './answers.ts'
import { apiRoutes } from './http-app.ts'
import type { HttpContext } from './http-context.ts'
import { openHttpTestBed, serverEvents } from './http-test-bed.test-support.ts'
import type { LiveSnapshot } from './live-snapshot.ts'
import { openApiDocument } from './openapi.ts'

describe('a node with a quorum', () => {
  test('is healthy and ready, and says how it is', async () => {
    await using bed = await openHttpTestBed()
    expect(await bed.json('/health')).toEqual({ ok: true })
    expect(await bed.json('/ready')).toEqual({ ready: true })
    expect(answers.nodeStatus.parse(await bed.json('/api/v1/status'))).toMatchObject({
      id: 1,
      role: 'leader',
      isReady: true,
    })
    expect(answers.cluster.parse(await bed.json('/api/v1/cluster'))).toMatchObject({
      clusterId: 'test',
      leader: 1,
      members: [{ id: 1 }],
    })
  })

  test('counts its requests by route, what it proposes, and its syncs', async () => {
    await using bed = await openHttpTestBed()
    for (const key of ['a', 'b']) await bed.fetch(`/api/v1/kv/${key}`, { method: 'PUT', body: 'v' })
    await bed.fetch('/api/v1/kv/none')
    await bed.fetch('/some/page')
    const text = await (await bed.fetch('/metrics')).text()
    const value = (start: string): number =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(start))
          ?.split(' ')
          .at(-1),
      )
    const route = 'route="/api/v1/kv/{key}"'
    expect(value(`althing_http_requests_total{${route},method="PUT",status="200"`)).toBe(2)
    expect(value(`althing_http_requests_total{${route},method="GET",status="404"`)).toBe(1)
    expect(text).not.toContain('/some/page')
    expect(value('althing_raft_proposals_total')).toBeGreaterThanOrEqual(3)
    expect(value('althing_raft_commit_seconds_count')).toBeGreaterThanOrEqual(3)
    expect(value('althing_raft_apply_seconds_count')).toBeGreaterThanOrEqual(3)
    expect(value('althing_raft_reads_total')).toBeGreaterThanOrEqual(1)
    expect(value('althing_raft_leader_changes_total')).toBe(1)
    expect(value('althing_disk_sync_seconds_count')).toBeGreaterThanOrEqual(3)
    expect(value('althing_store_keys')).toBe(2)
    expect(value('althing_ready')).toBe(1)
    expect(value('althing_raft_role{role="leader"')).toBe(1)
    expect(value('althing_raft_role{role="follower"')).toBe(0)
    expect(value('althing_process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(value('althing_event_loop_delay_seconds{stat="max"')).toBeGreaterThanOrEqual(0)
  })

  test('shows all who listen the same snapshots', async () => {
    await using bed = await openHttpTestBed()
    const first = async (): Promise<LiveSnapshot> => {
      for await (const { event, data } of serverEvents(`${bed.base}/api/v1/live`))
        if (event === 'snapshot') return data as LiveSnapshot
      throw new Error('no snapshot came')
    }
    const [one, other] = await Promise.all([first(), first()])
    expect(one).toEqual(other)
    expect(one).toMatchObject({
      cluster: { leader: 1 },
      locks: [],
      semaphores: [],
      elections: [],
      services: [],
      staleServices: null,
      gateway: [],
      processes: null,
      problems: {},
    })
  })

  test('serves the console, keeps what has a hash in its name, and nothing outside', async () => {
    const consoleFolder = await mkdtemp(join(tmpdir(), 'althing-console-'))
    await mkdir(join(consoleFolder, 'assets'))
    await writeFile(join(consoleFolder, 'index.html'), '<p>console</p>')
    await writeFile(join(consoleFolder, 'assets', 'app-1a2b.js'), 'run()')
    await writeFile(`${consoleFolder}-secret`, 'secret')
    await using bed = await openHttpTestBed({ consoleFolder })
    for (const path of ['/', '/index.html', '/locks/deep']) {
      const reply = await bed.fetch(path)
      expect(await reply.text()).toBe('<p>console</p>')
      expect(reply.headers.get('cache-control')).toBe('no-cache')
      expect(reply.headers.get('content-security-policy')).toContain("script-src 'self'")
    }
    const script = await bed.fetch('/assets/app-1a2b.js')
    expect(script.headers.get('content-type')).toContain('text/javascript')
    expect(script.headers.get('cache-control')).toContain('immutable')
    const etag = script.headers.get('etag') ?? ''
    expect((await bed.fetch('/assets/app-1a2b.js', { headers: { 'If-None-Match': etag } })).status).toBe(304)
    const secret = `/..%2F${consoleFolder.split('/').at(-1)}-secret`
    expect(await (await bed.fetch(secret)).text()).toBe('<p>console</p>')
    for (const path of ['/assets/none.js', '/.git/config', '/%00', '/%FF'])
      expect((await bed.fetch(path)).status).toBe(404)
  })

  test('says plainly that the console is not built', async () => {
    await using bed = await openHttpTestBed({ consoleFolder: '/nonexistent' })
    const reply = await bed.fetch('/')
    expect(reply.status).toBe(404)
    expect(await reply.text()).toContain('npm run build')
  })
})

describe('a node without a quorum', () => {
  test('is healthy but not ready, refuses writes with their outcome, and serves its own copy', async () => {
    await using bed = await openHttpTestBed({ silentMembers: 2 })
    expect(await bed.json('/health')).toEqual({ ok: true })
    const ready = (await bed.json('/ready', {}, 503)) as { ready: boolean; problem: string }
    expect(ready).toEqual({ ready: false, problem: 'no leader is known: a quorum of the members is needed' })
    const put = await bed.fetch('/api/v1/kv/a?timeout=200ms', { method: 'PUT', body: 'v' })
    const { error } = answers.errorAnswer.parse(await put.json())
    expect([503, 504]).toContain(put.status)
    expect(error.outcome).toBe('none')
    expect((await bed.fetch('/api/v1/kv?timeout=200ms')).ok).toBe(false)
    expect(await bed.json('/api/v1/kv?consistency=serializable')).toMatchObject({ items: [], count: 0 })
    const cluster = answers.cluster.parse(await bed.json('/api/v1/cluster'))
    expect(cluster.leader).toBe(0)
    expect(cluster.members.map(({ status }) => status?.id)).toEqual([1, undefined, undefined])
  })

  test('still feeds the console, and says which parts are missing', async () => {
    await using bed = await openHttpTestBed({ silentMembers: 2 })
    for await (const { data } of serverEvents(`${bed.base}/api/v1/live`)) {
      const snapshot = data as LiveSnapshot
      // It has never heard of the others, so it cannot say how old its own copy is.
      expect(snapshot).toMatchObject({ locks: null, services: [], staleServices: {}, gateway: [] })
      expect(Object.keys(snapshot.problems).toSorted()).toEqual(['elections', 'locks', 'semaphores'])
      expect(snapshot.cluster.members).toHaveLength(3)
      break
    }
  })
})

describe('a node of a supervised local cluster', () => {
  test('passes on what is done to processes, and cuts itself off and back', async () => {
    const asked: string[] = []
    const supervisor = new Hono()
    const running = { name: 'node-1', kind: 'node', state: 'running', pid: 7, starts: 1 }
    supervisor.get('/processes', (context) => context.json([running]))
    supervisor.post('/processes/:name/:action', (context) => {
      const { name, action } = context.req.param()
      asked.push(`${action} ${name}`)
      if (name === 'node-1') return context.json({ ...running, state: 'paused' })
      return context.json({ error: { code: 'not-found', message: 'no such process', retryable: false } }, 404)
    })
    const control = await HttpListener.start(supervisor.fetch, '127.0.0.1:0')
    try {
      await using bed = await openHttpTestBed({ control: control.address, silentMembers: 2 })
      expect(await bed.json('/api/v1/local')).toEqual({ supervised: true })
      expect(answers.processStatus.array().parse(await bed.json('/api/v1/local/processes'))).toEqual([
        running,
      ])
      const act = (path: string, status: number) =>
        bed.json(`/api/v1/local/processes/${path}`, { method: 'POST' }, status)
      expect(await act('node-1/pause', 200)).toMatchObject({ state: 'paused' })
      expect(await act('other/kill', 404)).toMatchObject({ error: { code: 'not-found', outcome: 'none' } })
      await act('node-1/explode', 400)
      expect(asked).toEqual(['pause node-1', 'kill other'])

      const partition = (isolated: boolean) =>
        bed.json('/api/v1/local/partition', { method: 'POST', body: JSON.stringify({ node: 1, isolated }) })
      expect(await partition(true)).toMatchObject({ blocked: { 1: [2, 3] } })
      expect(bed.server.node.status().blocked).toEqual([2, 3])
      expect(await partition(false)).toMatchObject({ blocked: { 1: [] } })
      expect(bed.server.node.status().blocked).toEqual([])
    } finally {
      await control.close()
    }
  })
})

describe('the OpenAPI document', () => {
  // Only the handlers use what they are given.
  const routes = apiRoutes({ store: {}, world: {} } as HttpContext)
  const document = openApiDocument(routes, '1.2.3')
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method,
      operation: operation as unknown as Operation,
    })),
  )
  interface Operation {
    readonly operationId: string
    readonly description: string
    readonly security?: readonly object[]
    readonly parameters?: readonly { name: string; in: string; required: boolean; schema: object }[]
    readonly responses: Record<string, { description: string; content: Record<string, { schema: object }> }>
    readonly requestBody?: { content: Record<string, { schema: object }> }
  }

  test('has every route once, each with a name of its own', () => {
    const named = operations.map(({ path, method }) => `${method} ${path}`)
    expect(named.toSorted()).toEqual(routes.map(({ path, method }) => `${method} ${path}`).toSorted())
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(routes.length)
  })

  test('declares every parameter of a path, as required', () => {
    for (const { path, operation } of operations) {
      const declared = (operation.parameters ?? []).filter((each) => each.in === 'path')
      expect(declared.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? [])
      expect(declared.every(({ required }) => required)).toBe(true)
    }
  })

  test('refers to nothing that is not there, and every schema is one that a validator takes', () => {
    const { schemas } = document.components
    const references = JSON.stringify(document).match(/"#\/[^"]+"/g) ?? []
    expect(references.length).toBeGreaterThan(20)
    for (const reference of references)
      expect(Object.keys(schemas)).toContain(reference.slice(1, -1).split('/').at(-1))
    const all = operations.flatMap(({ operation }) => [
      ...(operation.parameters ?? []).map(({ schema }) => schema),
      ...Object.values(operation.responses).flatMap(({ content }) =>
        Object.values(content).map(({ schema }) => schema),
      ),
      ...Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema),
    ])
    const $defs = JSON.parse(
      JSON.stringify(schemas).replaceAll('#/components/schemas/', '#/$defs/'),
    ) as Record<string, Readonly<Record<string, never>>>
    for (const schema of all) {
      const local = JSON.parse(
        JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'),
      ) as object
      expect(() => z.fromJSONSchema({ ...local, $defs })).not.toThrow()
    }
  })

  test('gives every operation an answer, and the error form for all else', () => {
    for (const { operation } of operations) {
      expect(operation.responses['200']?.description).toBeTruthy()
      expect(JSON.stringify(operation.responses['default'])).toContain('#/components/schemas/Error')
    }
  })

  test('says of every operation who may ask for it', () => {
    const open = operations.filter(({ operation }) => operation.security?.length === 0)
    expect(open.map(({ path, method }) => `${method} ${path}`).toSorted()).toEqual([
      'delete /api/v1/login',
      'get /health',
      'get /ready',
    ])
    expect(document.security).toContainEqual({ token: [] })
    for (const { operation } of operations) expect(operation.description).toMatch(/may ask|operators/i)
  })

  test('is served, and as a page to read that names every path and loads nothing', async () => {
    await using bed = await openHttpTestBed()
    expect(await bed.json('/openapi.json')).toMatchObject({
      openapi: '3.1.0',
      paths: Object.fromEntries(routes.map(({ path }) => [path, {}])),
    })
    const page = await (await bed.fetch('/docs')).text()
    for (const { path } of routes) expect(page).toContain(`<code>${path}</code>`)
    expect(page).not.toMatch(/<script|src=|https?:\/\//)
  })
})
