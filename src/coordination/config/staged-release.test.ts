import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkedRule, isChosen, releasePlace, widenedRule } from './staged-release.ts'

const nobody = { labels: {} }

describe('staged release', () => {
  test('who is in a share is in every larger one, and all are in 100', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(100), fc.nat(100), (instance, a, b) => {
        const [small, large] = [Math.min(a, b), Math.max(a, b)]
        const isIn = (share: number) => isChosen('api', { share }, { instance, ...nobody })
        return (!isIn(small) || isIn(large)) && isIn(100) && !isIn(0)
      }),
    )
  })

  test('a share is that share of many instances, and another one in another scope', () => {
    const instances = Array.from({ length: 10_000 }, (_, n) => `host-${n}:8080`)
    for (const share of [1, 10, 50, 90]) {
      const chosen = instances.filter((instance) => isChosen('api', { share }, { instance, ...nobody }))
      expect(Math.abs(chosen.length / 100 - share)).toBeLessThan(1.5)
      const both = chosen.filter((instance) => isChosen('web', { share }, { instance, ...nobody }))
      expect(Math.abs(both.length / 100 - (share * share) / 100)).toBeLessThan(1.5)
    }
  })

  test('the place of an instance is the same for ever: it is written down', () => {
    expect(['a', 'b', 'orders-1'].map((instance) => releasePlace('orders', instance))).toEqual([
      51.82, 80.64, 28.12,
    ])
  })

  test('a step may give the version to more, never take it from who has it', () => {
    const rule = checkedRule({ share: 10, match: { zone: 'north', tier: '1' } })
    expect(widenedRule(rule, { share: 20 })).toEqual({ share: 20, match: { zone: 'north', tier: '1' } })
    expect(widenedRule(rule, { match: { zone: 'north' } })).toEqual({ share: 10, match: { zone: 'north' } })
    expect(() => widenedRule(rule, { share: 5 })).toThrow(/only grows/)
    expect(() => widenedRule(rule, { match: { zone: 'south' } })).toThrow(/labels as they are, or fewer/)
    expect(() => checkedRule({ share: 0 })).toThrow(/release is/)
    expect(() => checkedRule({ share: 101 })).toThrow(/release.share is 101/)
  })
})
