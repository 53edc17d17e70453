import { describe, expect, test } from 'vitest'
import { formatTime } from './format-time.ts'
import { securityFrom } from './security-arguments.ts'

const certificates = { tlsCa: 'ca.pem', tlsCert: 'node.pem', tlsKey: 'node.key' }

describe('the protection of a node', () => {
  test('is a secret, or certificates, or none', () => {
    expect(securityFrom({})).toEqual({})
    expect(securityFrom({ secretFile: 's' })).toEqual({ tls: { secretFile: 's' } })
    const own = { caFile: 'ca.pem', certFile: 'node.pem', keyFile: 'node.key' }
    expect(securityFrom(certificates)).toEqual({ tls: own })
    expect(securityFrom({ ...certificates, tlsClients: 'optional', tlsNodeNames: 'a, b' })).toEqual({
      tls: { ...own, clientCertificates: 'optional', nodeNames: ['a', 'b'] },
    })
  })

  test('by half of what it needs, or by two ways at once, is refused with the option that is wrong', () => {
    expect(() => securityFrom({ tlsCa: 'ca.pem', tlsCert: 'node.pem' })).toThrow(/--tls-ca.*--tls-key/)
    expect(() => securityFrom({ tlsClients: 'optional' })).toThrow(/--tls-ca/)
    expect(() => securityFrom({ ...certificates, secretFile: 's' })).toThrow(/--secret-file/)
    expect(() => securityFrom({ httpCert: 'c' })).toThrow(/--http-key/)
  })

  test('has limits for each caller where they are given', () => {
    expect(securityFrom({ requestsPerSecond: '100', bytesPerSecond: '1000000', httpInsecure: true })).toEqual(
      {
        rateLimits: { requestsPerSecond: 100, bytesPerSecond: 1_000_000 },
        isHttpInsecure: true,
      },
    )
    expect(() => securityFrom({ requestsPerSecond: 'many' })).toThrow(/--requests-per-second/)
  })
})

test('a moment is shown in one form, in UTC, to the second', () => {
  expect(formatTime(0)).toBe('1970-01-01 00:00:00Z')
  expect(formatTime(1_795_278_297_999)).toBe('2026-11-21 16:24:57Z')
})
