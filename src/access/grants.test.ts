import { describe, expect, test } from 'vitest'
import { type Grant, RightSet, rootGrant } from './grants.ts'

const on = (key: string, end: string | null | undefined, group?: string): Grant => ({
  key,
  rights: ['read'],
  ...(end === undefined ? {} : { end }),
  ...(group === undefined ? {} : { group }),
})
const covers = (grants: readonly Grant[], key: string, end?: string | null, group?: string): boolean =>
  new RightSet(grants, group).covers('read', { key, ...(end === undefined ? {} : { end }) })

describe('rights', () => {
  test('reach from the first key of a range to the one before its end, and no right stands for another', () => {
    const grants = [on('b', 'd')]
    expect(['a', 'b', 'c', 'c\u00ff', 'd'].map((key) => covers(grants, key))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ])
    expect(new RightSet(grants).covers('write', { key: 'b' })).toBe(false)
    expect(new RightSet(grants).has('read')).toBe(true)
    expect(new RightSet(grants).has('admin')).toBe(false)
  })

  test('on ranges that touch or overlap hold for the whole of them, and not across a gap', () => {
    const grants = [on('m', 'p'), on('a', 'c'), on('c', 'e'), on('b', 'd'), on('q', undefined)]
    expect(covers(grants, 'a', 'e')).toBe(true)
    expect(covers(grants, 'a', 'f')).toBe(false)
    expect(covers(grants, 'a', 'p')).toBe(false)
    expect(covers(grants, 'q')).toBe(true)
    expect(covers(grants, 'q', 'q\u0000')).toBe(true)
    expect(covers(grants, 'q\u0000')).toBe(false)
  })

  test('to the end of all keys are needed for a range that has no end', () => {
    expect(covers([on('a', 'z')], 'b', null)).toBe(false)
    expect(covers([on('b', null)], 'b', null)).toBe(true)
    expect(covers([on('b', null)], 'a', null)).toBe(false)
    expect(covers([rootGrant], '', null)).toBe(true)
  })

  test('on an empty range have nothing to refuse', () => {
    expect(covers([], 'b', 'b')).toBe(true)
    expect(covers([], 'b', 'a')).toBe(true)
  })

  test('belong to the store of one group, or of each', () => {
    const grants = [on('a', null), on('b', null, 'orders'), on('x', undefined, '*')]
    expect(covers(grants, 'a')).toBe(true)
    expect(covers(grants, 'a', undefined, 'orders')).toBe(false)
    expect(covers(grants, 'b', undefined, 'orders')).toBe(true)
    expect(covers(grants, 'x', undefined, 'other')).toBe(true)
    expect(covers(grants, 'b', undefined, 'other')).toBe(false)
  })

  test('agree with a search through every grant, for many ranges', () => {
    const letters = 'abcdefgh'
    let state = 7
    const draw = (n: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return Math.floor((state / 2_147_483_648) * n)
    }
    for (let round = 0; round < 2_000; round++) {
      const grants = Array.from({ length: draw(5) }, () => on(letters[draw(8)] as string, letters[draw(8)]))
      const from = draw(8)
      const to = draw(9)
      const end = to === 8 ? null : (letters[to] as string)
      // Single letters are all the borders there are, so the keys of one letter stand for all.
      const wanted = [...letters].filter((_, i) => i >= from && i < to)
      const each = wanted.every((key) => grants.some((g) => g.key <= key && key < (g.end as string)))
      const expected = end === null ? false : end <= (letters[from] as string) || each
      expect(covers(grants, letters[from] as string, end), JSON.stringify({ grants, from, end })).toBe(
        expected,
      )
    }
  })
})
