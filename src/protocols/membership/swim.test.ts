import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { compareClaims } from './claim.ts'
import { Dissemination } from './dissemination.ts'
import { ProbeOrder } from './probe-order.ts'
import { Suspicion } from './suspicion.ts'
import { Swim } from './swim.ts'
import type { Claim, SwimEffect, SwimMessage } from './types.ts'

const details = (address: string) => ({ address, tags: {}, degraded: '' })
const alive = (id: string, incarnation: number): Claim => ({
  id,
  incarnation,
  state: 'alive',
  by: '',
  details: details(id),
})
const suspect = (id: string, incarnation: number, by: string): Claim => ({
  id,
  incarnation,
  state: 'suspect',
  by,
})
const failed = (id: string, incarnation: number, by: string): Claim => ({
  id,
  incarnation,
  state: 'failed',
  by,
})

/** A member `me` that knows `others`. */
function member(...others: string[]): { swim: Swim; tell: (...claims: Claim[]) => SwimEffect[] } {
  const swim = new Swim({ id: 'me', address: 'me' }, new SeededRandom(1), 0)
  let nowMs = 0
  const tell = (...claims: Claim[]): SwimEffect[] => {
    const message: SwimMessage = { type: 'gossip', from: 'x', claims }
    return swim.step({ type: 'receive', message, replyTo: 'x' }, nowMs++)
  }
  tell(...others.map((id) => alive(id, 1)))
  return { swim, tell }
}

describe('what is claimed (SWIM, section 4.2)', () => {
  test('is overruled by a greater incarnation, and at the same one by what is worse', () => {
    const order = [alive('a', 1), suspect('a', 1, 'b'), failed('a', 1, 'b'), alive('a', 2)] as const
    for (let i = 0; i < order.length; i++)
      for (let j = 0; j < order.length; j++)
        expect(Math.sign(compareClaims(order[i] as Claim, order[j] as Claim))).toBe(Math.sign(i - j))
  })

  test('comes to the same in whatever order, and however often, it is heard', () => {
    const random = new SeededRandom('order')
    const claims = [
      alive('a', 1),
      suspect('a', 1, 'b'),
      alive('a', 2),
      suspect('a', 2, 'c'),
      failed('a', 2, 'c'),
    ]
    for (let round = 0; round < 200; round++) {
      const { swim, tell } = member('a', 'b')
      for (const claim of random.shuffle([...claims, ...claims])) tell(claim)
      expect(swim.member('a')).toMatchObject({ state: 'failed', incarnation: 2 })
    }
  })

  test('of old changes nothing: a replayed alive does not bring back a failed one, nor an old suspicion a live one', () => {
    const { swim, tell } = member('a')
    tell(failed('a', 1, 'b'))
    tell(alive('a', 1))
    expect(swim.member('a')?.state).toBe('failed')
    tell(alive('a', 3))
    tell(suspect('a', 2, 'b'))
    tell(failed('a', 2, 'b'))
    expect(swim.member('a')?.state).toBe('recovered')
  })

  test('of oneself is refuted with a greater incarnation, and counts against the own health', () => {
    const { swim, tell } = member('a')
    tell(suspect('me', 7, 'a'))
    expect(swim.self).toMatchObject({ incarnation: 8, state: 'alive', healthScore: 1 })
    tell(suspect('me', 7, 'a'))
    expect(swim.self.incarnation).toBe(8)
  })
})

describe('a suspicion (Lifeguard, section IV.B)', () => {
  test('lasts its longest alone, and shorter with each that shares it, down to its shortest', () => {
    const suspicion = new Suspicion('a', 1_000, { minMs: 5_000, maxMs: 30_000, confirmations: 3 })
    expect(suspicion.dueMs).toBe(31_000)
    expect(suspicion.confirm('a')).toBe(false)
    expect(suspicion.confirm('b')).toBe(true)
    expect(suspicion.dueMs).toBeCloseTo(1_000 + 30_000 - 25_000 * (Math.log(2) / Math.log(4)), 6)
    suspicion.confirm('c')
    suspicion.confirm('d')
    expect(suspicion.dueMs).toBe(6_000)
    expect(suspicion.confirm('e')).toBe(false)
  })

  test('is told to the suspect with the first ping to it (buddy system)', () => {
    const { swim, tell } = member('a')
    // All other news has been told by now.
    for (let i = 0; i < 40; i++) tell()
    tell(suspect('a', 1, 'x'))
    let ping: SwimMessage | undefined
    for (let ms = 1_000; ms < 4_000 && ping === undefined; ms += 10) {
      for (const effect of swim.step({ type: 'tick' }, ms))
        if (effect.type === 'send' && effect.to === 'a' && effect.message.type === 'ping')
          ping = effect.message
    }
    expect(ping?.claims[0]).toMatchObject({ id: 'a', state: 'suspect' })
  })
})

test('news is sent lambda * ln(n + 1) times, and then no more', () => {
  const news = new Dissemination()
  news.add(suspect('a', 1, 'b'))
  let sent = 0
  while (news.take(1_000, 7).length > 0) sent++
  expect(sent).toBe(7)
  expect(news.size).toBe(0)
})

test('between two probes of one member lie at most 2n - 1 periods (SWIM, section 4.3)', () => {
  for (const size of [2, 3, 10, 100]) {
    const order = new ProbeOrder(new SeededRandom(size))
    for (let i = 0; i < size; i++) order.add(`m${i}`)
    const last = new Map<string, number>()
    let longest = 0
    for (let period = 0; period < 100 * size; period++) {
      const id = order.next() as string
      longest = Math.max(longest, period - (last.get(id) ?? period))
      last.set(id, period)
    }
    expect(last.size).toBe(size)
    expect(longest).toBeLessThanOrEqual(2 * size - 1)
  }
})
