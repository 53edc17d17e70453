import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { NodeClient } from '../../../engines/cluster/node-client.ts'
import type { Plain } from '../../../engines/cluster/operator-calls.ts'
import { type HttpTestBed, openHttpTestBed } from '../http-test-bed.test-support.ts'

const base = '/api/v1/config'
const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })
const put = (body: unknown): RequestInit => ({ method: 'PUT', body: JSON.stringify(body) })

interface Document {
  readonly latest: number
  readonly stable: { readonly version: number; readonly values: Record<string, { value?: unknown }> }
  readonly staged?: { readonly share: number }
}

async function change(bed: HttpTestBed, scope: string, body: object): Promise<Document> {
  return (await bed.json(`${base}/${scope}/change`, post({ author: 'ada', ...body }))) as Document
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('configurations over HTTP', () => {
  test('are written in layers and read with where each value comes from', async () => {
    await using bed = await openHttpTestBed()
    await change(bed, '*', { set: { region: 'north', pool: 5 } })
    await change(bed, 'orders', { set: { pool: 10 }, message: 'first', expectedVersion: 0 })
    await change(bed, 'orders', { set: { pool: 30 }, instance: 'orders-1' })
    expect(await bed.json(base)).toMatchObject([
      { scope: '*', stable: 1, keys: 2 },
      { scope: 'orders', stable: 2, keys: 1, author: 'ada' },
    ])
    expect(await bed.json(`${base}/orders/effective`)).toMatchObject({
      values: { region: { value: 'north', layer: 'global' }, pool: { value: 10, layer: 'service' } },
    })
    expect(await bed.json(`${base}/orders/effective?instance=orders-1`)).toMatchObject({
      version: 2,
      globalVersion: 1,
      values: { region: { layer: 'global' }, pool: { value: 30, layer: 'instance' } },
    })
    await change(bed, 'orders', { unset: ['pool'], instance: 'orders-1' })
    expect(await bed.json(`${base}/orders`)).toMatchObject({ latest: 3, stable: { instances: {} } })
  })

  test('a value that does not fit is refused by its field, and nothing has changed', async () => {
    await using bed = await openHttpTestBed()
    await change(bed, 'orders', { set: { pool: 10, name: 'a' } })
    const schema = {
      type: 'object',
      properties: { pool: { type: 'integer', minimum: 1 }, name: { type: 'string' } },
    }
    await bed.json(`${base}/orders/schema`, put({ schema, author: 'ada' }))
    const refused = await bed.json(
      `${base}/orders/change`,
      post({ set: { pool: 0, name: 7 }, author: 'ben' }),
      400,
    )
    expect(refused).toMatchObject({
      error: {
        code: 'invalid-argument',
        outcome: 'none',
        details: { field: 'pool', issues: [{ field: 'pool' }, { field: 'name' }] },
      },
    })
    expect(await bed.json(`${base}/orders`)).toMatchObject({ latest: 2, schema })
    await bed.json(`${base}/orders/schema`, put({ schema: null, author: 'ada' }))
    await change(bed, 'orders', { set: { pool: 0 } })
  })

  test('what is not meant so is refused: an older version, nobody as author, fields that are not there', async () => {
    await using bed = await openHttpTestBed()
    await change(bed, 'orders', { set: { pool: 10 } })
    const ask = (body: unknown, status: number) => bed.json(`${base}/orders/change`, post(body), status)
    expect(await ask({ set: { pool: 1 }, author: 'ben', expectedVersion: 0 }, 409)).toMatchObject({
      error: { code: 'conflict', outcome: 'none' },
    })
    expect(await ask({ set: { pool: 1 } }, 400)).toMatchObject({ error: { details: { field: 'author' } } })
    await ask({ set: { pool: 1 }, author: 'ben', pools: 1 }, 400)
    await ask({ author: 'ben' }, 400)
    await bed.json(`${base}/orders/effective?labels=zone`, {}, 400)
    await bed.json(`${base}/orders/versions/7`, {}, 404)
    await bed.json(`${base}/a%20b`, {}, 400)
  })

  test('have a history with differences, and a rollback restores exactly', async () => {
    await using bed = await openHttpTestBed()
    await change(bed, 'orders', { set: { pool: 10 }, message: 'first' })
    await change(bed, 'orders', { set: { pool: 20, size: 1 }, message: 'second' })
    expect(await bed.json(`${base}/orders/diff?from=1&to=2`)).toMatchObject([
      { key: 'pool', before: { value: 10 }, after: { value: 20 } },
      { key: 'size', after: { value: 1 } },
    ])
    await bed.json(`${base}/orders/rollback`, post({ to: 1, author: 'cy', message: 'too many' }))
    expect(await bed.json(`${base}/orders/history?limit=2`)).toMatchObject([
      { version: 3, cause: { kind: 'rollback', of: 1 }, author: 'cy', message: 'too many' },
      { version: 2, message: 'second' },
    ])
    expect(await bed.json(`${base}/orders/history?before=2`)).toMatchObject([{ version: 1 }])
    expect(await bed.json(`${base}/orders/diff?from=1&to=3`)).toEqual([])
    expect(await bed.json(`${base}/orders/versions/2`)).toMatchObject({ values: { size: { value: 1 } } })
  })

  test('are released in stages by share and labels, promoted, and taken back', async () => {
    await using bed = await openHttpTestBed()
    await change(bed, 'orders', { set: { pool: 10 } })
    const release = { match: { zone: 'north' } }
    await change(bed, 'orders', { set: { pool: 20 }, release })
    const poolAt = async (query: string): Promise<unknown> => {
      const view = await bed.json(`${base}/orders/effective?instance=a${query}`)
      return (view as { readonly values: Document['stable']['values'] }).values['pool']?.value
    }
    expect(await poolAt('&labels=zone=north,disk=ssd')).toBe(20)
    expect(await poolAt('&labels=zone=south')).toBe(10)
    const step = (what: string, body: object) =>
      bed.json(`${base}/orders/${what}`, post({ author: 'ben', ...body })) as Promise<Document>
    await step('release', { share: 50 })
    expect((await step('release', { share: 100 })).staged).toMatchObject({ share: 100 })
    await bed.json(`${base}/orders/release`, post({ author: 'ben', share: 10 }), 400)
    expect(await poolAt('')).toBe(20)
    await step('abort', { message: 'no' })
    expect(await poolAt('&labels=zone=north')).toBe(10)
    await change(bed, 'orders', { set: { pool: 30 }, release: { share: 1 } })
    expect((await step('promote', {})).stable.values['pool']?.value).toBe(30)
    await bed.json(`${base}/orders/promote`, post({ author: 'ben' }), 404)
  })

  test('tell what each instance runs', async () => {
    await using bed = await openHttpTestBed()
    const { open } = await import('../../../index.ts')
    await change(bed, 'orders', { set: { pool: 10 } })
    const client = await open(`althing://${bed.server.node.address}`)
    const reader = client.config.open('orders', { instance: 'orders-1', labels: { zone: 'north' } })
    try {
      await reader.ready
      const list = () => bed.json(`${base}/orders/instances`)
      await expect
        .poll(list, { timeout: 20_000 })
        .toMatchObject([{ instance: 'orders-1', version: 1, labels: { zone: 'north' } }])
      expect(await bed.json(`${base}/*/instances`)).toMatchObject([{ service: 'orders' }])
    } finally {
      await client.close()
    }
  })

  test('secrets are sealed by the keys of the node, and never shown', async () => {
    vi.stubEnv('ALTHING_CONFIG_KEYS', `k1:${randomBytes(32).toString('base64')}`)
    await using bed = await openHttpTestBed()
    await change(bed, 'orders', { set: { password: 'hunter2', user: 'app' }, secret: ['password'] })
    await change(bed, 'orders', { set: { password: 'hunter3' } })
    const paths = ['', '/effective', '/history', '/versions/1', '/diff?from=0&to=2', '/diff?from=1&to=2']
    for (const path of paths) {
      const text = JSON.stringify(await bed.json(`${base}/orders${path}`))
      expect(text).not.toContain('hunter')
    }
    expect(await bed.json(`${base}/orders`)).toMatchObject({
      stable: { values: { password: { isSecret: true, key: 'k1' }, user: { value: 'app' } } },
    })
    const kept = (await bed.json('/api/v1/kv?prefix=/althing/config/')) as { items: { value?: string }[] }
    expect(kept.items.length).toBeGreaterThan(0)
    for (const { value = '' } of kept.items)
      expect(value + Buffer.from(value, 'base64').toString('utf8')).not.toContain('hunter')
  })

  test('a node without keys takes no secret, and says why', async () => {
    vi.stubEnv('ALTHING_CONFIG_KEYS', '')
    vi.stubEnv('ALTHING_CONFIG_KEYS_FILE', '')
    await using bed = await openHttpTestBed()
    const body = { set: { password: 'hunter2' }, secret: ['password'], author: 'ada' }
    const text = JSON.stringify(await bed.json(`${base}/orders/change`, post(body), 400))
    expect(text).not.toContain('hunter2')
    expect(await bed.json(base)).toEqual([])
  })
})

describe('configurations over HTTP with access control on', () => {
  test('who may read a scope sees it, who may write it changes it under its own name', async () => {
    await using bed = await openHttpTestBed()
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
    const user = async (name: string, prefixes: readonly string[], rights: string[]): Promise<string> => {
      await operate('access.role.add', { name })
      for (const key of prefixes)
        await operate('access.role.grant', { name, grant: { key, end: endOf(key), rights } })
      await operate('access.user.add', { name, roles: [name] })
      return (await operate('access.token.create', { user: name }))['token'] ?? ''
    }
    const shared = '/althing/config/current/*'
    const scope = (name: string) => [`/althing/config/current/${name}`, `/althing/config/history/${name}/`]
    await change(bed, '*', { set: { region: 'north' } })
    await change(bed, 'billing', { set: { pool: 1 } })
    root = (await operate('access.enable'))['token'] ?? ''
    const reader = await user('reader', [...scope('orders'), shared], ['read'])
    const writer = await user('writer', [...scope('orders'), shared], ['read', 'write'])
    const as = (token: string, init: RequestInit = {}): RequestInit => ({
      ...init,
      headers: { authorization: `Bearer ${token}` },
    })
    const path = `${base}/orders/change`
    await bed.json(path, post({ set: { pool: 1 }, author: 'ada' }), 401)
    await bed.json(path, as(reader, post({ set: { pool: 1 } })), 403)
    await bed.json(path, as(writer, post({ set: { pool: 1 } })))
    await bed.json(path, as(writer, post({ set: { pool: 2 }, author: 'ada' })))
    const history = await bed.json(`${base}/orders/history`, as(reader))
    expect(history).toMatchObject([{ author: 'ada (writer)' }, { author: 'writer' }])
    for (const token of [reader, writer]) {
      await bed.json(`${base}/billing`, as(token), 403)
      await bed.json(base, as(token), 403)
      await bed.json(`${base}/billing/change`, as(token, post({ set: { pool: 1 } })), 403)
      await bed.json(`${base}/orders/effective`, as(token))
    }
    expect(await bed.json(base, as(root))).toHaveLength(3)
  })
})

/** The key after all that begin with this one. */
function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}
