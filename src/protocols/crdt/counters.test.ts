import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GrowOnlyCounter } from './grow-only-counter.ts'
import { PositiveNegativeCounter } from './positive-negative-counter.ts'

type Kind = typeof GrowOnlyCounter | typeof PositiveNegativeCounter
type Counter = GrowOnlyCounter | PositiveNegativeCounter

const replicas = ['a', 'b', 'c', 'd']

interface Step {
  readonly replica: number
  readonly amount: number
  readonly from: number
  readonly kind: 'add' | 'merge' | 'delta'
}

const steps = fc.array(
  fc.record({
    replica: fc.integer({ min: 0, max: 3 }),
    from: fc.integer({ min: 0, max: 3 }),
    amount: fc.integer({ min: -5, max: 50 }),
    kind: fc.constantFrom('add' as const, 'merge' as const, 'delta' as const),
  }),
  { maxLength: 60 },
)

/** Replicas that add and talk; returns them and what they added in all. */
function play(kind: Kind, list: readonly Step[]): { readonly counters: Counter[]; readonly sum: bigint } {
  const counters = replicas.map((name) => new kind(name))
  let sum = 0n
  for (const { replica, from, amount, kind: what } of list) {
    const counter = counters[replica] as Counter
    const other = counters[from] as Counter
    if (what === 'merge') counter.merge(other.encode())
    else if (what === 'delta') counter.merge(other.takeDelta() ?? other.encode())
    else if (counter instanceof GrowOnlyCounter) {
      counter.increment(Math.abs(amount))
      sum += BigInt(Math.abs(amount))
    } else {
      counter.add(amount)
      sum += BigInt(amount)
    }
  }
  return { counters, sum }
}

function copy(counter: Counter): Counter {
  return counter instanceof GrowOnlyCounter
    ? GrowOnlyCounter.decode(counter.replica, counter.encode())
    : PositiveNegativeCounter.decode(counter.replica, counter.encode())
}

function merged(a: Counter, b: Counter): Counter {
  const result = copy(a)
  result.merge(b.encode())
  return result
}

describe.each([
  ['grow-only counter (Shapiro et al. 2011, specification 6)', GrowOnlyCounter],
  ['positive-negative counter (Shapiro et al. 2011, specification 7)', PositiveNegativeCounter],
] as const)('%s', (_, kind) => {
  test('merge is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const [a, b, c] = play(kind, list).counters as [Counter, Counter, Counter]
        const bytes = (counter: Counter): Uint8Array => counter.encode()
        expect(bytes(merged(a, b))).toEqual(bytes(merged(b, a)))
        expect(bytes(merged(merged(a, b), c))).toEqual(bytes(merged(a, merged(b, c))))
        expect(bytes(merged(a, a))).toEqual(bytes(a))
      }),
    )
  })

  test('replicas that have heard of everything agree on the sum, however messages went before', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { counters, sum } = play(kind, list)
        const all = counters.map((counter) => counter.encode())
        for (const counter of counters) {
          for (const state of [...all, ...all].reverse()) counter.merge(state)
          expect(counter.value).toBe(sum)
        }
      }),
    )
  })

  test('deltas alone bring the same, and pass on what came from others', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const [source, ...others] = play(
          kind,
          list.filter((each) => each.kind === 'add'),
        ).counters as [Counter, ...Counter[]]
        for (const other of others) source.merge(other.takeDelta() ?? new kind('none').encode())
        const far = new kind('far')
        const delta = source.takeDelta()
        if (delta !== undefined) far.merge(delta)
        expect(far.value).toBe(source.value)
        expect(source.takeDelta()).toBeUndefined()
      }),
    )
  })

  test('counts past 2^53 without loss', () => {
    const counter = new kind('a')
    counter.increment(2n ** 80n)
    counter.increment()
    expect(copy(counter).value).toBe(2n ** 80n + 1n)
  })

  test.each([-1, 0.5, Number.NaN, 2 ** 53, -1n, 2n ** 128n])('refuses the amount %s, unchanged', (amount) => {
    const counter = new kind('a')
    expect(() => counter.increment(amount)).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
    expect([counter.value, counter.takeDelta()]).toEqual([0n, undefined])
  })

  test('foreign bytes are refused as corrupt, and change nothing', () => {
    const source = new kind('a')
    source.increment(1_000_000)
    const good = source.encode()
    const counter = new kind('b')
    for (let cut = 0; cut < good.length; cut++)
      expect(() => counter.merge(good.subarray(0, cut))).toThrowError(
        expect.objectContaining({ code: 'corrupt' }),
      )
    expect(() => counter.merge(Uint8Array.from([...good, 0]))).toThrowError(
      expect.objectContaining({ code: 'corrupt' }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        try {
          const fresh = new kind('c')
          fresh.merge(bytes)
          expect(fresh.encode()).toEqual(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' })
        }
      }),
      { numRuns: 2_000 },
    )
    expect(counter.value).toBe(0n)
  })
})

test('a positive-negative counter may go below zero and back', () => {
  const counter = new PositiveNegativeCounter('a')
  counter.decrement(3)
  counter.add(-2n)
  expect(counter.value).toBe(-5n)
  counter.add(7)
  expect(counter.value).toBe(2n)
})

test('what each replica added is to be seen', () => {
  const counter = new GrowOnlyCounter('a')
  counter.increment(2)
  const other = new GrowOnlyCounter('b')
  other.increment(3)
  counter.merge(other)
  expect([...counter.counts]).toEqual([
    ['a', 2n],
    ['b', 3n],
  ])
})
