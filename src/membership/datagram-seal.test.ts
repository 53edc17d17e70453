import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../testing/world/seeded-random.ts'
import { OpenDatagrams, SealedDatagrams } from './datagram-seal.ts'

const secret = 'a secret of sixteen bytes or more'
const message = new TextEncoder().encode('a message that nobody else is to read')
const seal = (seed: number, group = 'g', text = secret) =>
  new SealedDatagrams(text, group, new SeededRandom(seed))

describe('sealed packets', () => {
  test('open at another member, again too, and show nothing of what is in them', () => {
    const [a, b] = [seal(1), seal(2)]
    const packet = a.seal(message)
    expect(b.open(packet)).toEqual(Buffer.from(message))
    expect(b.open(packet)).toEqual(Buffer.from(message))
    expect(Buffer.from(packet).includes('nobody')).toBe(false)
    expect(packet.byteLength - message.byteLength).toBe(a.overheadBytes)
  })

  test('of the same message are never the same', () => {
    const a = seal(1)
    const packets = Array.from({ length: 100 }, () => Buffer.from(a.seal(message)).toString('hex'))
    expect(new Set(packets).size).toBe(100)
  })

  test('do not open with any bit changed, cut short, or for another group or secret', () => {
    const [a, b] = [seal(1), seal(2)]
    const packet = a.seal(message)
    for (let bit = 0; bit < packet.byteLength * 8; bit++) {
      const changed = Uint8Array.from(packet)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(b.open(changed)).toBeUndefined()
    }
    for (let length = 0; length < packet.byteLength; length++)
      expect(b.open(packet.subarray(0, length))).toBeUndefined()
    expect(seal(3, 'another').open(packet)).toBeUndefined()
    expect(seal(3, 'g', 'some other secret of 16').open(packet)).toBeUndefined()
    expect(new OpenDatagrams('g').open(packet)).toBeUndefined()
    expect(b.open(new OpenDatagrams('g').seal(message))).toBeUndefined()
  })
})

test('packets in the clear are of their group alone', () => {
  const packet = new OpenDatagrams('g').seal(message)
  expect(new OpenDatagrams('g').open(packet)).toEqual(Buffer.from(message))
  expect(new OpenDatagrams('h').open(packet)).toBeUndefined()
})
