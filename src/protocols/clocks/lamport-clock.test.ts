import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { randomHistory } from './random-history.testkit.ts'
import { compareLamport, LamportClock, lamportTimeMax, type LamportTimestamp } from './lamport-clock.ts'

describe('Lamport clock (Lamport 1978)', () => {
  test('IR1: an event of the node is one later than the last', () => {
    const clock = new LamportClock('a')
    expect([clock.tick(), clock.tick()]).toEqual([
      { time: 1, node: 'a' },
      { time: 2, node: 'a' },
    ])
  })

  test('IR2: a message carries the time of its sending, and its receipt is later than that and than all before', () => {
    const sender = new LamportClock('a', 10)
    const receiver = new LamportClock('b', 3)
    const message = sender.send()
    expect(message).toEqual({ time: 11, node: 'a' })
    expect(receiver.receive(message).time).toBe(12)
    expect(receiver.receive({ time: 2, node: 'a' }).time).toBe(13)
  })

  test('clock condition: if one event can have caused another its time is smaller (200 random histories)', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const clocks = new Map<string, LamportClock>()
      const clockOf = (node: string): LamportClock => {
        const clock = clocks.get(node) ?? new LamportClock(node)
        clocks.set(node, clock)
        return clock
      }
      const events = randomHistory<LamportTimestamp>(new SeededRandom(seed), {
        local: (node) => clockOf(node).tick(),
        send: (node) => clockOf(node).send(),
        receive: (node, message) => clockOf(node).receive(message),
      })
      for (const [i, event] of events.entries())
        for (const cause of event.causes)
          expect(
            compareLamport((events[cause] as (typeof events)[0]).stamp, event.stamp),
            `${seed}/${i}`,
          ).toBe(-1)
    }
  })

  test('total order: by time, then by node; no two events are the same', () => {
    const a = { time: 5, node: 'a' }
    const b = { time: 5, node: 'b' }
    expect([compareLamport(a, b), compareLamport(b, a), compareLamport(a, { ...a })]).toEqual([-1, 1, 0])
    expect(compareLamport({ time: 4, node: 'z' }, a)).toBe(-1)
  })

  test.each([
    [-1, 'a'],
    [1.5, 'a'],
    [Number.NaN, 'a'],
    [lamportTimeMax + 1, 'a'],
    [1, ''],
    [1, 'x'.repeat(257)],
  ])('refuses the timestamp (%d, "%s"), and has not moved', (time, node) => {
    const clock = new LamportClock('b', 7)
    expect(() => clock.receive({ time, node })).toThrowError(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
    expect(clock.time).toBe(7)
  })

  test('counts on after the largest time that a message may carry', () => {
    const clock = new LamportClock('b')
    clock.receive({ time: lamportTimeMax, node: 'a' })
    expect(clock.tick().time).toBe(lamportTimeMax + 2)
  })
})
