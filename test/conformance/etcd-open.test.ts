import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { World } from '../../src/contracts/world.ts'
import { type Althing, open } from '../../src/node/althing.ts'
import { hasOpenssl, TestAuthority } from '../../src/world/certificates.test-support.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { LoopThreads } from '../engines/loop-threads.ts'
import { EtcdServers, etcdUnavailable, quickElections } from '../engines/servers/etcd-servers.ts'

const isAbsent = etcdUnavailable() !== undefined

function loopWorld(): World {
  const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })
  return { ...world, threads: new LoopThreads(world) }
}

describe.skipIf(isAbsent)('open with the URL of an etcd', () => {
  let servers: EtcdServers
  let url: string
  let one: Althing
  let two: Althing

  beforeAll(async () => {
    servers = await EtcdServers.start({ members: 1, flags: quickElections })
    url = `etcd://${servers.addresses.join(',')}`
    one = await open(url, { world: loopWorld() })
    two = await open(url, { world: loopWorld() })
  })

  afterAll(async () => {
    await one?.close()
    await two?.close()
    await servers?.stop()
  })

  test('keeps JSON values, compares and writes, and watches', async () => {
    await one.store.put('stock/apples', 3)
    const seen: unknown[] = []
    const { revision } = await one.store.list('stock/')
    await Promise.all([1, 2, 3, 4].map(() => two.store.update('stock/apples', (old) => Number(old) + 1)))
    for await (const change of one.store.watchPrefix('stock/', { fromRevision: revision + 1 })) {
      if (change.type === 'put') seen.push(change.item.value)
      if (seen.length === 4) break
    }
    expect(seen).toEqual([4, 5, 6, 7])
  })

  test('carries locks: one holder at a time, kept alive over many lengths of its lease, with tokens that grow', async () => {
    const held = await one.locks.acquire('orders/42', { ttl: '2s' })
    const endMs = performance.now() + 5_000
    while (performance.now() < endMs) {
      expect(await two.locks.tryAcquire('orders/42')).toBeNull()
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    expect(held.lost.aborted).toBe(false)
    await held.txn({ then: [{ op: 'put', key: 'fenced', value: new Uint8Array(1) }] })
    const waiting = two.locks.acquire('orders/42', { ttl: '2s' })
    await held.release()
    const next = await waiting
    expect(next.token).toBeGreaterThan(held.token)
    await expect(
      held.txn({ then: [{ op: 'put', key: 'fenced', value: new Uint8Array(2) }] }),
    ).rejects.toMatchObject({ outcome: 'none' })
    await next.release()
  })

  test('carries elections and discovery', async () => {
    const first = await one.elections.campaign('scheduler', { candidate: 'one', ttl: '2s' })
    const waiting = two.elections.campaign('scheduler', { candidate: 'two', ttl: '2s' })
    await first.resign()
    const second = await waiting
    expect(second.term).toBeGreaterThan(first.term)
    await second.resign()
    const registration = await one.discovery.register({ service: 'api', id: 'api-1', address: '10.0.0.3:80' })
    const live = two.discovery.watch('api')
    await live.ready
    expect(live.current.instances.map(({ id }) => id)).toEqual(['api-1'])
    await registration.deregister()
    for await (const { instances } of live.changes) if (instances.length === 0) break
  })

  test('says at once what cannot be opened', async () => {
    await expect(open(url, { token: 'x' })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(open(url, { secret: 'x' })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(open('etcd://127.0.0.1:1', { timeout: '500ms' })).rejects.toMatchObject({
      code: 'unavailable',
    })
  })
})

describe.skipIf(isAbsent || !hasOpenssl)('an etcd that asks who calls', () => {
  let servers: EtcdServers
  let folder: string
  let authority: TestAuthority

  /** Through etcd's HTTP interface, as an operator would with `etcdctl`. */
  async function operate(
    call: string,
    body: object,
    token?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const response = await fetch(`http://${servers.addresses[0]}/v3/${call}`, {
      method: 'POST',
      body: JSON.stringify(body),
      ...(token === undefined ? {} : { headers: { authorization: token } }),
    })
    const answer = (await response.json()) as Readonly<Record<string, unknown>>
    if (!response.ok) throw new Error(`${call}: ${JSON.stringify(answer)}`)
    return answer
  }

  const base64 = (text: string): string => Buffer.from(text).toString('base64')

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'althing-etcd-tls-'))
    authority = new TestAuthority(folder)
    servers = await EtcdServers.start({
      members: 1,
      flags: { ...quickElections, 'auth-token-ttl': '2' },
      tls: { caFile: authority.caFile, ...authority.issue('server') },
    })
    for (const [user, password] of [
      ['root', 'r'],
      ['app', 'secret'],
    ] as const)
      await operate('auth/user/add', { name: user, password })
    await operate('auth/role/add', { name: 'root' })
    await operate('auth/user/grant', { user: 'root', role: 'root' })
    await operate('auth/role/add', { name: 'app' })
    await operate('auth/role/grant', {
      name: 'app',
      perm: { permType: 'READWRITE', key: base64('app/'), range_end: base64('app0') },
    })
    await operate('auth/user/grant', { user: 'app', role: 'app' })
    await operate('auth/enable', {})
  })

  afterAll(async () => {
    await servers?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const address = (): string => `etcd://${servers.addresses.join(',')}`

  test('lets a name with its password do what its roles allow, and goes on when its token has run out', async () => {
    const althing = await open(address(), { world: loopWorld(), user: 'app', password: 'secret' })
    await althing.store.put('app/a', 1)
    await expect(althing.store.put('elsewhere', 1)).rejects.toMatchObject({
      code: 'permission-denied',
      outcome: 'none',
    })
    const changes = althing.store.watchPrefix('elsewhere/')[Symbol.asyncIterator]()
    await expect(changes.next()).rejects.toMatchObject({ code: 'permission-denied' })
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    await althing.store.put('app/a', 2)
    expect((await althing.store.get('app/a'))?.value).toBe(2)
    await althing.close()
  })

  test('refuses who has no name, or a wrong password', async () => {
    const nobody = await open(address(), { world: loopWorld() })
    await expect(nobody.store.get('app/a')).rejects.toMatchObject({ code: 'unauthenticated' })
    await nobody.close()
    const wrong = { world: loopWorld(), user: 'app', password: 'guess' }
    await expect(open(address(), wrong)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('serves a client with a certificate over TLS, and no other', async () => {
    const url = `etcd://${servers.securedAddresses.join(',')}`
    const user = { user: 'app', password: 'secret' }
    const own = { caFile: authority.caFile, ...authority.issue('client') }
    const althing = await open(url, { world: loopWorld(), ...user, tls: own })
    await althing.store.put('app/tls', 'x')
    expect((await althing.store.get('app/tls'))?.value).toBe('x')
    await althing.close()
    const bare = { world: loopWorld(), ...user, tls: { caFile: authority.caFile }, timeout: '1s' } as const
    await expect(open(url, bare)).rejects.toMatchObject({ code: 'unavailable' })
    const stranger = new TestAuthority(folder, 'stranger')
    const other = { ...own, caFile: stranger.caFile }
    await expect(open(url, { world: loopWorld(), ...user, tls: other, timeout: '1s' })).rejects.toMatchObject(
      {
        code: 'unavailable',
      },
    )
    await expect(open(url, { tls: { caFile: path.join(folder, 'none.pem') } })).rejects.toMatchObject({
      code: 'invalid-argument',
      details: { field: 'tls.caFile' },
    })
  })
})
