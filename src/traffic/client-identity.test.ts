import { describe, expect, test } from 'vitest'
import { identifyClient } from './client-identity.ts'
import { formatIpAddress, IpNetworks, parseIpAddress } from './ip-address.ts'

const options = {
  userHeader: 'x-user-id',
  deviceHeader: 'x-device-id',
  trustedProxies: new IpNetworks(['10.0.0.0/8', 'fd00::/8']),
}

describe('client identity', () => {
  test.each([
    ['the user id first', { 'x-user-id': 'u', 'x-device-id': 'd' }, '1.2.3.4', 'user:u'],
    ['then the device id', { 'x-device-id': 'd' }, '1.2.3.4', 'device:d'],
    ['then the address', {}, '1.2.3.4', 'address:1.2.3.4'],
    ['an empty id is none', { 'x-user-id': ' ', 'x-device-id': '' }, '1.2.3.4', 'address:1.2.3.4'],
    ['an id over its bound is none', { 'x-user-id': 'u'.repeat(257) }, '1.2.3.4', 'address:1.2.3.4'],
    [
      'a user named like an address is not that address',
      { 'x-user-id': '1.2.3.4' },
      '9.9.9.9',
      'user:1.2.3.4',
    ],
    ['an untrusted peer is not believed', { 'x-forwarded-for': '7.7.7.7' }, '1.2.3.4', 'address:1.2.3.4'],
    ['a trusted peer is', { 'x-forwarded-for': '7.7.7.7' }, '10.1.1.1', 'address:7.7.7.7'],
    [
      'only the nearest untrusted hop is',
      { 'x-forwarded-for': '6.6.6.6, 7.7.7.7' },
      '10.1.1.1',
      'address:7.7.7.7',
    ],
    [
      'trusted hops are passed over',
      { 'x-forwarded-for': '7.7.7.7, 10.2.2.2' },
      '10.1.1.1',
      'address:7.7.7.7',
    ],
    ['all hops trusted: the farthest', { 'x-forwarded-for': '10.3.3.3' }, '10.1.1.1', 'address:10.3.3.3'],
    ['nonsense ends the chain', { 'x-forwarded-for': '7.7.7.7, <x>' }, '10.1.1.1', 'address:10.1.1.1'],
    ['IPv4 in IPv6 is IPv4', {}, '::ffff:10.1.1.1', 'address:10.1.1.1'],
    ['IPv6 has one form', { 'x-forwarded-for': '2001:DB8::1' }, 'fd00::7', 'address:2001:db8:0:0:0:0:0:1'],
    ['a peer that is gone has none', {}, '', 'address:'],
  ])('%s', (_title, headers, remoteAddress, key) => {
    expect(identifyClient({ headers, remoteAddress }, options).key).toBe(key)
  })

  test('a chain of many thousand hops is looked at from its near end only', () => {
    const headers = { 'x-forwarded-for': `${'6.6.6.6,'.repeat(50_000)}10.0.0.9` }
    expect(identifyClient({ headers, remoteAddress: '10.0.0.1' }, options).key).toBe('address:6.6.6.6')
  })
})

describe('IP addresses', () => {
  test.each([
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.5',
    '',
    ':',
    ':::',
    '1::2::3',
    'g::',
    '1:2:3:4:5:6:7',
    '12345::',
  ])('refuses %j', (text) => {
    expect(parseIpAddress(text)).toBeUndefined()
  })

  test.each([
    ['::', '0:0:0:0:0:0:0:0'],
    ['[::1]', '0:0:0:0:0:0:0:1'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0:0:0:c000:201'],
  ])('reads %s', (text, normal) => {
    expect(formatIpAddress(parseIpAddress(text) as Uint8Array)).toBe(normal)
  })

  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['192.168.1.128/25', '192.168.1.127', false],
    ['192.168.1.128/25', '192.168.1.200', true],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '::1', false],
    ['127.0.0.1', '127.0.0.2', false],
    ['2001:db8::/33', '2001:db8:8000::1', false],
  ])('%s holds %s: %s', (network, address, expected) => {
    expect(new IpNetworks([network]).has(parseIpAddress(address) as Uint8Array)).toBe(expected)
  })

  test.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'localhost', '10.0.0.0/-1'])(
    'refuses the network %s',
    (text) => {
      expect(() => new IpNetworks([text])).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    },
  )
})
