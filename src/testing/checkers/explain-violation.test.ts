import { describe, expect, test } from 'vitest'
import type { Operation } from '../history/operation.ts'
import { explainViolation } from './explain-violation.ts'
import { checkLinearizability } from './linearizability.ts'
import { registerModel } from './models/register.ts'
import { shrinkViolation } from './shrink.ts'
import { fixedClock, numbered, op } from './test-histories.ts'
import { drawTimelineSvg } from './timeline-svg.ts'

const model = registerModel()

/** A stale read in the middle of a long history in order. */
function longHistory(): Operation[] {
  const operations: Operation[] = []
  for (let i = 0; i < 100; i++) {
    operations.push(op(i * 10, i * 10 + 1, 'write', i, undefined, { process: 'w' }))
    const seen = i === 60 ? 59 : i
    operations.push(op(i * 10 + 2, i * 10 + 3, 'read', undefined, seen, { process: 'r' }))
  }
  return numbered(operations)
}

test('a stale read is shrunk to the two writes and the read', () => {
  const short = shrinkViolation(model, longHistory(), { clock: fixedClock })
  expect(short.map(({ op: name, input, output }) => [name, input ?? output])).toEqual([
    ['write', 59],
    ['write', 60],
    ['read', 59],
  ])
})

test('a write whose value is read is never left out, which would make the read wrong by itself', () => {
  const history = longHistory()
  for (const operation of shrinkViolation(model, history, { clock: fixedClock })) {
    if (operation.op !== 'read') continue
    expect(history.some(({ op: name, input }) => name === 'write' && input === operation.output)).toBe(true)
  }
})

test('a history that does not fail is returned as it is', () => {
  const history = numbered([op(0, 1, 'write', 1), op(2, 3, 'read', undefined, 1)])
  expect(shrinkViolation(model, history, { clock: fixedClock })).toBe(history)
})

describe('the explanation', () => {
  const { violation } = checkLinearizability(model, longHistory(), { clock: fixedClock })
  if (violation === undefined) throw new Error('the history is wrong, and was not found so')
  const { text, svg, blocked } = explainViolation(model, violation, { clock: fixedClock })

  test('names the operation that has no place', () => {
    expect(blocked).toMatchObject({ op: 'read', output: 59 })
    expect(text).toContain('It cannot go on: read -> 59 (process r) has no place.')
  })

  test('draws operations against time, numbered in the order found', () => {
    const lines = text.split('\n').filter((line) => /^ {2,3}(\d| ?XX| {1}\d)/.test(line))
    expect(lines.map((line) => line.trim().replace(/\s+/g, ' '))).toEqual([
      '1 w |----------| write 59',
      '2 w |----------| write 60',
      'XX r |----------| read -> 59',
    ])
  })

  test('is drawn as SVG with the blocked operation in red', () => {
    expect(svg).toMatch(/^<svg xmlns=.*<\/svg>\n$/s)
    expect(svg).toContain('cannot be placed')
  })
})

test('markup and control characters of a history do not reach the picture', () => {
  const svg = drawTimelineSvg({
    operations: [op(0, 1, 'write', '</text><script>\u0001', null, { process: '<b>' })],
  })
  expect(svg).not.toMatch(/<script|<b>|\u0001/)
  expect(svg).toContain('&lt;b&gt;')
})
