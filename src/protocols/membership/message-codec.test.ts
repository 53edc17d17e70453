import { expect, test } from 'vitest'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { SwimGroup } from '../../testing/swim-simulation/swim-group.ts'
import { claimBytes } from './claim.ts'
import { decodeSwimMessage, encodeSwimMessage } from './message-codec.ts'
import { type Claim, claimStates, membershipLimits, type SwimMessage, swimDefaults } from './types.ts'

const random = new SeededRandom('messages')
const text = (bytes: number): string => random.pick(['a', 'é', '漢', '😀']).repeat(Math.floor(bytes / 6))

function anyClaim(): Claim {
  const { idBytesMax, addressBytesMax, tagBytesMax, degradedBytesMax, incarnationMax } = membershipLimits
  const state = random.pick(claimStates)
  const tags = Object.fromEntries(
    Array.from({ length: random.integer(0, 8) }, (_, i) => [
      `${i}`,
      text(random.integer(0, tagBytesMax / 16)),
    ]),
  )
  const details = {
    address: text(random.integer(6, addressBytesMax)),
    tags,
    degraded: text(random.integer(0, degradedBytesMax)),
  }
  return {
    id: text(random.integer(6, idBytesMax)),
    incarnation: random.integer(0, incarnationMax - 1),
    state,
    by: text(random.integer(0, idBytesMax)),
    ...(state === 'alive' || random.chance(0.5) ? { details } : {}),
  }
}

test('a message comes back as it was, and no claim takes more room than was counted for it', () => {
  for (let i = 0; i < 1_000; i++) {
    const claims = Array.from({ length: random.integer(0, 5) }, anyClaim)
    const message: SwimMessage = { type: 'ping', from: text(20), seq: i, to: text(20), score: 3, claims }
    const bytes = encodeSwimMessage(message)
    expect(decodeSwimMessage(bytes)).toEqual(message)
    const life = { since: random.integer(0, 2 ** 47), draw: random.integer(0, 2 ** 31) }
    for (const told of [
      { ...message, life },
      { type: 'ack', from: text(20), seq: i, score: 3, life, claims },
    ] as const)
      expect(decodeSwimMessage(encodeSwimMessage(told))).toEqual(told)
    const without = encodeSwimMessage({ ...message, claims: [] }).byteLength
    const counted = claims.reduce((sum, claim) => sum + claimBytes(claim), 0)
    // The head of the list itself grows from one byte to three.
    expect(bytes.byteLength - without).toBeLessThanOrEqual(counted + 2)
  }
})

test('no message of a busy group is larger than a datagram, whatever the members say of themselves', () => {
  let largest = 0
  const seen = new Set<string>()
  const group = new SwimGroup({
    seed: 1,
    size: 40,
    isIntroduced: false,
    loss: 0.1,
    delayMs: (_, to) => (to === 'm9' ? 400 : 0),
    sent: (_from, _to, message) => {
      seen.add(message.type)
      largest = Math.max(largest, encodeSwimMessage(message).byteLength)
    },
  })
  for (const id of group.ids) {
    group.step(id, { type: 'setTags', tags: { about: id.repeat(120).slice(0, 350) } })
    if (id !== 'm1') group.step(id, { type: 'join', addresses: ['m1'] })
  }
  group.runUntil(20_000)
  group.crash('m3')
  group.step('m4', { type: 'leave' })
  group.runUntil(60_000)
  expect([...seen].sort()).toEqual(['ack', 'gossip', 'nack', 'page', 'ping', 'pingRequest', 'slow', 'sync'])
  expect(largest).toBeLessThanOrEqual(swimDefaults.messageBytesMax)
  expect(largest).toBeGreaterThan(1_000)
})

test('what is not such a message is refused as corrupt', () => {
  const good = encodeSwimMessage({ type: 'gossip', from: 'a', claims: [anyClaim()] })
  for (let length = 0; length < good.byteLength; length++) {
    expect(() => decodeSwimMessage(good.subarray(0, length))).toThrow(/malformed/)
  }
  const gossip = { type: 'gossip', from: 'a', claims: [{ ...anyClaim(), incarnation: 2 ** 50 }] } as const
  expect(() => decodeSwimMessage(encodeSwimMessage(gossip))).toThrow(/malformed/)
})
