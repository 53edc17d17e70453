import { expect, test } from 'vitest'
import { natsSecurityOf } from './nats-security.ts'

const url = 'nats://127.0.0.1:4222'

test('a client of NATS shows a token, or a name with its password, from options or the environment', () => {
  expect(natsSecurityOf(url, { token: 't' }, {})).toEqual({ token: 't' })
  expect(natsSecurityOf(url, { user: 'a', password: 'b' }, {})).toEqual({ user: 'a', pass: 'b' })
  expect(natsSecurityOf(url, {}, { ALTHING_USER: 'a', ALTHING_PASSWORD: 'b' })).toEqual({
    user: 'a',
    pass: 'b',
  })
  expect(natsSecurityOf(url, {}, {})).toEqual({})
})

test('what the URL shows goes before', () => {
  const env = { ALTHING_TOKEN: 't' }
  expect(natsSecurityOf('nats://a:b@127.0.0.1:4222', {}, env)).toEqual({})
  expect(natsSecurityOf(url, {}, env)).toEqual({ token: 't' })
})

test('a cluster secret is refused where it is given, and passed over where it lies about', () => {
  const refusal = expect.objectContaining({ code: 'invalid-argument' })
  expect(() => natsSecurityOf(url, { secret: 'x' }, {})).toThrow(refusal)
  expect(natsSecurityOf(url, {}, { ALTHING_SECRET: 'x', ALTHING_SECRET_FILE: '/z' })).toEqual({})
  expect(() => natsSecurityOf(url, { tls: { caFile: '/no/such/file.pem' } }, {})).toThrow(refusal)
})
