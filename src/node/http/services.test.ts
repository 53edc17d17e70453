import { describe, expect, test } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Resolver } from 'node:dns/promises'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import { createNodeWorld } from '../../world/node-world.ts'
import { freePorts } from '../free-ports.ts'
import { type NodeServer, startNodeServer } from '../node-server.ts'
import type { LiveSnapshot } from './live-snapshot.ts'
import { type HttpTestBed, openHttpTestBed, serverEvents } from './http-test-bed.test-support.ts'

const json = (body: unknown): RequestInit => ({ method: 'PUT', body: JSON.stringify(body) })

interface Known {
  readonly instances: readonly ServiceInstance[]
  readonly stale: boolean
}

async function service(bed: HttpTestBed, query = ''): Promise<Known> {
  return (await bed.json(`/api/v1/services/api${query}`)) as Known
}

const idsOf = ({ instances }: Known): string[] => instances.map(({ id }) => id)

describe('services over HTTP', () => {
  test('a script registers, renews, reports, drains and removes an instance', async () => {
    await using bed = await openHttpTestBed()
    const path = '/api/v1/services/api/a'
    const body = {
      address: '10.0.0.1:80',
      zone: 'north',
      version: '2',
      ttl: '30s',
      metadata: { lang: 'perl' },
    }
    expect(await bed.json(path, json(body))).toMatchObject({ id: 'a', registrar: 'api', zone: 'north' })
    expect(await bed.json(`${path}/renew`, { method: 'POST' })).toEqual({ ttlMs: 30_000 })
    expect(await service(bed)).toMatchObject({ instances: [{ id: 'a' }], stale: false, ageMs: 0 })
    await bed.json(`${path}/health?ok=false&note=full`, { method: 'POST' })
    expect(idsOf(await service(bed))).toEqual([])
    expect((await service(bed, '?health=any')).instances[0]?.health.results[0]).toMatchObject({
      note: 'full',
    })
    await bed.json(`${path}/health?ok=true`, { method: 'POST' })
    expect(idsOf(await service(bed, '?zone=north&version=2'))).toEqual(['a'])
    expect(idsOf(await service(bed, '?zone=south'))).toEqual([])
    expect(idsOf(await service(bed, '?consistency=serializable'))).toEqual(['a'])
    await bed.json(`${path}/drain`, { method: 'POST' })
    expect(idsOf(await service(bed))).toEqual([])
    expect(await bed.json(path, { method: 'DELETE' })).toEqual({ removed: true })
    await bed.json(`${path}/renew`, { method: 'POST' }, 404)
    await bed.json('/api/v1/services/api', {}, 404)
  })

  test('what cannot be meant is refused, and programs are, unless the operator has allowed them', async () => {
    await using bed = await openHttpTestBed()
    const path = '/api/v1/services/api/a'
    const address = 'a:1'
    await bed.json(path, json({ address }), 400)
    await bed.json(path, json({ address, ttl: '1s', colour: 'red' }), 400)
    await bed.json(path, json({ address, check: { http: 'http://a/', tcp: 'a:1' } }), 400)
    await bed.json(path, json({ address, check: { http: 'gopher://a/' } }), 400)
    await bed.json(path, json({ address, check: { script: ['true'] } }), 403)
    expect(await bed.json('/api/v1/services')).toEqual([])
  })

  test('an instance in another language is checked by a node', async () => {
    let status = 200
    const web = http.createServer((_request, response) => response.writeHead(status).end())
    await new Promise<void>((resolve) => {
      web.listen(0, '127.0.0.1', resolve)
    })
    const address = `127.0.0.1:${(web.address() as AddressInfo).port}`
    await using bed = await openHttpTestBed()
    const check = { http: `http://${address}/healthz`, interval: '50ms', timeout: '5s' }
    await bed.json('/api/v1/services/api/a', json({ address, check }))
    await expect.poll(async () => idsOf(await service(bed)), { timeout: 20_000 }).toEqual(['a'])
    status = 503
    await expect.poll(async () => idsOf(await service(bed)), { timeout: 20_000 }).toEqual([])
    const [instance] = (await service(bed, '?health=any')).instances
    expect(instance?.health.results[0]).toMatchObject({ ok: false, note: 'status 503' })
    await new Promise((resolve) => {
      web.close(resolve)
    })
  })

  test('a stream tells the set, and each change of it', async () => {
    await using bed = await openHttpTestBed()
    const register = (id: string): Promise<unknown> =>
      bed.json(`/api/v1/services/api/${id}`, json({ address: `${id}:1`, ttl: '30s' }))
    await register('a')
    const seen: string[][] = []
    for await (const { event, data } of serverEvents(`${bed.base}/api/v1/services/api/watch`)) {
      expect(event).toBe('state')
      const known = data as Known
      if (!known.stale) seen.push(idsOf(known))
      if (seen.length === 1) await register('b')
      if (idsOf(known).includes('b')) break
    }
    expect(seen).toEqual([['a'], ['a', 'b']])
  })

  test('a node without a quorum answers over HTTP and DNS with what it knew last, marked as such', async () => {
    await using pair = await openPair()
    const [first, second] = pair.servers
    const [base] = pair.bases
    const body = { address: '10.0.0.1:80', ttl: '10m' }
    await fetch(`${base}/api/v1/services/api/a`, json(body))
    const resolver = new Resolver({ timeout: 5_000, tries: 2 })
    resolver.setServers([first?.dnsAddress as string])
    const addresses = (): Promise<string[]> => resolver.resolve4('api.service.althing').catch(() => [])
    await expect.poll(addresses, { timeout: 20_000 }).toEqual(['10.0.0.1'])
    await second?.close()
    const ask = async (query = ''): Promise<Known> =>
      (await (await fetch(`${base}/api/v1/services/api${query}`)).json()) as Known
    const known = await ask('?timeout=500ms')
    expect(known).toMatchObject({ instances: [{ id: 'a' }], stale: true })
    await expect
      .poll(async () => (await ask('?consistency=serializable')).stale, { timeout: 20_000 })
      .toBe(true)
    const list = await fetch(`${base}/api/v1/services?timeout=500ms`)
    expect(Number(list.headers.get('x-althing-stale-ms'))).toBeGreaterThanOrEqual(0)
    expect(await list.json()).toMatchObject([{ name: 'api' }])
    for await (const { data } of serverEvents(`${base}/api/v1/live`)) {
      const { services, staleServices } = data as LiveSnapshot
      expect(services).toMatchObject([{ name: 'api', instances: [{ id: 'a' }] }])
      expect(staleServices?.ageMs).toBeGreaterThan(0)
      break
    }
    expect(await addresses()).toEqual(['10.0.0.1'])
    const reply = await fetch(`${base}/api/v1/services/api/b?`, json(body))
    expect(reply.status).toBe(503)
  })
})

/** Two members, of which both are needed. */
async function openPair() {
  const folder = await mkdtemp(join(tmpdir(), 'althing-services-'))
  const ports = await freePorts(4)
  const members = [1, 2].map((id) => ({ id, address: `127.0.0.1:${ports[id - 1]}` }))
  const servers: NodeServer[] = []
  for (const { id } of members) {
    servers.push(
      await startNodeServer({
        id,
        members,
        clusterId: 'pair',
        dataFolder: join(folder, String(id)),
        http: `127.0.0.1:${ports[id + 1]}`,
        dns: '127.0.0.1:0',
        world: createNodeWorld({ dataFolder: join(folder, String(id)), logger: { log: () => {} } }),
      }),
    )
  }
  await expect.poll(() => servers.every(({ node }) => node.status().isReady), { timeout: 20_000 }).toBe(true)
  return {
    servers,
    bases: servers.map(({ httpAddress }) => `http://${httpAddress}`),
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) await server.close()
      await rm(folder, { recursive: true })
    },
  }
}
