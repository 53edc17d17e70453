import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import {
  formatHybrid,
  HybridClock,
  hybridCounter,
  type HybridTimestamp,
  hybridWallMs,
  parseHybrid,
} from './hybrid-clock.ts'
import { randomHistory } from './random-history.testkit.ts'

const at = (wallMs: number, counter = 0): HybridTimestamp => (BigInt(wallMs) << 16n) | BigInt(counter)

describe('hybrid logical clock (Kulkarni et al. 2014)', () => {
  test('figure 5, send or local event: wall time where it leads, else a count', () => {
    const clock = new HybridClock()
    expect([clock.now(10), clock.now(10), clock.now(9), clock.now(11.7)]).toEqual([
      at(10),
      at(10, 1),
      at(10, 2),
      at(11),
    ])
  })

  test('figure 5, receive event: the four cases', () => {
    const receive = (last: bigint, remote: bigint, wallMs: number) =>
      new HybridClock({ last }).receive(remote, wallMs)
    expect(receive(at(10, 3), at(10, 5), 10)).toBe(at(10, 6))
    expect(receive(at(10, 3), at(9, 9), 10)).toBe(at(10, 4))
    expect(receive(at(10, 3), at(12, 5), 10)).toBe(at(12, 6))
    expect(receive(at(10, 3), at(12, 5), 13)).toBe(at(13))
  })

  test('theorem 1 and corollary 2: causes come before effects, and time stays within the skew of the clocks (200 random histories)', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SeededRandom(seed)
      const skewMs = 100
      let trueMs = 1_000_000
      const clocks = new Map<string, { clock: HybridClock; offsetMs: number }>()
      const of = (node: string) => {
        const known = clocks.get(node) ?? {
          clock: new HybridClock({ skewMsMax: skewMs }),
          offsetMs: random.integer(0, skewMs),
        }
        clocks.set(node, known)
        trueMs += random.integer(0, 3)
        return { clock: known.clock, wallMs: trueMs - known.offsetMs }
      }
      const check = (stamp: HybridTimestamp, wallMs: number): HybridTimestamp => {
        expect(hybridWallMs(stamp) - wallMs).toBeLessThanOrEqual(skewMs)
        expect(hybridWallMs(stamp)).toBeGreaterThanOrEqual(wallMs)
        return stamp
      }
      const local = (node: string) => {
        const { clock, wallMs } = of(node)
        return check(clock.now(wallMs), wallMs)
      }
      const events = randomHistory<HybridTimestamp>(random, {
        local,
        send: local,
        receive: (node, message) => {
          const { clock, wallMs } = of(node)
          return check(clock.receive(message, wallMs), wallMs)
        },
      })
      for (const { stamp, causes } of events)
        for (const cause of causes)
          expect((events[cause] as (typeof events)[0]).stamp < stamp, `seed ${seed}`).toBe(true)
    }
  })

  test('only grows while the wall clock steps by hours, back and forth', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4e12 }), { minLength: 2, maxLength: 50 }), (walls) => {
        const clock = new HybridClock()
        const stamps = walls.map((wallMs) => clock.now(wallMs))
        stamps.slice(1).forEach((stamp, i) => expect(stamp > (stamps[i] as bigint)).toBe(true))
      }),
    )
  })

  test('tells how far it is ahead after the wall clock was stepped back by three hours', () => {
    const clock = new HybridClock()
    clock.now(20_000_000)
    expect(clock.skew().aheadMs).toBe(0)
    clock.now(20_000_000 - 10_800_000)
    expect(clock.skew().aheadMs).toBe(10_800_000)
    clock.now(20_000_001)
    expect(clock.skew().aheadMs).toBe(0)
  })

  test('a remote time that is too far ahead is refused, reported, and not taken over', () => {
    const clock = new HybridClock({ skewMsMax: 500 })
    const last = clock.now(1_000_000)
    expect(() => clock.receive(at(1_000_501), 1_000_000)).toThrowError(
      expect.objectContaining({
        code: 'conflict',
        outcome: 'none',
        details: { aheadMs: 501, skewMsMax: 500 },
      }),
    )
    expect(clock.last).toBe(last)
    expect(clock.receive(at(1_000_500), 1_000_000)).toBe(at(1_000_500, 1))
    expect(clock.skew()).toEqual({
      aheadMs: 500,
      remoteAheadMsMax: 500,
      refusedAheadMsMax: 501,
      refusedCount: 1,
    })
  })

  test('a full counter carries into the milliseconds: 100,000 events within one are all different and in order', () => {
    const clock = new HybridClock()
    let last = clock.now(5)
    for (let i = 1; i < 100_000; i++) {
      const next = clock.now(5)
      if (next <= last) throw new Error(`${next} after ${last}`)
      last = next
    }
    expect([hybridWallMs(last), hybridCounter(last)]).toEqual([6, 99_999 - 65_536])
  })

  test('goes on after a restart from the last timestamp, though the wall clock went back meanwhile', () => {
    const last = new HybridClock().now(9_000)
    expect(new HybridClock({ last }).now(4_000) > last).toBe(true)
  })

  test('its text sorts like the timestamp, and brings it back', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (a, b) => {
          expect(formatHybrid(a) < formatHybrid(b)).toBe(a < b)
          expect(parseHybrid(formatHybrid(a))).toBe(a)
        },
      ),
    )
    expect(formatHybrid(at(1_700_000_000_000, 7))).toBe('018bcfe568000007')
  })

  test.each([
    ['a wall time below 0', () => new HybridClock().now(-1)],
    ['a wall time that is none', () => new HybridClock().now(Number.NaN)],
    ['a wall time after the year 10889', () => new HybridClock().now(2 ** 48)],
    ['a negative timestamp', () => new HybridClock().receive(-1n, 5)],
    ['a timestamp of 65 bits', () => new HybridClock({ last: 1n << 64n })],
    ['a number as a timestamp', () => new HybridClock().receive(5 as unknown as bigint, 5)],
    ['a skew below 0', () => new HybridClock({ skewMsMax: -1 })],
    ['a text of 15 digits', () => parseHybrid('123456789012345')],
  ])('refuses %s', (_, action) => {
    expect(action).toThrowError(expect.objectContaining({ code: 'invalid-argument' }))
  })
})
