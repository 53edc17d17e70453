import { expect, test } from 'vitest'
import { etcdSecurityOf } from './etcd-security.ts'

test('a name and a password come from the options, or the environment', () => {
  expect(etcdSecurityOf({ user: 'a', password: 'b' }, {})).toEqual({ user: { name: 'a', password: 'b' } })
  expect(etcdSecurityOf({}, { ALTHING_USER: 'a', ALTHING_PASSWORD: 'b' })).toEqual({
    user: { name: 'a', password: 'b' },
  })
  expect(etcdSecurityOf({}, {})).toEqual({})
  expect(() => etcdSecurityOf({ user: 'a' }, {})).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  )
})

test('what only a cluster knows is refused where it is given, and passed over where it is around', () => {
  for (const options of [{ token: 'x' }, { secret: 'x' }])
    expect(() => etcdSecurityOf(options, {})).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  expect(etcdSecurityOf({}, { ALTHING_TOKEN: 'x', ALTHING_SECRET: 'y', ALTHING_SECRET_FILE: '/z' })).toEqual(
    {},
  )
})

test('a certificate that cannot be read is named', () => {
  expect(() => etcdSecurityOf({ tls: { caFile: '/no/such/file.pem' } }, {})).toThrow(
    expect.objectContaining({ code: 'invalid-argument', details: { field: 'tls.caFile' } }),
  )
})
