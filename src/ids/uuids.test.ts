import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { World } from '../contracts/world.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { explainId } from './explain-id.ts'
import { isUlid, isUuid, parseUuid, ulidTimeMs, type UuidOptions, Uuids } from './uuids.ts'

const node = createNodeWorld({ dataFolder: '.' })

/** With a clock that is moved by hand, and random numbers as given. */
function uuidsAt(
  clock: { ms: number },
  options: UuidOptions = {},
  bytes = node.random.bytes.bind(node.random),
): Uuids {
  const world: Pick<World, 'clock' | 'random'> = {
    clock: { wallMs: () => clock.ms, monotonicMs: () => 0 },
    random: { ...node.random, bytes },
  }
  return new Uuids(world, options)
}

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(0xff)
const zeros = (length: number): Uint8Array => new Uint8Array(length)
const rfcExampleMs = 0x017f22e279b0

describe('UUID version 4', () => {
  test('has its version and variant whatever the random bits, and keeps the others', () => {
    expect(uuidsAt({ ms: 0 }, {}, ones).v4()).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff')
    expect(uuidsAt({ ms: 0 }, {}, zeros).v4()).toBe('00000000-0000-4000-8000-000000000000')
  })

  test('a hundred thousand differ, and each hexadecimal digit is as frequent as the others', () => {
    const uuids = new Uuids(node)
    const given = Array.from({ length: 100_000 }, () => uuids.v4())
    expect(new Set(given).size).toBe(given.length)
    expect(given.every((uuid) => isUuid(uuid) && parseUuid(uuid).version === 4)).toBe(true)
    for (let at = 0; at < 36; at++) {
      if ([8, 13, 14, 18, 19, 23].includes(at)) continue
      const counts = new Map<string, number>()
      for (const uuid of given) counts.set(uuid.charAt(at), (counts.get(uuid.charAt(at)) ?? 0) + 1)
      for (const count of counts.values()) expect(Math.abs(count - 6_250)).toBeLessThan(600)
      expect(counts.size).toBe(16)
    }
  })
})

describe('UUID version 7', () => {
  test('begins with the milliseconds: the time of the example of RFC 9562, appendix A.6', () => {
    const uuid = uuidsAt({ ms: rfcExampleMs }).v7()
    expect(uuid).toMatch(/^017f22e2-79b0-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(parseUuid(uuid)).toEqual({ version: 7, variant: 'rfc9562', timeMs: rfcExampleMs })
    expect(parseUuid('017F22E2-79B0-7CC3-98C4-DC0C0C07398F').timeMs).toBe(rfcExampleMs)
  })

  test('grows within a millisecond, over a carry of its counter, and over milliseconds', () => {
    const clock = { ms: 1_000 }
    const uuids = uuidsAt(clock)
    const given: string[] = []
    for (let i = 0; i < 200_000; i++) {
      if (i % 70_000 === 0) clock.ms++
      given.push(uuids.v7())
    }
    expect(given).toEqual(given.toSorted())
    expect(new Set(given).size).toBe(given.length)
    expect(given.every(isUuid)).toBe(true)
  })

  test('leaves half of its counter to grow into, however the random bits fall', () => {
    const uuids = uuidsAt({ ms: 5 }, {}, ones)
    expect(uuids.v7()).toBe('00000000-0005-77ff-bfff-ffffffffffff')
    expect(uuids.v7()).toBe('00000000-0005-7800-8000-0000ffffffff')
  })

  test('the clock steps back: borrow keeps the order, restart follows the clock, throw refuses', () => {
    const clock = { ms: 10_000_000 }
    const [borrow, restart, refuse] = [
      uuidsAt(clock),
      uuidsAt(clock, { onClockBack: 'restart' }),
      uuidsAt(clock, { onClockBack: 'throw' }),
    ]
    const before = [borrow.v7(), restart.v7(), refuse.v7()]
    clock.ms -= 3_600_000
    const after = borrow.v7()
    expect(after > (before[0] as string)).toBe(true)
    expect(parseUuid(after).timeMs).toBe(10_000_000)
    expect(parseUuid(restart.v7()).timeMs).toBe(6_400_000)
    expect(() => refuse.v7()).toThrow(
      expect.objectContaining({ code: 'unavailable', details: { cause: 'clock-back', backMs: 3_600_000 } }),
    )
    clock.ms += 3_600_001
    expect(parseUuid(refuse.v7()).timeMs).toBe(10_000_001)
  })

  test('a clock outside of 48 bits is refused', () => {
    for (const ms of [-1, 2 ** 48])
      expect(() => uuidsAt({ ms }).v7()).toThrow(expect.objectContaining({ code: 'unavailable' }))
    expect(() => uuidsAt({ ms: 0 }, { onClockBack: 'x' as 'throw' })).toThrow(
      expect.objectContaining({ details: { field: 'onClockBack' } }),
    )
  })
})

describe('ULID', () => {
  test('has 26 characters that begin with the time, and grows', () => {
    const clock = { ms: 1_469_918_176_385 }
    const uuids = uuidsAt(clock)
    const given: string[] = []
    for (let i = 0; i < 100_000; i++) {
      if (i % 40_000 === 39_999) clock.ms++
      given.push(uuids.ulid())
    }
    expect(given[0]?.slice(0, 10)).toBe('01ARYZ6S41')
    expect(given).toEqual(given.toSorted())
    expect(given.every(isUlid)).toBe(true)
    expect(ulidTimeMs(given[0] as string)).toBe(1_469_918_176_385)
    expect(ulidTimeMs(given.at(-1) as string)).toBe(clock.ms)
  })

  test('carries, and goes on with the next millisecond when its counter is used up', () => {
    const uuids = uuidsAt({ ms: 0 }, {}, ones)
    expect([uuids.ulid().slice(10, 18), uuids.ulid().slice(10, 18)]).toEqual(['FZZZZZZZ', 'G0000000'])
  })
})

describe('explain', () => {
  test('tells the kind by the form', () => {
    expect(explainId('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')).toEqual({
      kind: 'uuid',
      version: 7,
      variant: 'rfc9562',
      timeMs: rfcExampleMs,
    })
    expect(explainId('01ARYZ6S41TSV4RRFFQ69G5FAV')).toEqual({ kind: 'ulid', timeMs: 1_469_918_176_385 })
    const id = (1_000n << 22n) | (3n << 17n) | (9n << 12n) | 77n
    const expected = {
      kind: 'snowflake',
      datacentre: 3,
      worker: 9,
      sequence: 77,
      timeMs: Date.UTC(2024, 0, 1) + 1_000,
    }
    expect(explainId(id)).toMatchObject(expected)
    expect(explainId(String(id))).toMatchObject(expected)
  })

  test('refuses what is no id, without ever throwing anything else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^\d{1,19}$/.test(text))
        expect(() => explainId(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
      }),
    )
    for (const wrong of [
      '',
      '9223372036854775808',
      '12345678901234567890',
      -1n,
      2n ** 63n,
      5 as unknown as bigint,
    ])
      expect(() => explainId(wrong)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})
