import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import xxhash from 'xxhash-wasm'
import { HashRing } from './hash-ring.ts'
import { createKeyHash, type KeyHash } from './key-hash.ts'

let hash: KeyHash
beforeAll(async () => {
  hash = await createKeyHash()
})

const keys = Array.from({ length: 20_000 }, (_, i) => `user-${i}`)
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `node-${i}`)

function ringOf(members: readonly string[]): HashRing {
  const ring = new HashRing(hash)
  for (const member of members) ring.add(member)
  return ring
}

function ownersOf(ring: HashRing): string[] {
  return keys.map((key) => ring.owner(key) as string)
}

function sharesOf(ring: HashRing): Map<string, number> {
  const shares = new Map<string, number>()
  for (const owner of ownersOf(ring)) shares.set(owner, (shares.get(owner) ?? 0) + 1 / keys.length)
  return shares
}

describe('key hash', () => {
  test('is XXH32: the published values of the empty text and of "abc"', () => {
    expect(hash('')).toBe(0x02cc5d05)
    expect(hash('abc')).toBe(0x32d153ff)
  })
})

describe('key hash of short texts', () => {
  test('is that of the reference, whatever the characters and the length', async () => {
    const { h32 } = await xxhash()
    const texts = fc.oneof(fc.string({ maxLength: 120 }), fc.string({ unit: 'binary', maxLength: 40 }))
    fc.assert(
      fc.property(texts, (text) => {
        expect(hash(text)).toBe(h32(text))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('hash ring', () => {
  test('owns nothing when it is empty', () => {
    const ring = new HashRing(hash)
    expect(ring.owner('a')).toBeUndefined()
    expect(ring.owners('a', 3)).toEqual([])
    expect(ring.ownerWithinLoad('a', () => 0)).toBeUndefined()
    expect(ring.remove('nobody')).toBe(false)
  })

  test('does not depend on the order in which members came, left and came back', () => {
    const straight = ringOf(names(7))
    const crooked = ringOf([...names(7)].reverse())
    crooked.remove('node-3')
    crooked.owner('touch')
    crooked.add('node-3', 5)
    crooked.add('node-3', 1)
    expect(ownersOf(crooked)).toEqual(ownersOf(straight))
  })

  test('gives the same owners in every version: recorded placements', () => {
    const ring = new HashRing(hash, { virtualNodes: 150 })
    for (const member of names(3)) ring.add(member)
    const recorded = ['alice', 'bob', 'carol', 'dave', 'erin', '', 'ünïcode'].map((key) => ring.owner(key))
    expect(recorded).toMatchInlineSnapshot(`
      [
        "node-1",
        "node-2",
        "node-2",
        "node-2",
        "node-0",
        "node-2",
        "node-2",
      ]
    `)
  })

  test.each([3, 5, 10, 50])(
    'of %i: a new member takes about 1/n of the keys, and nothing else moves',
    (n) => {
      const ring = ringOf(names(n))
      const before = ownersOf(ring)
      ring.add('new')
      const after = ownersOf(ring)
      const moved = after.filter((owner, i) => owner !== before[i])
      expect(new Set(moved)).toEqual(new Set(['new']))
      expect(moved.length / keys.length).toBeLessThan(1.3 / (n + 1))
      expect(moved.length / keys.length).toBeGreaterThan(0.7 / (n + 1))
    },
  )

  test.each([3, 5, 10, 50])('of %i: removing a member moves its own keys only, to several others', (n) => {
    const ring = ringOf(names(n))
    const before = ownersOf(ring)
    ring.remove('node-1')
    const after = ownersOf(ring)
    const moved = before.filter((owner, i) => owner !== after[i])
    expect(new Set(moved)).toEqual(new Set(['node-1']))
    expect(new Set(after.filter((_, i) => before[i] === 'node-1')).size).toBeGreaterThanOrEqual(
      Math.min(2, n - 1),
    )
  })

  test('of ten: no share is over 1.35 or under 0.7 of the mean', () => {
    for (const share of sharesOf(ringOf(names(10))).values()) {
      expect(share).toBeLessThan(1.35 / 10)
      expect(share).toBeGreaterThan(0.7 / 10)
    }
  })

  test('of a hundred no share is over 1.10 of the mean, by the lengths of the arcs', () => {
    // A key "@n" stands at the place n, so that evenly spread keys measure the arcs.
    const ring = new HashRing((text) => (text.startsWith('@') ? Number(text.slice(1)) : hash(text)))
    for (const member of names(100)) ring.add(member)
    const counts = new Map<string, number>()
    for (let i = 0; i < 2 ** 19; i++) {
      const owner = ring.owner(`@${i * 2 ** 13}`) as string
      counts.set(owner, (counts.get(owner) ?? 0) + 1)
    }
    const mean = 2 ** 19 / 100
    expect(Math.max(...counts.values()) / mean).toBeLessThan(1.1)
    expect(Math.min(...counts.values()) / mean).toBeGreaterThan(0.9)
  })

  test('a weight of three owns about three times the share', () => {
    const ring = ringOf(names(4))
    ring.add('node-0', 3)
    const shares = sharesOf(ring)
    expect(shares.get('node-0')).toBeGreaterThan(0.42)
    expect(shares.get('node-0')).toBeLessThan(0.58)
    expect(ring.members().get('node-0')).toBe(3)
  })

  test('the owners of a key are distinct, start with its owner, and the next inherits when the first leaves', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 12 }), (key, count) => {
        const ring = ringOf(names(8))
        const owners = ring.owners(key, count)
        expect(owners).toHaveLength(Math.min(count, 8))
        expect(new Set(owners).size).toBe(owners.length)
        expect(owners[0]).toBe(ring.owner(key))
        ring.remove(owners[0] as string)
        expect(ring.owners(key, count - 1)).toEqual(owners.slice(1, count))
      }),
      { numRuns: 50 },
    )
  })

  test('the owner is that of the first point at or after the key, going round: compared with a plain search', () => {
    // A key is its own place; a point "m#i" stands where the seeds say. In steps as wide as a place, in which no two of them fall.
    const step = 2 ** 14
    const places = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(places, fc.integer({ min: 0, max: 1_001 }), (seeds, place) => {
        const ring = new HashRing(
          (text) => step * (text.includes('#') ? (seeds[Number.parseInt(text, 10)] as number) : Number(text)),
          {
            virtualNodes: 1,
          },
        )
        seeds.forEach((_, i) => ring.add(String(i)))
        const clockwise = seeds.map((seed, i) => ({
          distance: seed >= place ? seed - place : seed + 2 ** 18 - place,
          name: String(i),
        }))
        clockwise.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
        expect(ring.owner(String(place))).toBe(clockwise[0]?.name)
        expect(ring.owners(String(place), seeds.length)).toEqual(clockwise.map(({ name }) => name))
      }),
    )
  })

  test('with bounded loads no member exceeds 1.25 times the mean, however skewed the keys', () => {
    const ring = ringOf(names(5))
    const loads = new Map<string, number>()
    for (let i = 0; i < 1_000; i++) {
      const member = ring.ownerWithinLoad(`hot-${i % 3}`, (name) => loads.get(name) ?? 0) as string
      loads.set(member, (loads.get(member) ?? 0) + 1)
    }
    expect(Math.max(...loads.values())).toBeLessThanOrEqual(250)
    expect(ring.ownerWithinLoad('any', () => 0)).toBe(ring.owner('any'))
  })

  test('members whose points collide are ordered by name, whichever came first', () => {
    const flat = (): number => 7
    const a = new HashRing(flat, { virtualNodes: 2 })
    const b = new HashRing(flat, { virtualNodes: 2 })
    for (const name of ['x', 'y', 'z']) a.add(name)
    for (const name of ['z', 'y', 'x']) b.add(name)
    expect(a.owners('k', 3)).toEqual(['x', 'y', 'z'])
    expect(b.owners('k', 3)).toEqual(['x', 'y', 'z'])
  })

  test.each([
    [() => new HashRing(hash, { virtualNodes: 0 }), 'virtualNodes'],
    [() => new HashRing(hash, { virtualNodes: 1.5 }), 'virtualNodes'],
    [() => ringOf(['a']).add('b', 0), 'weight'],
    [() => ringOf(['a']).add('b', Number.NaN), 'weight'],
    [() => ringOf(['a']).ownerWithinLoad('k', () => 0, 1), 'factor'],
  ])('refuses what is out of bounds (%#)', (act, field) => {
    expect(act).toThrow(expect.objectContaining({ code: 'invalid-argument', details: { field } }))
  })
})
