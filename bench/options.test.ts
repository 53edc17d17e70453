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
      minutes: 2,
      busyLoops: undefined,
      measurements: ['put', 'get', 'txn', 'watch', 'http', 'lease', 'failover'],
      engineMeasurements: ['put', 'get', 'lock', 'watch', 'discovery'],
      engines: undefined,
      only: undefined,
      json: false,
    })
  })

  test('the area of engines has its own defaults, operations and names', () => {
    expect(parseOptions(['engines'])).toMatchObject({ clients: [1, 16, 64], seconds: 1, rounds: 7 })
    expect(parseOptions(['engines', '--engine', 'etcd,postgres', '--operation', 'put,lock'])).toMatchObject({
      engines: ['etcd', 'postgres'],
      engineMeasurements: ['put', 'lock'],
    })
    expect(() => parseOptions(['engines', '--operation', 'txn'])).toThrow(
      /--operation is txn.*put, get, lock/,
    )
    expect(() => parseOptions(['engines', '--engine', 'oracle'])).toThrow(/--engine is oracle.*memory, file/)
  })

  test('a failover is measured over five kills by default', () => {
    expect(parseOptions(['failover']).rounds).toBe(5)
  })

  test('no busy loop at all can be asked for', () => {
    expect(parseOptions(['election-stability', '--busy-loops', '0']).busyLoops).toBe(0)
  })

  test('beside NATS only puts are measured', () => {
    expect(parseOptions(['store', '--peer', 'nats'])).toMatchObject({
      measurements: ['put'],
      clients: [1, 64, 256],
    })
    expect(() => parseOptions(['store', '--peer', 'nats', '--operation', 'get'])).toThrow(
      /--operation is get.*put/,
    )
  })

  test('every option is taken', () => {
    const numbers = ['--clients', '8,32', '--seconds', '10', '--rounds', '7', '--minutes', '60']
    const args = ['store', ...numbers, '--operation', 'get,lease', '--json', '--only', 'peer']
    expect(parseOptions(args)).toMatchObject({
      clients: [8, 32],
      seconds: 10,
      rounds: 7,
      minutes: 60,
      measurements: ['get', 'lease'],
      only: 'peer',
      json: true,
    })
  })

  test.each([
    [[], /area is missing.*store, failover/],
    [['speed'], /area is speed/],
    [['store', '--peer', 'nobody'], /--peer is nobody.*etcd/],
    [['store', '--operation', 'scan'], /--operation is scan.*put, get, txn/],
    [['store', '--clients', '0'], /--clients is 0.*from 1 to 4096/],
    [['store', '--clients', '4,x'], /--clients is x/],
    [['store', '--seconds', '1.5'], /--seconds is 1.5/],
    [['election-stability', '--minutes', '0'], /--minutes is 0/],
    [['election-stability', '--busy-loops', ''], /--busy-loops is .*from 0 to 256/],
  ])('%j is refused with the value and what is allowed', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message)
  })
})
