import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { Connection, ConnectionIdentity, ConnectOptions, Listener, Logger } from '../contracts/world.ts'
import { hasOpenssl, TestAuthority } from './certificates.test-support.ts'
import { clientSecretOf } from './cluster-secret.ts'
import { NodeNetwork } from './network.ts'
import type { TlsOptions } from './tls-options.ts'
import { createTransportSecurity } from './transport-security.ts'

const folder = mkdtempSync(join(tmpdir(), 'althing-tls-'))
const lines: string[] = []
const logger: Logger = { log: (level, message) => void lines.push(`${level}: ${message}`) }
const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
  lines.length = 0
})
afterAll(() => rmSync(folder, { recursive: true }))

function network(options?: TlsOptions): NodeNetwork {
  return new NodeNetwork(logger, options === undefined ? undefined : createTransportSecurity(options, logger))
}

interface Server extends Listener {
  readonly callers: (ConnectionIdentity | undefined)[]
}

/** Answers each frame with itself. */
async function listen(on: NodeNetwork): Promise<Server> {
  const callers: (ConnectionIdentity | undefined)[] = []
  const listener = await on.listen('127.0.0.1:0', (connection) => {
    callers.push(connection.identity)
    connection.handle({ frame: (frame) => connection.send(frame), closed: () => {} })
  })
  open.push(listener)
  return Object.assign(listener, { callers })
}

/** Connects, and has a frame sent back: `'ok'`, or the code of the failure. */
async function call(from: NodeNetwork, address: string, as?: ConnectOptions['as']): Promise<string> {
  try {
    const connection = await from.connect(address, as === undefined ? {} : { as })
    open.push(connection)
    return await echoed(connection)
  } catch (error) {
    return (error as { code: string }).code
  }
}

function echoed(connection: Connection): Promise<string> {
  return new Promise((resolve) => {
    connection.handle({
      frame: (frame) => resolve(Buffer.from(frame).toString()),
      closed: () => resolve('closed'),
    })
    connection.send(Buffer.from('ok'))
  })
}

const first = 'the first secret of the cluster'
const second = 'the second secret of the cluster'

