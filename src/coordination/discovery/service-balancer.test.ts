import { describe, expect, test } from 'vitest'
import type { Discovery as DiscoveryType } from './discovery.ts'
import { Discovery } from './discovery.ts'
import type { BalancerOptions, ServiceBalancer } from './service-balancer.ts'
import { eventually, settle, withBed } from '../test-bed.test-support.ts'

interface Given {
  readonly id: string
  readonly weight?: number
  readonly zone?: string
  readonly version?: string
}

async function withBalancer(
  given: readonly Given[],
  options: BalancerOptions,
  body: (
    balancer: ServiceBalancer,
    discovery: DiscoveryType,
    settled: () => Promise<void>,
  ) => Promise<void> | void,
): Promise<void> {
  await withBed(async ({ store, world, accept }) => {
    const discovery = new Discovery({ store, world, accept })
    for (const each of given) await discovery.register({ service: 'api', address: `${each.id}:80`, ...each })
    const balancer = await discovery.balancer('api', options)
    await body(balancer, discovery, () => settle(world))
    balancer.close()
    await discovery.close()
  })
}

/** Ids of so many picks, each over at once. */
function pickMany(balancer: ServiceBalancer, count: number, keyOf?: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => {
    const pick = balancer.pick(keyOf?.(i))
    pick.done()
    return pick.instance.id
  })
}

function shares(ids: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1
  return counts
}

const three: readonly Given[] = [
  { id: 'a', weight: 100 },
  { id: 'b', weight: 100 },
  { id: 'c', weight: 400 },
]

describe('a balancer', () => {
  test('in turn, with or without weights', async () => {
    await withBalancer(three, { policy: 'round-robin' }, (balancer) => {
      expect(shares(pickMany(balancer, 60))).toEqual({ a: 20, b: 20, c: 20 })
    })
    await withBalancer(three, { policy: 'weighted' }, (balancer) => {
      const ids = pickMany(balancer, 60)
      expect(shares(ids)).toEqual({ a: 10, b: 10, c: 40 })
      expect(ids.join('')).not.toContain('ccccc')
    })
  })

  test('at random by weight', async () => {
    await withBalancer(three, { policy: 'random' }, (balancer) => {
      const { c = 0 } = shares(pickMany(balancer, 3_000))
      expect(c).toBeGreaterThan(1_800)
      expect(c).toBeLessThan(2_200)
    })
  })

  test.each(['least-connections', 'power-of-two'] as const)('%s leaves alone who is busy', async (policy) => {
    await withBalancer([{ id: 'a' }, { id: 'b' }], { policy }, (balancer) => {
      const held = Array.from({ length: 10 }, () => balancer.pick())
      expect(shares(held.map(({ instance }) => instance.id))).toEqual({ a: 5, b: 5 })
      for (const pick of held) if (pick.instance.id === 'b') pick.done()
      expect(shares(pickMany(balancer, 20))).toEqual({ b: 20 })
    })
  })

  test('by key, the same instance for the same key, and no more than its bound', async () => {
    const ten = Array.from({ length: 10 }, (_, i) => ({ id: `i${i}` }))
    await withBalancer(ten, { policy: 'consistent-hash' }, async (balancer, discovery, settled) => {
      const before = pickMany(balancer, 500, (i) => `key${i}`)
      expect(pickMany(balancer, 500, (i) => `key${i}`)).toEqual(before)
      await discovery.register({ service: 'api', id: 'new', address: 'n:1' })
      await settled()
      const after = pickMany(balancer, 500, (i) => `key${i}`)
      const moved = after.filter((id, i) => id !== before[i])
      expect(moved.every((id) => id === 'new')).toBe(true)
      expect(moved.length).toBeLessThan(150)
      const held = Array.from({ length: 44 }, () => balancer.pick('one key'))
      expect(Math.max(...Object.values(shares(held.map(({ instance }) => instance.id))))).toBeLessThanOrEqual(
        5,
      )
    })
  })

  const zones: readonly Given[] = [
    { id: 'n1', zone: 'north' },
    { id: 'n2', zone: 'north' },
    { id: 's1', zone: 'south' },
    { id: 's2', zone: 'south' },
  ]

  test('stays in its zone, and spills over when the zone is too weak, or full', async () => {
    await withBalancer(
      zones,
      { policy: 'round-robin', zone: 'north', zoneShareMin: 0.6 },
      async (balancer) => {
        expect(shares(pickMany(balancer, 10))).toEqual({ n1: 5, n2: 5 })
        const pick = balancer.pick()
        pick.failed('refused', { isRefused: true })
        const left = shares(pickMany(balancer, 30))
        expect(Object.keys(left)).toHaveLength(3)
        expect(left[pick.instance.id]).toBeUndefined()
      },
    )
    await withBalancer(zones, { zone: 'north', picksPerInstanceMax: 1 }, (balancer) => {
      const held = Array.from({ length: 4 }, () => balancer.pick())
      const ids = held.map(({ instance }) => instance.id)
      expect(ids.slice(0, 2).toSorted()).toEqual(['n1', 'n2'])
      expect(ids.slice(2).toSorted()).toEqual(['s1', 's2'])
      expect(() => balancer.pick()).toThrow(expect.objectContaining({ code: 'unavailable', outcome: 'none' }))
    })
  })

  test('takes only the version asked for', async () => {
    const versions = [
      { id: 'a', version: '1.9' },
      { id: 'b', version: '2.0' },
      { id: 'c', version: '2.1' },
    ]
    const options: BalancerOptions = { policy: 'round-robin', version: (version) => version.startsWith('2.') }
    await withBalancer(versions, options, (balancer) => {
      expect(shares(pickMany(balancer, 10))).toEqual({ b: 5, c: 5 })
    })
  })

  test('leaves an instance that fails alone for a while, and forgets that with a new registration', async () => {
    await withBalancer(
      [{ id: 'a' }, { id: 'b' }],
      { policy: 'round-robin', failuresMax: 2 },
      async (balancer, discovery, settled) => {
        for (let i = 0; i < 4; i++) {
          const pick = balancer.pick()
          if (pick.instance.id === 'a') pick.failed('500')
          else pick.done()
        }
        expect(shares(pickMany(balancer, 10))).toEqual({ b: 10 })
        await discovery.register({ service: 'api', id: 'a', address: 'a:81', takeOver: true })
        await settled()
        expect(shares(pickMany(balancer, 10))).toEqual({ a: 5, b: 5 })
      },
    )
  })

  test('follows drains and departures, and says why there is nobody', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      using balancer = await discovery.balancer('api')
      const nobody = expect.objectContaining({ code: 'unavailable', details: { instances: 0, stale: false } })
      expect(() => balancer.pick()).toThrow(nobody)
      const registration = await discovery.register({ service: 'api', address: 'a:1' })
      await eventually(world, () => expect(balancer.size).toBe(1))
      expect(balancer.pick().instance.address).toBe('a:1')
      await registration.drain()
      await eventually(world, () => expect(balancer.size).toBe(0))
      expect(() => balancer.pick()).toThrow(/none is up/)
    })
  })

  test('options that cannot be meant are refused', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const wrong = [{ policy: 'best' }, { zoneShareMin: 2 }, { loadFactor: 1 }, { picksPerInstanceMax: 0 }]
      for (const options of wrong) {
        const asking = discovery.balancer('api', options as BalancerOptions)
        await expect(asking).rejects.toMatchObject({ details: { field: Object.keys(options)[0] } })
      }
    })
  })
})
