import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { layoutOf, parseSnowflake } from './layout.ts'
import { type OnClockBack, SnowflakeSequence } from './sequence.ts'

const layout = layoutOf({ sequenceBits: 2 })

function sequenceFrom(
  window: { from: number; until: number },
  onClockBack: OnClockBack = 'wait',
  maxAheadMs = 3,
) {
  const sequence = new SnowflakeSequence({ layout, onClockBack, maxAheadMs }, 1)
  sequence.enter(2, window)
  return sequence
}

const timeOf = (id: bigint | undefined) => (id === undefined ? undefined : parseSnowflake(id, layout).time)

describe('snowflake sequence', () => {
  test('a burst goes on with the milliseconds ahead, as far as it may', () => {
    const sequence = sequenceFrom({ from: 100, until: 1_000 })
    const times = Array.from({ length: 17 }, () => timeOf(sequence.next(100)))
    expect(times).toEqual([...[100, 101, 102, 103].flatMap((time) => [time, time, time, time]), undefined])
    expect(sequence.refusal).toEqual({ kind: 'ahead', waitMs: 1 })
    expect(timeOf(sequence.next(101))).toBe(104)
  })

  test('after a pause it makes up for what was not given: the mean rate is the ceiling', () => {
    const sequence = sequenceFrom({ from: 0, until: 10_000 })
    let given = 0
    for (const now of [0, 1, 2, 5, 6, 9, 10, 13, 16])
      for (let id = sequence.next(now); id !== undefined; id = sequence.next(now)) given++
    expect(given).toBe(4 * (16 + 3 + 1))
  })

  test('a worker id whose former holder was ahead of this clock is not used before its mark', () => {
    const sequence = sequenceFrom({ from: 500, until: 1_000 })
    expect(sequence.next(100)).toBeUndefined()
    expect(sequence.refusal).toEqual({ kind: 'ahead', waitMs: 397 })
    expect(timeOf(sequence.next(497))).toBe(500)
  })

  test('nothing is given at or past the mark, before it is moved', () => {
    const sequence = sequenceFrom({ from: 100, until: 101 })
    expect([sequence.next(100), sequence.next(100)].map(timeOf)).toEqual([100, 100])
    expect([sequence.next(101), sequence.next(5_000)]).toEqual([undefined, undefined])
    expect(sequence.refusal).toEqual({ kind: 'window', time: 5_000 })
    sequence.extend(102)
    expect(timeOf(sequence.next(101))).toBe(101)
    sequence.leave()
    expect(sequence.next(101)).toBeUndefined()
  })

  test.each(['wait', 'throw'] as const)('%s: a clock that went back gives nothing', (policy) => {
    const sequence = sequenceFrom({ from: 0, until: 1_000 }, policy)
    sequence.next(100)
    expect(sequence.next(98)).toBeUndefined()
    expect(sequence.refusal).toEqual({ kind: 'clock-back', backMs: 2 })
  })

  test('borrow: ids go on from the last time, within the bound', () => {
    const sequence = sequenceFrom({ from: 0, until: 1_000 }, 'borrow')
    sequence.next(100)
    expect(timeOf(sequence.next(98))).toBe(100)
    expect(sequence.next(96)).toBeUndefined()
    expect(sequence.refusal.kind).toBe('clock-back')
  })

  test('a time that the layout cannot hold is refused', () => {
    const sequence = sequenceFrom({ from: 0, until: Number.MAX_SAFE_INTEGER })
    expect(sequence.next(2 ** 41)).toBeUndefined()
    expect(sequence.refusal.kind).toBe('out-of-range')
  })

  test('whatever the clock shows, ids grow, and lie in the window they were given in', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 20, arbitrary: fc.integer({ min: -5, max: 8 }).map((by) => ({ by })) },
        { weight: 1, arbitrary: fc.integer({ min: -400, max: 400 }).map((by) => ({ by })) },
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }).map((reserve) => ({ reserve })) },
        { weight: 1, arbitrary: fc.record({ from: fc.nat(500), length: fc.nat(100) }) },
      ),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(
        steps,
        fc.constantFrom('wait' as const, 'borrow' as const, 'throw' as const),
        (events, policy) => {
          const sequence = sequenceFrom({ from: 0, until: 50 }, policy)
          let [now, last, from, until] = [0, -1n, 0, 50]
          for (const event of events) {
            if ('by' in event) now += event.by
            else if ('reserve' in event) sequence.extend((until = Math.max(until, now + event.reserve)))
            else {
              from = event.from
              until = event.from + event.length
              sequence.enter(2, { from, until })
            }
            for (let i = 0; i < 3; i++) {
              const id = sequence.next(now)
              if (id === undefined) continue
              expect(id > last).toBe(true)
              expect(timeOf(id)).toBeGreaterThanOrEqual(from)
              expect(timeOf(id)).toBeLessThan(until)
              expect(parseSnowflake(id, layout)).toMatchObject({ datacentre: 1, worker: 2 })
              last = id
            }
          }
        },
      ),
    )
  })
})
