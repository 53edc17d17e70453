import { describe, expect, test } from 'vitest'
import { engineOf, enginesLine, notTestedLines } from './not-tested.mjs'

describe('what was not tested', () => {
  test('is a line for each part, with each reason and its number', () => {
    const leftOut = [
      { part: 'etcd keeps the store contract', reason: 'declared absence: a' },
      { part: 'etcd keeps the store contract', reason: 'declared absence: b' },
      { part: 'upgrade', reason: 'no release yet' },
      { part: 'etcd keeps the store contract', reason: 'declared absence: a' },
    ]
    expect(notTestedLines(leftOut)).toEqual([
      'etcd keeps the store contract: 3 tests (2 × declared absence: a; 1 × declared absence: b)',
      'upgrade: no release yet',
    ])
    expect(notTestedLines([])).toEqual([])
  })

  test('names the engines that were tested, and those that were not', () => {
    expect(engineOf('an etcd of one member keeps the store contract')).toBe('an etcd of one member')
    expect(engineOf('PostgreSQL keeps the store contract')).toBe('PostgreSQL')
    expect(engineOf('open')).toBeUndefined()
    expect(enginesLine({ 'memory:': 90, Redis: 0 })).toBe(
      'Engines tested: memory:. Engines not tested: Redis.',
    )
    expect(enginesLine({ Redis: 1 })).toBe('Engines tested: Redis. Engines not tested: none.')
    expect(enginesLine({})).toBeUndefined()
  })
})
