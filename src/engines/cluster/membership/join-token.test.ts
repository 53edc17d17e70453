import { expect, test } from 'vitest'
import { Simulation } from '../../../testing/world/simulation.ts'
import { decodeJoinToken, drawSecret, encodeJoinToken, hashOfSecret, isSecret } from './join-token.ts'

const token = {
  clusterId: 'prod',
  id: 4,
  secret: 'c2VjcmV0',
  members: [
    { id: 1, address: '10.0.0.1:7400' },
    { id: 2, address: '[::1]:7400' },
  ],
}

test('a token brings back what was put into it, as one word', () => {
  const text = encodeJoinToken(token)
  expect(text).toMatch(/^[A-Za-z0-9._-]+$/)
  expect(decodeJoinToken(text)).toEqual(token)
})

test('what is no token, or a part of one, is refused without being shown', () => {
  const text = encodeJoinToken(token)
  for (const wrong of ['', 'hello', text.slice(0, -9), `${text.slice(0, 20)}AAAA`]) {
    expect(() => decodeJoinToken(wrong)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  }
  expect(() => decodeJoinToken(text.slice(0, -9))).not.toThrow(text.slice(20, 40))
})

test('only the secret itself passes for the secret', async () => {
  const simulation = new Simulation({ seed: 1 })
  let checked = false
  simulation.process('p', async (world) => {
    const secret = drawSecret(world.random)
    const hash = hashOfSecret(secret)
    expect(isSecret(secret, hash)).toBe(true)
    expect(isSecret(drawSecret(world.random), hash)).toBe(false)
    expect(isSecret('', hash)).toBe(false)
    expect(isSecret(hash, hash)).toBe(false)
    checked = true
  })
  await simulation.runUntil(() => checked, { limitMs: 1_000 })
})
