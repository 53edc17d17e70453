// Who may do what, on real nodes that prove themselves to each other: rights through the client, the command and HTTP; their end; and secrets that change.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { type Althing, type OpenOptions, open } from 'althing'
import { clientSecretOf, createNodeWorld, NodeLogger } from 'althing/world'
import { afterAll, describe, expect, test } from 'vitest'
import { freePorts } from '../../src/node/free-ports.ts'
import { hasOpenssl, TestAuthority } from '../../src/world/certificates.test-support.ts'
import { Child, killAllChildren } from './support/child.ts'
import { eventually, pause } from './support/eventually.ts'
import { type ClusterMember, clusterName, NodeCluster, type Reach } from './support/node-cluster.ts'
import { removeScratchFolders, scratchFolder } from './support/scratch-folder.ts'

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

type Tls = NonNullable<OpenOptions['tls']>
type Environment = Readonly<Record<string, string>>

const logger = new NodeLogger('error')

/** What is revoked must have no effect on any node after this time. */
const revocationMsMax = 2_000

interface Result {
  readonly code: number | null
  readonly out: unknown
  readonly error: string | undefined
}

/** A command of `althing` against the cluster; its answer as JSON, or the code of its failure. */
async function run(cluster: NodeCluster, env: Environment, ...args: readonly string[]): Promise<Result> {
  const child = Child.command([...args, '--url', cluster.url, '--json'], { env })
  const { code } = await child.ending()
  const text = child.lines.join('\n')
  const failure = /"code":"([\w-]+)"/.exec(child.errors)?.[1]
  return { code, out: text === '' ? undefined : JSON.parse(text), error: failure }
}

async function done(cluster: NodeCluster, env: Environment, ...args: readonly string[]) {
  const { code, out, error } = await run(cluster, env, ...args)
  expect([args.join(' '), code, error]).toEqual([args.join(' '), 0, undefined])
  return out as Readonly<Record<string, string>>
}

/** `'done'`, or the code of the failure. */
async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return (error as { code: string }).code
  }
}

interface Asked {
  readonly path: string
  readonly authorization: string
  readonly method?: string
  readonly body?: string
}

/** The status of an answer over HTTPS. */
function http(
  member: ClusterMember,
  caFile: string,
  { path, authorization, method, body }: Asked,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { ca: readFileSync(caFile), headers: { authorization }, method, agent: false }
    const request = https.request(`https://${member.http}/api/v1/${path}`, options, (reply) => {
      reply.resume()
      reply.once('end', () => resolve(reply.statusCode ?? 0))
    })
    request.once('error', reject)
    request.end(body)
  })
}

/** Three nodes with certificates of one authority; clients may come without, once access control is on. */
class CertifiedCluster {
  readonly cluster: NodeCluster
  readonly tls: Tls
  readonly reach: Reach
  readonly #env: Environment
  readonly #admin: Environment
  readonly #args: readonly string[]

  static async start(): Promise<CertifiedCluster> {
    const folder = scratchFolder('certificates')
    const authority = new TestAuthority(folder)
    const node = authority.issue('althing-node', 'node')
    const admin = authority.issue('admin')
    const { caFile } = authority
    const reach = { world: createNodeWorld({ dataFolder: '.', logger, tls: { caFile, ...admin } }) }
    const cluster = await NodeCluster.create(3, { reach })
    const own = new CertifiedCluster(cluster, { caFile, node, admin }, reach)
    for (const member of cluster.members) own.startNode(member)
    await cluster.ready()
    return own
  }

  private constructor(
    cluster: NodeCluster,
    files: {
      caFile: string
      node: { certFile: string; keyFile: string }
      admin: { certFile: string; keyFile: string }
    },
    reach: Reach,
  ) {
    const { caFile, node, admin } = files
    this.cluster = cluster
    this.reach = reach
    this.tls = { caFile }
    this.#env = { ALTHING_TLS_CA: caFile }
    this.#admin = { ...this.#env, ALTHING_TLS_CERT: admin.certFile, ALTHING_TLS_KEY: admin.keyFile }
    const own = ['--tls-ca', caFile, '--tls-cert', node.certFile, '--tls-key', node.keyFile]
    this.#args = [...own, '--tls-clients', 'optional']
  }

