import { beforeAll, describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { loadFigures, lookupFigures } from '../../testing/machines/chord-figures.ts'
import { ChordRing, isIdeal, peer } from '../../testing/machines/chord-ring.ts'
import { simulateChord } from '../../testing/machines/simulate-chord.ts'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { ChordNode } from './chord-node.ts'
import { belongsTo, type ChordHash, chordIdEnd, createChordHash, distance, isBetween } from './identifiers.ts'

let hash: ChordHash
beforeAll(async () => {
  hash = await createChordHash()
})

describe('identifiers', () => {
  test('lie on a circle', () => {
    expect([
      isBetween(1, 2, 3),
      isBetween(3, 2, 1),
      isBetween(9, 1, 3),
      isBetween(5, 7, 5),
      isBetween(5, 5, 5),
    ]).toEqual([true, false, true, true, false])
    expect([belongsTo(1, 3, 3), belongsTo(1, 1, 3), belongsTo(4, 2, 4)]).toEqual([true, false, true])
    expect([distance(3, 1), distance(1, 3)]).toEqual([chordIdEnd - 2, 2])
  })

  test('of keys are the same everywhere: recorded', () => {
    expect([hash(''), hash('abc')]).toEqual([0xef46db3751d8e, 0x44bc2cf5ad770])
  })
})

describe('Chord (Stoica et al. 2003)', () => {
  test('a lookup among 1,000 takes about half of log2 n hops, for half of the bits of a distance are set, and never many more than log2 n', () => {
    const plain = lookupFigures(hash, { nodes: 1_000, successorsMax: 1, failedShare: 0, lookups: 1_000 })
    expect(plain.succeeded).toBe(1_000)
    expect(plain.hopsMean).toBeGreaterThan(0.5 * Math.log2(1_000) - 0.7)
    expect(plain.hopsMean).toBeLessThan(0.5 * Math.log2(1_000) + 0.5)
    expect(plain.hopsMax).toBeLessThanOrEqual(2 * Math.log2(1_000))
  })

  test.each([
    [0, 3.5],
    [0.1, 3.7],
    [0.3, 4.2],
    [0.5, 5.3],
  ])(
    'with a share of %d failed at once, before any repair, lookups are found, in less than %d hops in the mean',
    (failedShare, hops) => {
      const figures = lookupFigures(hash, { nodes: 1_000, successorsMax: 20, failedShare, lookups: 1_000 })
      expect(figures.succeeded / figures.lookups).toBeGreaterThan(0.998)
      expect(figures.hopsMean).toBeLessThan(hops)
    },
  )

  test('virtual nodes bring the 99th percentile of keys from over four to under two times the mean', () => {
    const [one, twenty] = [loadFigures(1_000, 100_000, 1), loadFigures(1_000, 100_000, 20)]
    expect(one.last).toBeGreaterThan(4)
    expect(one.first).toBeLessThan(0.1)
    expect(twenty.last).toBeLessThan(1.8)
    expect(twenty.first).toBeGreaterThan(0.4)
  })

  test('Zave: while nodes join, leave and crash the invariants hold; afterwards all places are right, and every acknowledged key has its last value (24 seeds)', () => {
    let crashes = 0
    for (let seed = 1; seed <= 24; seed++) {
      const report = simulateChord({ seed, hash, faults: ['join', 'leave', 'crash'] })
      expect(report.violation, `seed ${seed}`).toBeUndefined()
      crashes += report.crashes
    }
    expect(crashes).toBeGreaterThan(50)
  })

  test('the newest value stays where a node comes into a range by a crash before it has the copies: seeds 40 and 98', () => {
    for (const seed of [40, 98]) {
      const report = simulateChord({ seed, hash, faults: ['join', 'leave', 'crash'] })
      expect([seed, report.violation, report.crashes > 0]).toEqual([seed, undefined, true])
    }
  })

  test.each([
    ['loss', 4],
    ['delay', 6],
    ['partition', 6],
  ] as const)(
    'after %s the ring is one and in order again, and no acknowledged key is gone (%d seeds)',
    (fault, seeds) => {
      for (let seed = 1; seed <= seeds; seed++) {
        const report = simulateChord({ seed, hash, faults: ['join', 'leave', fault] })
        expect(report.violation, `seed ${seed}`).toBeUndefined()
      }
    },
  )

  test('two rings become one when one node of each remembers the other', () => {
    const ring = new ChordRing(new SeededRandom(1), hash, { successorsMax: 4, stabiliseMs: 500 })
    const ids = Array.from({ length: 12 }, (_, i) => (chordIdEnd / 12) * i).map(Math.floor)
    ring.startAll(ids, 4)
    ring.network.part(new Map(ids.map((id, i) => [id, i % 2])))
    ring.network.runUntil(300_000)
    const even = ids.filter((_, i) => i % 2 === 0)
    const lists = even.map((id) => ring.node(id)?.place.successors.map((each) => each.id))
    expect(lists.flat().every((id) => id !== undefined && even.includes(id))).toBe(true)
    ring.network.part(new Map())
    ring.network.runUntil(400_000)
    expect(isIdeal(ring, 4)).toBe(true)
  })

  test('a ring of 60 forms from one node by joins, and keys are handed over on join and leave', () => {
    const random = new SeededRandom(1)
    const options = { successorsMax: 8, copies: 1, stabiliseMs: 500, fixFingersMs: 200, timeoutMs: 300 }
    const ring = new ChordRing(random.fork('network'), hash, options)
    const first = random.integer(0, chordIdEnd - 1)
    ring.startAll([first], 8)
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`)
    for (const key of keys) ring.ask(first, { type: 'put', key, value: bytesFromText(key) })
    ring.network.runUntil(5_000)
    for (let i = 1; i < 60; i++) {
      ring.join(random.integer(0, chordIdEnd - 1), random.pick(ring.members))
      ring.network.runUntil(ring.network.nowMs + 1_000)
    }
    ring.network.runUntil(ring.network.nowMs + 60_000)
    expect([ring.members.length, isIdeal(ring, 8)]).toEqual([60, true])
    for (let i = 0; i < 20; i++) {
      ring.leave(random.pick(ring.members))
      ring.network.runUntil(ring.network.nowMs + 3_000)
    }
    ring.network.runUntil(ring.network.nowMs + 30_000)
    expect([ring.members.length, isIdeal(ring, 8)]).toEqual([40, true])
    const requests = keys.map((key) => ring.ask(random.pick(ring.members), { type: 'get', key }))
    ring.network.runUntil(ring.network.nowMs + 5_000)
    const values = requests.map((request) => ring.answer(request))
    expect(values).toEqual(
      keys.map((key) =>
        expect.objectContaining({ type: 'getDone', value: bytesFromText(key), isDone: true }),
      ),
    )
    expect(new Set(ring.members.flatMap((id) => ring.node(id)?.ownKeys() ?? [])).size).toBe(50)
  })

  test.each([
    ['self.id', { self: peer(-1) }],
    ['successorsMax', { successorsMax: 0 }],
    ['copies', { copies: 18 }],
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['tries', { tries: 0 }],
  ])('refuses a wrong %s', (field, wrong) => {
    expect(() => new ChordNode({ self: peer(1), ...wrong }, hash, 0)).toThrowError(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(field) }),
    )
  })
})
