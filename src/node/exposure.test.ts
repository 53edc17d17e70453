import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { assertMayListen, type Exposure, isLoopback } from './exposure.ts'
import { startNodeServer } from './node-server.ts'

const local: Exposure = {
  listen: '127.0.0.1:7400',
  http: '127.0.0.1:7500',
  isSecured: false,
  hasHttpTls: false,
  isHttpInsecure: false,
}
const folder = mkdtempSync(join(tmpdir(), 'althing-exposure-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('an address', () => {
  test('is of this machine alone when it is a loopback address, and only then', () => {
    for (const address of ['127.0.0.1:1', '127.9.9.9:65535', 'localhost:7400', '[::1]:7400'])
      expect([address, isLoopback(address)]).toEqual([address, true])
    for (const address of [
      '0.0.0.0:1',
      '[::]:1',
      '10.0.0.1:1',
      'localhost.example:1',
      '127.0.0.1.example:1',
      ':7400',
      '::1:7400',
    ])
      expect([address, isLoopback(address)]).toEqual([address, false])
  })
})

describe('a node', () => {
  test('on this machine alone needs no protection', () => {
    expect(() => assertMayListen(local)).not.toThrow()
    expect(() => assertMayListen({ ...local, http: undefined, listen: undefined })).not.toThrow()
  })

  test('that others reach needs a cluster secret or certificates: the error says what was given, and what mends it', () => {
    const exposed = { ...local, listen: '0.0.0.0:7400' }
    for (const part of [
      'listen',
      '0.0.0.0:7400',
      '127.0.0.1',
      '--secret-file',
      '--tls-ca',
      '--tls-cert',
      '--tls-key',
    ])
      expect(() => assertMayListen(exposed)).toThrow(part)
    expect(() => assertMayListen({ ...exposed, isSecured: true })).not.toThrow()
  })

  test('whose HTTP address others reach needs a certificate for it, or a proxy that is vouched for', () => {
    const exposed = { ...local, isSecured: true, http: '10.0.0.1:7500' }
    for (const part of ['http', '10.0.0.1:7500', '--http-cert', '--http-key', '--http-insecure'])
      expect(() => assertMayListen(exposed)).toThrow(part)
    expect(() => assertMayListen({ ...exposed, hasHttpTls: true })).not.toThrow()
    expect(() => assertMayListen({ ...exposed, isHttpInsecure: true })).not.toThrow()
  })

  test('refuses before it has touched its folder', async () => {
    const options = { id: 1, clusterId: 'test', dataFolder: join(folder, 'node') }
    const member = (address: string) => ({ ...options, members: [{ id: 1, address }] })
    await expect(startNodeServer(member('0.0.0.0:7400'))).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(startNodeServer({ ...member('127.0.0.1:7400'), listen: '[::]:7400' })).rejects.toMatchObject(
      { code: 'invalid-argument' },
    )
    const secretFile = join(folder, 'secret')
    writeFileSync(secretFile, 'a secret that is long enough')
    await expect(
      startNodeServer({ ...member('127.0.0.1:7400'), tls: { secretFile }, http: '0.0.0.0:7500' }),
    ).rejects.toMatchObject({ code: 'invalid-argument' })
    expect(readdirSync(folder)).toEqual(['secret'])
  })
})
