import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { Departures } from './departures.ts'
import { randomHistory } from './random-history.testkit.ts'
import { type Causality, VectorClock } from './vector-clock.ts'

type Stamped = ReturnType<typeof historyOf>[number]

function historyOf(seed: number, length = 40) {
  const clocks = new Map<string, VectorClock>()
  const set = (node: string, clock: VectorClock): VectorClock => {
    const next = clock.tick(node)
    clocks.set(node, next)
    return next
  }
  const of = (node: string): VectorClock => clocks.get(node) ?? VectorClock.zero
  return randomHistory<VectorClock>(
    new SeededRandom(seed),
    {
      local: (node) => set(node, of(node)),
      send: (node) => set(node, of(node)),
      receive: (node, message) => set(node, of(node).merge(message)),
    },
    length,
  )
}

/** By the bookkeeping of the history, without clocks. */
function truth(events: readonly Stamped[], i: number, j: number): Causality {
  if (i === j) return 'equal'
  if ((events[j] as Stamped).causes.has(i)) return 'before'
  return (events[i] as Stamped).causes.has(j) ? 'after' : 'concurrent'
}

const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'ü'), fc.integer({ min: 0, max: 4 }))
const clocks = counts.map((each) => VectorClock.of(each))

describe('vector clock (Fidge 1988, Mattern 1989)', () => {
  test('says of any two events what happened: before, after, equal or concurrent (200 random histories)', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const events = historyOf(seed)
      for (let i = 0; i < events.length; i++)
        for (let j = 0; j < events.length; j++)
          expect(
            (events[i] as Stamped).stamp.compare((events[j] as Stamped).stamp),
            `seed ${seed}, ${i}, ${j}`,
          ).toBe(truth(events, i, j))
    }
  })

  test('merge is the least upper bound: commutative, associative, idempotent', () => {
    fc.assert(
      fc.property(clocks, clocks, clocks, (a, b, c) => {
        const both = a.merge(b)
        expect(both.encode()).toEqual(b.merge(a).encode())
        expect(both.merge(c).encode()).toEqual(a.merge(b.merge(c)).encode())
        expect(a.merge(a).encode()).toEqual(a.encode())
        expect(['before', 'equal']).toContain(a.compare(both))
        const isBoundOfBoth = [a, b].every((each) => ['before', 'equal'].includes(each.compare(c)))
        if (isBoundOfBoth) expect(['before', 'equal']).toContain(both.compare(c))
      }),
    )
  })

  test('an operation leaves its operands as they are', () => {
    const clock = VectorClock.of({ a: 1 })
    clock.tick('a')
    clock.merge(VectorClock.of({ b: 9 }))
    expect([...clock.entries()]).toEqual([['a', 1]])
  })

  test('its bytes are few, and bring back the same clock', () => {
    fc.assert(
      fc.property(clocks, (clock) => {
        const decoded = VectorClock.decode(clock.encode())
        expect(decoded.compare(clock)).toBe('equal')
        expect(decoded.encode()).toEqual(clock.encode())
      }),
    )
    const twenty = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`node-${i}`, 1_000_000 + i]))
    expect(VectorClock.of(twenty).encode().byteLength).toBeLessThan(20 * 12)
    expect(JSON.stringify(twenty).length).toBeGreaterThan(20 * 16)
  })

  test('bytes that are no clock are refused as corrupt', () => {
    const good = VectorClock.of({ a: 1, b: 300 }).encode()
    for (let cut = 0; cut < good.length; cut++)
      expect(() => VectorClock.decode(good.subarray(0, cut))).toThrowError(
        expect.objectContaining({ code: 'corrupt' }),
      )
    const wrong = [
      [...good, 0],
      [0, 1, 1, 97, 0, 0],
      [0, 2, 1, 98, 1, 1, 97, 1, 0],
      [0, 1, 1, 0xff, 1, 0],
    ]
    for (const bytes of wrong)
      expect(() => VectorClock.decode(Uint8Array.from(bytes))).toThrowError(
        expect.objectContaining({ code: 'corrupt' }),
      )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(VectorClock.decode(bytes).encode()).toEqual(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' })
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([[{ a: -1 }], [{ a: 0.5 }], [{ '': 1 }], [{ a: 2 ** 53 }]])('refuses the counts %o', (given) => {
    expect(() => VectorClock.of(given)).toThrowError(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

describe('pruning of departed nodes', () => {
  /** The departures of some of the nodes of a history, after its end. */
  function departuresOf(events: readonly Stamped[], nodes: readonly string[]): Departures {
    const final = events.reduce((all, { stamp }) => all.merge(stamp), VectorClock.zero)
    return new Departures(nodes.map((node) => ({ node, finalCount: final.get(node) })))
  }

  test('changes no answer: every pair of 300 random histories compares as before', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const events = historyOf(seed, 30)
      const departures = departuresOf(events, ['b', 'a'])
      const pruned = events.map(({ stamp }) => VectorClock.decode(stamp.prune(departures).encode()))
      for (let i = 0; i < events.length; i++)
        for (let j = 0; j < events.length; j++)
          expect(
            (pruned[i] as VectorClock).compare(pruned[j] as VectorClock),
            `seed ${seed}, ${i}, ${j}`,
          ).toBe(truth(events, i, j))
    }
  })

  test('commutes with merge, so clocks go on as if nothing had been pruned', () => {
    fc.assert(
      fc.property(clocks, clocks, clocks, (a, b, c) => {
        const departures = new Departures([
          { node: 'a', finalCount: 4 },
          { node: 'c', finalCount: 4 },
        ])
        const [x, y, z] = [a, b, c].map((each) => each.prune(departures)) as [
          VectorClock,
          VectorClock,
          VectorClock,
        ]
        expect(x.merge(y).encode()).toEqual(a.merge(b).prune(departures).encode())
        expect(x.merge(y).tick('b').compare(z)).toBe(a.merge(b).tick('b').compare(c))
      }),
    )
  })

  test('bounds the clocks in use: a thousand nodes that came and went leave nothing behind', () => {
    const departures = new Departures()
    let clock = VectorClock.of({ stays: 1 })
    for (let i = 0; i < 1_000; i++) {
      clock = clock.tick(`guest-${i}`).tick('stays')
      departures.add({ node: `guest-${i}`, finalCount: 1 })
      clock = clock.prune(departures)
      expect(clock.size).toBe(1)
    }
    expect(clock.encode().byteLength).toBeLessThan(20)
  })

  test('an old clock keeps what it has not seen; merged with a newer one it is rid of it', () => {
    const departures = new Departures([{ node: 'gone', finalCount: 5 }])
    const old = VectorClock.of({ gone: 3, a: 1 }).prune(departures)
    const newer = VectorClock.of({ gone: 5, a: 2 }).prune(departures)
    expect([old.size, newer.size, old.merge(newer).size]).toEqual([2, 1, 1])
    expect(old.compare(newer)).toBe('before')
  })

  test('what it is for: to drop entries by age or size turns concurrent versions into ordered ones', () => {
    const [mine, yours] = [VectorClock.of({ gone: 5, a: 1 }), VectorClock.of({ gone: 3, a: 2 })]
    expect(mine.compare(yours)).toBe('concurrent')
    // As Dynamo does (section 4.4 of its paper): the version "mine" would be overwritten silently.
    expect(VectorClock.of({ a: 1 }).compare(VectorClock.of({ a: 2 }))).toBe('before')
    const departures = new Departures([{ node: 'gone', finalCount: 5 }])
    expect(mine.prune(departures).compare(yours.prune(departures))).toBe('concurrent')
  })

  test('clocks of different epochs are not compared, but pruned to the same first', () => {
    const departures = new Departures([{ node: 'gone', finalCount: 1 }])
    const pruned = VectorClock.of({ a: 1, gone: 1 }).prune(departures)
    const before = VectorClock.of({ a: 1, gone: 1 })
    expect(() => pruned.compare(before)).toThrowError(expect.objectContaining({ code: 'conflict' }))
    expect(() => pruned.merge(before)).toThrowError(expect.objectContaining({ code: 'conflict' }))
    expect(before.prune(departures).compare(pruned)).toBe('equal')
    departures.add({ node: 'a', finalCount: 1 })
    expect(pruned.prune(departures).size).toBe(0)
    expect(() => pruned.prune(new Departures())).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
  })

  test('a final count that was not final is noticed, and a node departs once', () => {
    const departures = new Departures([{ node: 'gone', finalCount: 5 }])
    expect(() => VectorClock.of({ gone: 6 }).prune(departures)).toThrowError(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('"gone"') }),
    )
    expect(() => departures.add({ node: 'gone', finalCount: 6 })).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
    expect(() => VectorClock.of({ gone: 3 }).prune(departures).tick('gone')).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
    expect(departures.has('gone')).toBe(true)
  })
})