describe('connections secured by a secret', () => {
  test('open for who knows it, as a node or as a client, and for nobody else', async () => {
    const server = await listen(network({ secret: first }))
    const { address } = server
    expect(await call(network({ secret: first }), address, 'node')).toBe('ok')
    expect(await call(network({ secret: first }), address)).toBe('ok')
    expect(server.callers.map((each) => each?.isNode)).toEqual([true, false])
    expect(await call(network({ secret: second }), address, 'node')).toBe('unavailable')
    expect(await call(network(), address)).toBe('unavailable')
    expect(server.callers).toHaveLength(2)
  })

  test('open with the client secret for clients alone: it makes no node, and listens for none', async () => {
    const server = await listen(network({ secret: first }))
    const client = network({ secret: clientSecretOf(first) })
    expect(await call(client, server.address)).toBe('ok')
    expect(server.callers.map((each) => each?.isNode)).toEqual([false])
    expect(await call(client, server.address, 'node')).toBe('invalid-argument')
    await expect(client.listen('127.0.0.1:0', () => {})).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('change their secret without a restart, with both valid in between', async () => {
    const file = join(folder, 'secret')
    writeFileSync(file, `${first}\n`)
    const node = network({ secretFile: file })
    const server = await listen(node)
    const [old, fresh] = [network({ secret: first }), network({ secret: second })]
    const both = async (): Promise<string[]> => [
      await call(old, server.address, 'node'),
      await call(fresh, server.address, 'node'),
    ]
    expect(await both()).toEqual(['ok', 'unavailable'])
    const kept = await old.connect(server.address, { as: 'node' })
    open.push(kept)

    writeFileSync(file, `# being replaced\n${first}\n${second}\n`)
    node.reload()
    expect(await both()).toEqual(['ok', 'ok'])
    // It dials with the first of the two still.
    const oldServer = await listen(network({ secret: first }))
    expect(await call(node, oldServer.address, 'node')).toBe('ok')

    writeFileSync(file, `${second}\n${first}\n`)
    node.reload()
    expect(await both()).toEqual(['ok', 'ok'])
    expect(await call(node, oldServer.address, 'node')).toBe('unavailable')

    writeFileSync(file, `${second}\n`)
    node.reload()
    expect(await both()).toEqual(['unavailable', 'ok'])
    expect(await echoed(kept)).toBe('ok')
  })

  test('keep the secret they have when the file becomes senseless, and say so', async () => {
    const file = join(folder, 'spoilt')
    writeFileSync(file, `${first}\n`)
    const node = network({ secretFile: file })
    const server = await listen(node)
    writeFileSync(file, 'short\n')
    node.reload()
    expect(await call(network({ secret: first }), server.address)).toBe('ok')
    rmSync(file)
    node.reload()
    expect(await call(network({ secret: first }), server.address)).toBe('ok')
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(2)
    expect(lines.join()).not.toContain(first)
  })

  test('are refused from the start with a secret that is too short', () => {
    expect(() => network({ secret: 'short' })).toThrow(/16 bytes/)
  })
})

describe.skipIf(!hasOpenssl)('connections secured by certificates', () => {
  const authority = hasOpenssl ? new TestAuthority(folder) : (undefined as unknown as TestAuthority)
  const stranger = hasOpenssl ? new TestAuthority(folder, 'stranger') : authority
  const nodeFiles = authority?.issue('althing-node', 'node-1')
  const { caFile } = authority ?? { caFile: '' }
  const nodeTls = { caFile, ...nodeFiles }

  test('open for certificates of the authority; which one it is says who calls, and whether it is a node', async () => {
    const server = await listen(network(nodeTls))
    const app = { caFile, ...authority.issue('shop') }
    const twin = { caFile, ...authority.issue('althing-node', 'node-2') }
    expect(await call(network(twin), server.address, 'node')).toBe('ok')
    expect(await call(network(app), server.address)).toBe('ok')
    expect(server.callers).toEqual([
      { kind: 'certificate', name: 'althing-node', isNode: true },
      { kind: 'certificate', name: 'shop', isNode: false },
    ])
    expect(await call(network({ caFile }), server.address)).toBe('unavailable')
    const forged = { caFile, ...stranger.issue('althing-node', 'forged') }
    expect(await call(network(forged), server.address, 'node')).toBe('unavailable')
    expect(server.callers).toHaveLength(2)
  })

  test('are not made with a server of another authority, nor as a node with one that is none', async () => {
    const impostor = await listen(network({ caFile, ...stranger.issue('althing-node', 'impostor') }))
    expect(await call(network(nodeTls), impostor.address)).toBe('unavailable')
    const app = await listen(network({ caFile, ...authority.issue('shop', 'shop-server') }))
    expect(await call(network(nodeTls), app.address, 'node')).toBe('unavailable')
  })

  test('without a certificate of the client are allowed where that is said, and tell the caller apart', async () => {
    const server = await listen(network({ ...nodeTls, clientCertificates: 'optional' }))
    expect(await call(network({ caFile }), server.address)).toBe('ok')
    expect(server.callers).toEqual([{ kind: 'anonymous', name: '', isNode: false }])
  })

  test('are made with a new certificate once the files have changed, while older ones go on', async () => {
    const files = authority.issue('althing-node', 'changing')
    const node = network({ caFile, ...files })
    const server = await listen(node)
    const client = network(nodeTls)
    const kept = await client.connect(server.address, { as: 'node' })
    open.push(kept)
    const before = await serialServed(server.address)
    authority.issue('althing-node', 'changing')
    node.reload()
    const after = await serialServed(server.address)
    expect(after).not.toBe(before)
    expect(await call(client, server.address, 'node')).toBe('ok')
    expect(await echoed(kept)).toBe('ok')
  })

  test('keep their certificate when the key beside it is not its own yet', async () => {
    const files = authority.issue('althing-node', 'half')
    const node = network({ caFile, ...files })
    const server = await listen(node)
    const before = await serialServed(server.address)
    copyFileSync(authority.issue('althing-node', 'other').certFile, files.certFile)
    node.reload()
    expect(await serialServed(server.address)).toBe(before)
    expect(lines.some((line) => line.startsWith('error'))).toBe(true)
  })
})

/** The serial number of the certificate that the server shows to a new connection, whoever makes it. */
function serialServed(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':')
    const socket = tls.connect({ host, port: Number(port), rejectUnauthorized: false })
    socket.once('secureConnect', () => {
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      resolve(serialNumber)
    })
    socket.once('error', reject)
  })
}
