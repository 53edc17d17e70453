import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  composeSnowflake,
  defaultLayout,
  layoutBits,
  layoutOf,
  parseSnowflake,
  snowflakeMax,
  snowflakeNumber,
  snowflakeText,
} from './layout.ts'

const layouts = fc
  .record({
    timeBits: fc.integer({ min: 30, max: 48 }),
    datacentreBits: fc.integer({ min: 0, max: 12 }),
    workerBits: fc.integer({ min: 0, max: 14 }),
    sequenceBits: fc.integer({ min: 0, max: 22 }),
  })
  .filter((widths) => layoutBits({ epochMs: 0, ...widths }) <= 63)
  .map((widths) => layoutOf(widths))

const below = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 })

test('what is composed is parsed back, from the bigint and from the text, in every layout', () => {
  const cases = layouts.chain((layout) =>
    fc.record({
      layout: fc.constant(layout),
      time: below(layout.timeBits),
      datacentre: below(layout.datacentreBits),
      worker: below(layout.workerBits),
      sequence: below(layout.sequenceBits),
    }),
  )
  fc.assert(
    fc.property(cases, ({ layout, ...parts }) => {
      const id = composeSnowflake(layout, parts)
      expect(parseSnowflake(id, layout)).toEqual(parts)
      expect(parseSnowflake(snowflakeText(id), layout)).toEqual(parts)
    }),
  )
})

test('texts sort as the ids do', () => {
  const ids = fc.bigInt({ min: 0n, max: snowflakeMax })
  fc.assert(
    fc.property(ids, ids, (a, b) => {
      expect(snowflakeText(a) < snowflakeText(b)).toBe(a < b)
      expect(snowflakeText(a)).toHaveLength(19)
    }),
  )
})

test('the default is that of Twitter from 2024 on, and all bits set are the greatest id', () => {
  expect(defaultLayout).toEqual({
    epochMs: Date.parse('2024-01-01T00:00:00Z'),
    timeBits: 41,
    datacentreBits: 5,
    workerBits: 5,
    sequenceBits: 12,
  })
  const parts = { time: 2 ** 41 - 1, datacentre: 31, worker: 31, sequence: 4_095 }
  expect(composeSnowflake(defaultLayout, parts)).toBe(snowflakeMax)
})

test('a number is refused as soon as it could be another id', () => {
  expect(snowflakeNumber(2n ** 53n - 1n)).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => snowflakeNumber(2n ** 53n)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  expect(() => parseSnowflake(5 as unknown as bigint)).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  )
})

test.each([
  [{ timeBits: 29 }, 'timeBits'],
  [{ datacentreBits: 13 }, 'datacentreBits'],
  [{ workerBits: 1.5 }, 'workerBits'],
  [{ sequenceBits: -1 }, 'sequenceBits'],
  [{ timeBits: 42 }, 'layout'],
  [{ epochMs: -1 }, 'epochMs'],
])('refuses a layout that makes no sense (%o)', (layout, field) => {
  expect(() => layoutOf(layout)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', details: { field } }),
  )
})
