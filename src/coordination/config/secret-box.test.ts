import { expect, test } from 'vitest'
import { NodeAesGcm } from '../../world/aes-gcm.ts'
import { NodeRandom } from '../../world/random.ts'
import { newMasterKey, parseMasterKeys, SecretBox } from './secret-box.ts'

const random = new NodeRandom()
const cipher = new NodeAesGcm()
const place = { scope: 'api', key: 'password' }

test('any changed bit, another place and another key are refused', () => {
  const keys = parseMasterKeys(`# keys\n${newMasterKey('new', random)}\n${newMasterKey('old', random)}\n`)
  const box = new SecretBox({ cipher, keys }, random)
  const sealed = box.seal(place, { deep: ['x'] })
  expect(sealed.key).toBe('new')
  expect(box.open(place, sealed)).toEqual({ deep: ['x'] })
  expect(box.seal(place, 1).data).not.toBe(box.seal(place, 1).data)
  for (const field of ['dataKey', 'data'] as const) {
    const bytes = Buffer.from(sealed[field], 'base64')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => box.open(place, { ...sealed, [field]: changed.toString('base64') })).toThrow(
        /was not sealed for this place/,
      )
    }
  }
  for (const other of [
    { ...place, key: 'passwore' },
    { ...place, scope: '*' },
    { ...place, instance: 'i' },
  ])
    expect(() => box.open(other, sealed)).toThrow(/was not sealed for this place/)
  expect(() => box.open(place, { ...sealed, key: 'old' })).toThrow(/was not sealed for this place/)
  expect(() => box.open(place, { ...sealed, key: 'none' })).toThrow(/which this process does not have/)
})

test.each([
  '',
  'k1',
  'k1:AAAA',
  ':' + Buffer.alloc(32).toString('base64'),
  `a b:${Buffer.alloc(32).toString('base64')}`,
])('keys that are not of their form are refused without a word of them: %j', (text) => {
  expect(() => parseMasterKeys(text)).toThrow(/config keys is/)
})