  startNode(member: ClusterMember): void {
    member.start({ args: this.#args })
  }

  get stranger(): Environment {
    return this.#env
  }

  get admin(): Environment {
    return this.#admin
  }

  as(token: string): Environment {
    return { ...this.#env, ALTHING_TOKEN: token }
  }

  open(token: string, member?: ClusterMember): Promise<Althing> {
    const url = member === undefined ? this.cluster.url : `althing://${member.address}`
    return open(url, { token, tls: this.tls, clusterId: clusterName })
  }
}

/** How each way to the store answers one who may use keys under `orders/` and nothing else. */
async function expectOwnRights(
  own: CertifiedCluster,
  token: string,
  members: readonly ClusterMember[],
): Promise<void> {
  for (const member of members) {
    const althing = await own.open(token, member)
    const key = `orders/${member.id}`
    await althing.store.put(key, 1)
    expect((await althing.store.get(key))?.value).toBe(1)
    expect((await althing.raw.grantLease({ ttlMs: 60_000 })).lease).toBeGreaterThan(0)
    expect(await outcomeOf(althing.store.put('other', 1))).toBe('permission-denied')
    expect(await outcomeOf(althing.store.get('other'))).toBe('permission-denied')
    expect(await outcomeOf(althing.raw.compact(2))).toBe('permission-denied')
    await althing.close()
    const ask = (path: string, method = 'GET', body?: string): Promise<number> =>
      http(member, own.tls.caFile, {
        path,
        method,
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { body }),
      })
    expect(await ask(`kv/${key}`)).toBe(200)
    expect(await ask('kv/orders/http', 'PUT', 'v')).toBe(200)
    expect(await ask('kv/other', 'PUT', 'v')).toBe(403)
    expect(await ask('kv?prefix=other')).toBe(403)
    expect(await ask('live')).toBe(403)
  }
}

describe.skipIf(!hasOpenssl)('a cluster with certificates and access control', () => {
  test('gives each caller its rights, through client, command and HTTP, until they are revoked, whoever leads', async () => {
    const own = await CertifiedCluster.start()
    const { cluster, reach } = own
    // Without access control a certificate is all that keeps strangers out.
    expect(await run(cluster, own.stranger, 'get', 'a')).toMatchObject({ code: 1, error: 'unauthenticated' })
    const { token: root = '' } = await done(cluster, own.admin, 'access', 'enable')
    reach.credentials = { token: root }
    expect(await run(cluster, own.stranger, 'status')).toMatchObject({ code: 1, error: 'unauthenticated' })
    const asRoot = own.as(root)
    await done(cluster, asRoot, 'access', 'role', 'add', 'orders')
    await done(
      cluster,
      asRoot,
      'access',
      'role',
      'grant',
      'orders',
      'read,write,lease',
      '--prefix',
      'orders/',
    )
    await done(cluster, asRoot, 'access', 'user', 'add', 'shop', '--roles', 'orders')
    const made = () => done(cluster, asRoot, 'access', 'token', 'create', 'shop')
    const [kept, leaked] = [await made(), await made()]
    const { token = '' } = kept

    await expectOwnRights(own, token, cluster.members)
    const asShop = own.as(token)
    const denied = { code: 1, error: 'permission-denied' }
    const commands: [Environment, object, ...string[]][] = [
      [asShop, { code: 0 }, 'put', 'orders/cli', '1'],
      [asShop, denied, 'put', 'other', '1'],
      [asShop, denied, 'member', 'list'],
      [asShop, denied, 'access', 'token', 'list'],
      [asRoot, { code: 0 }, 'member', 'list'],
    ]
    const results = commands.map(([env, , ...args]) => run(cluster, env, ...args))
    expect(await Promise.all(results)).toMatchObject(commands.map(([, expected]) => expected))

    await expectRevoked(own, asRoot, leaked as { id: string; token: string })

    const leader = await cluster.leader()
    await leader.kill()
    const left = cluster.members.filter((member) => member !== leader)
    await eventually('the others lead on', async () => cluster.presentLeader())
    await expectOwnRights(own, token, left)
    own.startNode(leader)
    await leader.ready()
    await expectOwnRights(own, token, [leader])
    const late = await own.open(leaked['token'] ?? '', leader).catch((error: { code: string }) => error.code)
    expect(late).toBe('unauthenticated')

    await expectAudited(cluster, asRoot)
    await cluster.stop()
  })
})

/** A token that is in use at every node, by client and HTTP, is revoked. */
async function expectRevoked(
  own: CertifiedCluster,
  asRoot: Environment,
  { id, token }: { readonly id: string; readonly token: string },
): Promise<void> {
  const { cluster, tls } = own
  const clients = await Promise.all(cluster.members.map((member) => own.open(token, member)))
  for (const [i, althing] of clients.entries()) await althing.store.put(`orders/${i}`, 'before')
  await done(cluster, asRoot, 'access', 'token', 'revoke', id)
  const acknowledgedMs = performance.now()
  for (const [i, althing] of clients.entries())
    expect(await outcomeOf(althing.store.put(`orders/${i}`, 'after'))).toBe('unauthenticated')
  for (const member of cluster.members) {
    const asked = { path: 'kv/orders/0', authorization: `Bearer ${token}` }
    await eventually(
      `node ${member.id} refuses the revoked token over HTTP`,
      async () => (await http(member, tls.caFile, asked)) === 401,
      revocationMsMax,
    )
  }
  expect(performance.now() - acknowledgedMs).toBeLessThan(revocationMsMax)
  await Promise.all(clients.map((althing) => althing.close()))
}

async function expectAudited(cluster: NodeCluster, env: Environment): Promise<void> {
  const { lines } = (await done(cluster, env, 'access', 'audit', '--lines', '1000')) as unknown as {
    lines: readonly { who: string; what: string; outcome: string; details?: unknown }[]
  }
  const has = (who: string, what: string, outcome: string): boolean =>
    lines.some((line) => line.who === who && line.what === what && line.outcome === outcome)
  const actions = [
    'access.role.add',
    'access.role.grant',
    'access.user.add',
    'access.token.create',
    'access.token.revoke',
  ]
  for (const what of actions)
    expect([what, has('root', what, 'begun'), has('root', what, 'done')]).toEqual([what, true, true])
  expect(has('shop', 'member.list', 'denied')).toBe(true)
  expect(has('shop', 'txn', 'denied')).toBe(true)
  expect(JSON.stringify(lines)).not.toContain('alt_')
}

const oldSecret = 'the first secret of this cluster'
const newSecret = 'the second secret of this cluster'

describe('a cluster with a secret', () => {
  test('keeps out who does not know it, and changes it while it serves', async () => {
    const folder = scratchFolder('secrets')
    const fileOf = (id: number): string => join(folder, `secret-${id}`)
    const writeSecrets = (...secrets: readonly string[]): void => {
      for (const id of [1, 2, 3]) writeFileSync(fileOf(id), `${secrets.join('\n')}\n`)
    }
    writeSecrets(oldSecret)
    const reach = { world: createNodeWorld({ dataFolder: '.', logger, tls: { secretFile: fileOf(1) } }) }
    const cluster = await NodeCluster.create(3, { reach })
    for (const member of cluster.members) member.start({ args: ['--secret-file', fileOf(member.id)] })
    await cluster.ready()
    const oldClient = await open(cluster.url, { secret: clientSecretOf(oldSecret) })
    await oldClient.store.put('a', 'old')
    const connect = (secret: string): Promise<string> =>
      outcomeOf(open(cluster.url, { secret, timeout: '2s' }).then((althing) => althing.close()))
    expect(await connect(clientSecretOf(newSecret))).toBe('unavailable')
    await expectNoAdmission(cluster, folder)

    // As the documentation says: all accept both, all use the new one, all forget the old one.
    for (const secrets of [[oldSecret, newSecret], [newSecret, oldSecret], [newSecret]]) {
      writeSecrets(...secrets)
      await pause(1_000)
      await oldClient.store.put('a', secrets.length)
    }
    const stopped = await cluster.follower()
    await stopped.kill()
    stopped.start({ args: ['--secret-file', fileOf(stopped.id)] })
    await stopped.ready()
    expect(await connect(clientSecretOf(newSecret))).toBe('done')
    expect(await connect(clientSecretOf(oldSecret))).toBe('unavailable')
    const newClient = await open(`althing://${stopped.address}`, { secret: clientSecretOf(newSecret) })
    expect((await newClient.store.get('a'))?.value).toBe(1)
    await newClient.close()
    await oldClient.close()
    await cluster.stop()
  })
})

/** One that was invited, with a secret that is not the cluster's. */
async function expectNoAdmission(cluster: NodeCluster, folder: string): Promise<void> {
  const env = { ALTHING_SECRET: oldSecret }
  const { id, token = '' } = await done(cluster, env, 'member', 'add')
  const [port] = await freePorts(1)
  const wrong = join(folder, 'wrong')
  writeFileSync(wrong, `${newSecret}\n`)
  const data = mkdtempSync(join(folder, 'stranger-'))
  const args = ['join', token, '--listen', `127.0.0.1:${port}`, '--data', data, '--secret-file', wrong]
  const stranger = Child.command(args)
  await eventually('the nodes refuse its handshake', () =>
    cluster.members.some(({ process }) =>
      process.log.some(({ msg }) => msg === 'a connection was refused before its greeting'),
    ),
  )
  await pause(1_500)
  expect(stranger.isRunning).toBe(true)
  const { members } = (await done(cluster, env, 'member', 'list')) as unknown as {
    members: readonly { id: number; state: string }[]
  }
  expect(members.find((member) => member.id === Number(id))?.state).toBe('invited')
  await stranger.kill()
}
