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

describe('what is claimed (SWIM, the suspicion subprotocol)', () => {
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

describe('a suspicion (Lifeguard, LHA-Suspicion)', () => {
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

describe('another process of the same name', () => {
  /** A member `me` of incarnation 5 that has just asked the other, at `there`, and the number of its question. */
  function asking(): {
    swim: Swim
    seq: number
    answer: (seq: number, since: number, at?: string) => SwimEffect[]
  } {
    const swim = new Swim({ id: 'me', address: 'me', incarnation: 5 }, new SeededRandom(1), 0)
    const claim = { ...alive('me', 9), details: details('there') }
    const message: SwimMessage = { type: 'gossip', from: 'x', claims: [claim] }
    const [asked] = swim.step({ type: 'receive', message, replyTo: 'x' }, 0)
    if (asked?.type !== 'send' || asked.message.type !== 'ping') throw new Error('nobody was asked')
    expect([asked.to, asked.message.to, asked.message.life?.since]).toEqual(['there', 'me', 5])
    const answer = (seq: number, since: number, at = 'there'): SwimEffect[] => {
      const ack = { type: 'ack', from: 'me', seq, score: 0, claims: [], life: { since, draw: 1 } } as const
      return swim.step({ type: 'receive', message: ack, replyTo: at }, 1)
    }
    return { swim, seq: asked.message.seq, answer }
  }

  test('that began earlier ends this one, for good', () => {
    const { swim, seq, answer } = asking()
    expect(answer(seq, 4)).toEqual([{ type: 'conflict', address: 'there', yields: true }])
    expect(swim.dueMs).toBe(Number.POSITIVE_INFINITY)
    expect(swim.step({ type: 'join', addresses: ['x'] }, 2)).toEqual([])
  })

  test('that began later does not, and is told when this one began', () => {
    const { swim, seq, answer } = asking()
    expect(answer(seq, 6)).toEqual([{ type: 'conflict', address: 'there', yields: false }])
    const ping = {
      type: 'ping',
      from: 'me',
      to: 'me',
      seq: 77,
      score: 0,
      claims: [],
      life: { since: 6, draw: 1 },
    } as const
    const [told] = swim.step({ type: 'receive', message: ping, replyTo: 'there' }, 2)
    expect(told).toMatchObject({ to: 'there', message: { type: 'ack', seq: 77, life: { since: 5 } } })
  })

  test('is believed only at its word of now: an answer to no question, to an earlier one, or from elsewhere ends nobody', () => {
    const { swim, seq, answer } = asking()
    expect([...answer(seq + 1, 4), ...answer(seq - 1, 4), ...answer(seq, 4, 'elsewhere')]).toEqual([])
    answer(seq, 6)
    expect(answer(seq, 4)).toEqual([])
    expect(swim.dueMs).toBeLessThan(Number.POSITIVE_INFINITY)
  })

  test('is not this one itself, heard by another of its addresses', () => {
    const { swim } = asking()
    const life = { since: 5, draw: swimLife(swim) }
    const ping = { type: 'ping', from: 'me', to: 'me', seq: 1, score: 0, claims: [], life } as const
    expect(swim.step({ type: 'receive', message: ping, replyTo: 'alias' }, 1)).toEqual([])
  })

  function swimLife(swim: Swim): number {
    const ping = {
      type: 'ping',
      from: 'me',
      to: 'me',
      seq: 9,
      score: 0,
      claims: [],
      life: { since: 6, draw: 1 },
    } as const
    const [told] = swim.step({ type: 'receive', message: ping, replyTo: 'there' }, 0)
    return told?.type === 'send' && told.message.type === 'ack' ? (told.message.life?.draw ?? 0) : 0
  }
})

test('news is sent lambda * ln(n + 1) times, and then no more', () => {
  const news = new Dissemination()
  news.add(suspect('a', 1, 'b'))
  let sent = 0
  while (news.take(1_000, 7).length > 0) sent++
  expect(sent).toBe(7)
  expect(news.size).toBe(0)
})

test('between two probes of one member lie at most 2n - 1 periods, as it may be the first of one round and the last of the next', () => {
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
