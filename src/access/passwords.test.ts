import { describe, expect, test } from 'vitest'
import { NodeKeyDerivation } from '../world/key-derivation.ts'
import { type KeyDerivation, Passwords } from './passwords.ts'
import { createToken, parseToken, tokenMatches } from './token.ts'
import { SeededRandom } from '../testing/world/seeded-random.ts'

const random = new SeededRandom(1)

describe('a password', () => {
  test('is kept as an scrypt hash with a salt of its own, and matches itself alone', async () => {
    const passwords = new Passwords(new NodeKeyDerivation(), random)
    const [one, other] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')])
    expect(one.hash).not.toBe(other.hash)
    expect(JSON.stringify(one)).not.toContain('correct')
    expect(await passwords.matches('correct horse', one)).toBe(true)
    expect(await passwords.matches('correct horsE', one)).toBe(false)
    expect(await passwords.matches('correct horse', undefined)).toBe(false)
  })

  test('too short or too long is refused', async () => {
    const passwords = new Passwords(new NodeKeyDerivation(), random)
    for (const text of ['seven77', 'x'.repeat(1_025)])
      await expect(passwords.hash(text)).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('costs the same time when there is no such user; few are checked at a time, and past a bound none', async () => {
    let running = 0
    let most = 0
    let calls = 0
    const waiting: (() => void)[] = []
    const derivation: KeyDerivation = {
      scrypt: async () => {
        calls++
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => waiting.push(resolve))
        running--
        return new Uint8Array(32)
      },
    }
    const passwords = new Passwords(derivation, random)
    const checks = Array.from({ length: 66 }, () => passwords.matches('some password', undefined))
    await expect(passwords.matches('some password', undefined)).rejects.toMatchObject({ code: 'overloaded' })
    let settled = 0
    for (const check of checks) void check.then(() => settled++)
    while (settled < checks.length) {
      waiting.shift()?.()
      await Promise.resolve()
    }
    expect([most, calls]).toEqual([2, 66])
  })
})

describe('a token', () => {
  test('has 256 random bits, of which a hash is kept', () => {
    const { id, text, hash } = createToken(random)
    const parsed = parseToken(text)
    expect(parsed?.id).toBe(id)
    expect(Buffer.from(parsed?.secret ?? '', 'base64url')).toHaveLength(32)
    expect(tokenMatches(parsed?.secret ?? '', hash)).toBe(true)
    expect(hash).not.toContain(parsed?.secret)
    const other = parseToken(createToken(random).text)
    expect(tokenMatches(other?.secret ?? '', hash)).toBe(false)
  })

  test('of another form is none', () => {
    const { text } = createToken(random)
    for (const wrong of ['', text.slice(1), `${text}x`, text.toUpperCase(), text.replace('alt_', 'alt-')])
      expect(parseToken(wrong)).toBeUndefined()
  })
})
