import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { jumpHash } from './jump-hash.ts'
import { createKeyHash, type KeyHash } from './key-hash.ts'
import { Rendezvous } from './rendezvous.ts'

let hash: KeyHash
beforeAll(async () => {
  hash = await createKeyHash()
})

const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}`)
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `node-${i}`)

function rendezvousOf(members: readonly string[]): Rendezvous {
  const rendezvous = new Rendezvous(hash)
  for (const member of members) rendezvous.add(member)
  return rendezvous
}

function countsOf(
  owners: readonly (string | number | undefined)[],
): Map<string | number | undefined, number> {
  const counts = new Map<string | number | undefined, number>()
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return counts
}

describe('rendezvous hashing', () => {
  test('shares are even: of twenty none is 10 % off the mean', () => {
    const rendezvous = rendezvousOf(names(20))
    for (const count of countsOf(keys.map((key) => rendezvous.owner(key))).values())
      expect(Math.abs(count - 1_000)).toBeLessThan(100)
  })

  test('weights give shares: 1, 2 and 5 of 8', () => {
    const rendezvous = new Rendezvous(hash)
    ;[1, 2, 5].forEach((weight, i) => rendezvous.add(`node-${i}`, weight))
    const counts = countsOf(keys.map((key) => rendezvous.owner(key)))
    ;[1, 2, 5].forEach((weight, i) => {
      const share = (counts.get(`node-${i}`) as number) / keys.length
      expect(Math.abs(share - weight / 8)).toBeLessThan(0.015)
    })
  })

  test('a change moves only keys of, or to, the member that changed, whatever the weights', () => {
    const weighted = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(weighted, fc.double({ min: 0.01, max: 100, noNaN: true }), (weights, another) => {
        const rendezvous = new Rendezvous(hash)
        weights.forEach((weight, i) => rendezvous.add(`node-${i}`, weight))
        const sample = keys.slice(0, 200)
        const before = sample.map((key) => rendezvous.owner(key))
        rendezvous.add('new', another)
        const after = sample.map((key) => rendezvous.owner(key))
        for (const [i, owner] of after.entries()) if (owner !== before[i]) expect(owner).toBe('new')
        rendezvous.remove('new')
        expect(sample.map((key) => rendezvous.owner(key))).toEqual(before)
      }),
      { numRuns: 50 },
    )
  })

  test('owners are distinct, begin with the owner, and the next inherits', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 12 }), (key, count) => {
        const rendezvous = rendezvousOf(names(8).toReversed())
        const owners = rendezvous.owners(key, count)
        expect(new Set(owners).size).toBe(Math.min(count, 8))
        if (count === 0) return
        expect(owners[0]).toBe(rendezvousOf(names(8)).owner(key))
        rendezvous.remove(owners[0] as string)
        expect(rendezvous.owner(key)).toBe(rendezvous.owners(key, 1)[0])
        expect(rendezvous.owners(key, count - 1)).toEqual(owners.slice(1))
      }),
      { numRuns: 50 },
    )
  })

  test('owns nothing when it is empty, and refuses weights out of bounds', () => {
    const rendezvous = new Rendezvous(hash)
    expect([rendezvous.owner('a'), rendezvous.owners('a', 2), rendezvous.remove('b')]).toEqual([
      undefined,
      [],
      false,
    ])
    for (const weight of [0, 101, Number.NaN])
      expect(() => rendezvous.add('a', weight)).toThrow(
        expect.objectContaining({ details: { field: 'weight' } }),
      )
  })

  test('gives the same owners in every version: recorded placements', () => {
    const rendezvous = rendezvousOf(names(3))
    rendezvous.add('node-3', 2)
    expect(
      ['alice', 'bob', 'carol', 'dave', 'erin', '', 'ünïcode'].map((key) => rendezvous.owner(key)),
    ).toMatchInlineSnapshot(`
      [
        "node-3",
        "node-0",
        "node-3",
        "node-1",
        "node-0",
        "node-2",
        "node-2",
      ]
    `)
  })
})

describe('jump consistent hash', () => {
  test.each([
    [1, 1, 0],
    [42, 57, 43],
    [0xdead10cc, 1, 0],
    [0xdead10cc, 666, 361],
    [256, 1_024, 520],
  ])('gives what other implementations give: %i of %i is %i', (key, buckets, expected) => {
    expect(jumpHash(key, buckets)).toBe(expected)
    expect(jumpHash(BigInt(key), buckets)).toBe(expected)
  })

  test('is the algorithm of the paper, compared with its text in 64-bit arithmetic', () => {
    const paper = (start: bigint, buckets: number): number => {
      let [key, b, j] = [start, -1, 0]
      while (j < buckets) {
        b = j
        key = BigInt.asUintN(64, key * 2862933555777941757n + 1n)
        j = Math.floor((b + 1) * (2 ** 31 / (Number(key >> 33n) + 1)))
      }
      return b
    }
    const key = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (start, buckets) => {
        expect(jumpHash(start, buckets)).toBe(paper(start, buckets))
      }),
      { numRuns: 1_000 },
    )
  })

  test('one bucket more takes its share, and nothing moves between the others', () => {
    for (const n of [1, 5, 20]) {
      const moved = keys.filter((key) => jumpHash(hash(key), n) !== jumpHash(hash(key), n + 1))
      expect(moved.every((key) => jumpHash(hash(key), n + 1) === n)).toBe(true)
      expect(moved.length / keys.length).toBeLessThan(1.1 / (n + 1))
      expect(moved.length / keys.length).toBeGreaterThan(0.9 / (n + 1))
    }
  })

  test.each([
    [() => jumpHash(1, 0), 'buckets'],
    [() => jumpHash(1, 2 ** 31), 'buckets'],
    [() => jumpHash(-1, 5), 'key'],
    [() => jumpHash(0.5, 5), 'key'],
  ])('refuses what is out of bounds (%#)', (act, field) => {
    expect(act).toThrow(expect.objectContaining({ code: 'invalid-argument', details: { field } }))
  })
})
