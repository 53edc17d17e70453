import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BTree } from './btree.ts'

/** The naive twin: pairs in an array, sorted anew for each question. */
class SortedPairs {
  readonly pairs = new Map<number, number>()

  entries(): [number, number][] {
    return [...this.pairs].sort(([a], [b]) => a - b)
  }

  between(from: number, end: number | null): [number, number][] {
    return this.entries().filter(([key]) => key >= from && (end === null || key < end))
  }
}

function scanned(tree: BTree<number, number>, from: number, end: number | null): [number, number][] {
  const found: [number, number][] = []
  tree.scan(from, end, (value, key) => found.push([key, value]) > 0)
  return found
}

function scannedBackwards(tree: BTree<number, number>, from: number, end: number | null): [number, number][] {
  const found: [number, number][] = []
  tree.scanBackwards(from, end, (value, key) => found.push([key, value]) > 0)
  return found
}

const key = fc.integer({ min: 0, max: 3_000 })
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      from: key,
      many: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      from: key,
      many: fc.integer({ min: 1, max: 600 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('clone' as const), from: key, many: key }) },
)

describe('BTree', () => {
  test('holds the same entries as a sorted array after random changes, and so does every clone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), key, key, (steps, from, end) => {
        const tree = new BTree<number, number>()
        const twin = new SortedPairs()
        const clones: { tree: BTree<number, number>; entries: [number, number][] }[] = []
        for (const [i, { kind, from: first, many }] of steps.entries()) {
          if (kind === 'clone') clones.push({ tree: tree.clone(), entries: twin.entries() })
          else {
            for (let k = first; k < first + many; k++) {
              if (kind === 'set') expect(tree.set(k, i)).toBe(twin.pairs.get(k))
              else expect(tree.delete(k)).toBe(twin.pairs.get(k))
              if (kind === 'set') twin.pairs.set(k, i)
              else twin.pairs.delete(k)
            }
          }
        }
        expect([...tree.entries()]).toEqual(twin.entries())
        expect(tree.size).toBe(twin.pairs.size)
        for (const bound of [end, null]) {
          expect(scanned(tree, from, bound)).toEqual(twin.between(from, bound))
          expect(scannedBackwards(tree, from, bound)).toEqual(twin.between(from, bound).reverse())
          expect(tree.count(from, bound)).toBe(twin.between(from, bound).length)
        }
        for (const clone of clones) {
          expect([...clone.tree.entries()]).toEqual(clone.entries)
          expect(clone.tree.size).toBe(clone.entries.length)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('changes of a clone are not seen in the original', () => {
    const tree = new BTree<string, number>()
    for (let i = 0; i < 1_000; i++) tree.set(`k${i}`, i)
    const clone = tree.clone()
    for (let i = 0; i < 1_000; i++) clone.delete(`k${i}`)
    clone.set('other', 1)
    expect(tree.size).toBe(1_000)
    expect(tree.has('other')).toBe(false)
    expect([...clone.values()]).toEqual([1])
  })

  test('finds every key, and its rank, among many inserted in falling order and halved by deletion', () => {
    const tree = new BTree<number, string>()
    for (let i = 20_000; i > 0; i--) tree.set(i, `v${i}`)
    for (let i = 2; i <= 20_000; i += 2) tree.delete(i)
    expect(tree.size).toBe(10_000)
    for (let i = 1; i <= 20_000; i += 997) {
      expect(tree.get(i)).toBe(i % 2 === 1 ? `v${i}` : undefined)
      expect(tree.rank(i)).toBe(Math.floor(i / 2))
    }
  })

  test('a scan ends when it is told to', () => {
    const tree = new BTree<number, number>()
    for (let i = 0; i < 500; i++) tree.set(i, i)
    const seen: number[] = []
    tree.scan(60, null, (value) => seen.push(value) < 10)
    tree.scanBackwards(0, 400, (value) => seen.push(value) < 12)
    expect(seen).toEqual([60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 399, 398])
  })

  test('a range whose end is not after its start is empty', () => {
    const tree = new BTree<number, number>()
    for (let i = 0; i < 200; i++) tree.set(i, i)
    expect(scanned(tree, 100, 100)).toEqual([])
    expect(scannedBackwards(tree, 100, 50)).toEqual([])
    expect(tree.count(100, 50)).toBe(0)
  })
})
