import { describe, expect, test } from 'vitest'
import { parseOptions } from './options.ts'

describe('options of a benchmark', () => {
  test('an area alone gets the stated defaults', () => {
    expect(parseOptions(['store'])).toEqual({
      area: 'store',
      peer: 'etcd',
      clients: [1, 16, 64, 256],
      seconds: 3,
      rounds: 3,
      operation: 'put',
      only: undefined,
      json: false,
    })
  })

  test('a failover is measured over five kills by default', () => {
    expect(parseOptions(['failover']).rounds).toBe(5)
  })

  test('every option is taken', () => {
    const args = [
      'store',
      '--clients',
      '8,32',
      '--seconds',
      '10',
      '--rounds',
      '7',
      '--operation',
      'get',
      '--json',
    ]
    expect(parseOptions([...args, '--only', 'peer'])).toMatchObject({
      clients: [8, 32],
      seconds: 10,
      rounds: 7,
      operation: 'get',
      only: 'peer',
      json: true,
    })
  })

  test.each([
    [[], /area is missing.*store, failover/],
    [['speed'], /area is speed/],
    [['store', '--peer', 'nobody'], /--peer is nobody.*etcd/],
    [['store', '--clients', '0'], /--clients is 0.*from 1 to 4096/],
    [['store', '--clients', '4,x'], /--clients is x/],
    [['store', '--seconds', '1.5'], /--seconds is 1.5/],
  ])('%j is refused with the value and what is allowed', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message)
  })
})
