import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import { StoreModel } from './store-model.ts'

const noSession = { session: 0, sequence: 0, acknowledged: 0 }

function fill(model: StoreModel, keys: number, bytes: number): void {
  for (let i = 0; i < keys; i++) {
    const value = new Uint8Array(bytes).fill(i)
    model.apply({
      ...noSession,
      type: 'txn',
      compare: [],
      then: [{ op: 'put', key: `k${i % 50}`, value }],
      else: [],
    })
  }
}

function example(): StoreModel {
  const model = new StoreModel()
  model.apply({ type: 'openSession', ownerKey: 'me' })
  model.apply({ ...noSession, type: 'grantLease', ttlMs: 1_000 })
  fill(model, 60, 20)
  model.apply({ ...noSession, type: 'compact', revision: 40 })
  model.apply({ session: 1, sequence: 1, acknowledged: 0, type: 'revokeLease', lease: 9 })
  return model
}

function isCorrupt(restore: () => void): boolean {
  try {
    restore()
  } catch (error) {
    if (isAlthingError(error, 'corrupt')) return true
    throw error
  }
  return false
}

describe('snapshots', () => {
  test('chunks have at most 256 KiB, however large the values', () => {
    const model = new StoreModel()
    fill(model, 3, 1024 * 1024)
    const chunks = [...model.snapshot()]
    expect(Math.max(...chunks.map((chunk) => chunk.byteLength))).toBe(256 * 1024)
    const restored = new StoreModel()
    restored.restore(chunks)
    expect(restored.hash()).toBe(model.hash())
  })

  test('the chunks may be cut anywhere', () => {
    const model = example()
    const bytes = Buffer.concat([...model.snapshot()])
    const restored = new StoreModel()
    restored.restore(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))
    expect(restored.hash()).toBe(model.hash())
  })

  test('a snapshot that is cut, prolonged or empty is corrupt, and leaves the state as it was', () => {
    const bytes = Buffer.concat([...example().snapshot()])
    const model = new StoreModel()
    fill(model, 5, 5)
    const hash = model.hash()
    for (let length = 0; length < bytes.length; length += 7) {
      expect(isCorrupt(() => model.restore([bytes.subarray(0, length)]))).toBe(true)
    }
    expect(isCorrupt(() => model.restore([bytes, bytes]))).toBe(true)
    expect(model.hash()).toBe(hash)
  })

  test('any changed byte is noticed, and leaves the state as it was', () => {
    const bytes = Buffer.concat([...example().snapshot()])
    const model = new StoreModel()
    const hash = model.hash()
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flipped) => {
        const damaged = Buffer.from(bytes)
        damaged[at] = (damaged[at] ?? 0) ^ flipped
        expect(isCorrupt(() => model.restore([damaged]))).toBe(true)
      }),
      { numRuns: 500 },
    )
    expect(model.hash()).toBe(hash)
  })

  test('states that differ in one thing only have different hashes', () => {
    const hashes = new Set<string>([new StoreModel().hash(), example().hash()])
    const changes: ((model: StoreModel) => void)[] = [
      (model) => fill(model, 1, 1),
      (model) => model.apply({ type: 'openSession', ownerKey: 'other' }),
      (model) => model.apply({ ...noSession, type: 'grantLease', ttlMs: 1_000 }),
      (model) => model.apply({ ...noSession, type: 'compact', revision: 41 }),
      (model) => model.apply({ session: 1, sequence: 2, acknowledged: 1, type: 'compact', revision: 40 }),
    ]
    for (const change of changes) {
      const model = example()
      change(model)
      hashes.add(model.hash())
    }
    expect(hashes.size).toBe(7)
  })
})
