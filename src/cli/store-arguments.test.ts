import { describe, expect, test } from 'vitest'
import { byteCount, quotaSize } from './arguments.ts'
import { formatSpace } from './quota-command.ts'
import { storeFrom } from './store-arguments.ts'

describe('a size', () => {
  test.each([
    ['1048576', 1_048_576],
    ['512MiB', 512 * 1024 ** 2],
    ['2 GiB', 2 * 1024 ** 3],
    ['1.5GiB', 1.5 * 1024 ** 3],
  ])('%s is %i bytes', (text, bytes) => {
    expect(byteCount('size', text)).toBe(bytes)
  })

  test.each(['', '0', '-1', '2GB', 'GiB', '1e9', '9999999TiB'])('%j is refused by name', (text) => {
    expect(() => byteCount('--quota', text)).toThrow(/--quota is .*such as '512MiB'/)
  })
})

test('a quota is refused by name below the least', () => {
  expect(quotaSize('size', '16MiB')).toBe(16 * 1024 ** 2)
  expect(() => quotaSize('size', '15.9MiB')).toThrow('size is "15.9MiB", but must be at least 16MiB')
})

describe('the bounds of the stores of a node', () => {
  test('are those given, in the units of the node', () => {
    const given = { quota: '4GiB', keep: '10m', keepRevisions: '100', leasesMax: '7', leaseReads: '0.1' }
    expect(storeFrom({ ...given, snapshotEntries: '5000' })).toEqual({
      store: { bounds: { quotaBytes: 4 * 1024 ** 3, leasesMax: 7 }, keepMs: 600_000 },
      keepRevisions: 100,
      snapshotEntries: 5_000,
      leaseDriftMax: 0.1,
    })
    expect(storeFrom({})).toEqual({ store: { bounds: {} } })
  })

  test.each(['0', '1', '-0.1', 'x'])('refuse lease reads with a drift of %s', (leaseReads) => {
    expect(() => storeFrom({ leaseReads })).toThrow(/--lease-reads/)
  })
})

test('how full a store is, is told with what it means', () => {
  const MiB = 1024 * 1024
  const space = { bytes: 12 * MiB, quotaBytes: 16 * MiB, historyBytes: 3 * MiB, state: 'ok' }
  expect(formatSpace(space)).toBe('12 MiB of 16 MiB (75 %), of it 3 MiB history\n')
  expect(formatSpace({ ...space, state: 'nearly-full' })).toMatch(/: nearly full\n$/)
  expect(formatSpace({ ...space, state: 'full', reason: 'the disk is all but full' })).toMatch(
    /: full, takes no growth: the disk is all but full\n$/,
  )
})
