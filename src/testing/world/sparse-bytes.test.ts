import { describe, expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'
import { pageBytes, SparseBytes } from './sparse-bytes.ts'

/** Some are ends of pages, so that every case of a stretch across pages comes up. */
function somePosition(random: SeededRandom): number {
  const near = random.pick([0, pageBytes, 2 * pageBytes, 3 * pageBytes])
  return Math.max(0, near + random.integer(-3, 3))
}

describe('bytes that are mostly zero', () => {
  test('are what an ordinary array of bytes is', () => {
    const random = new SeededRandom('sparse')
    const [sparse, other] = [new SparseBytes(), new SparseBytes()]
    const plain: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)]
    const resized = (bytes: Uint8Array, size: number): Uint8Array => {
      const result = new Uint8Array(size)
      result.set(bytes.subarray(0, size))
      return result
    }
    for (let step = 0; step < 300; step++) {
      const offset = somePosition(random)
      const length = random.pick([1, 7, pageBytes, pageBytes + 2])
      switch (random.integer(0, 5)) {
        case 0: {
          const bytes = random.bytes(length)
          sparse.write(offset, bytes)
          plain[0] = resized(plain[0], Math.max(plain[0].length, offset + length))
          plain[0].set(bytes, offset)
          break
        }
        case 1:
          sparse.resize(offset)
          plain[0] = resized(plain[0], offset)
          break
        case 2: {
          sparse.overwriteFrom(other, offset, length)
          const end = Math.min(offset + length, plain[0].length)
          for (let i = offset; i < end; i++) plain[0][i] = plain[1][i] ?? 0
          break
        }
        case 3:
          other.copyFrom(sparse)
          plain[1] = plain[0].slice()
          break
        case 4:
          sparse.flipBit(offset, 3)
          if (offset < plain[0].length) plain[0][offset] = (plain[0][offset] as number) ^ 8
          break
        default:
          expect(sparse.read(offset, length)).toEqual(
            Uint8Array.from(plain[0].slice(offset, offset + length)),
          )
      }
      expect(sparse.size).toBe(plain[0].length)
    }
    expect(Buffer.compare(sparse.read(0, sparse.size), plain[0])).toBe(0)
    expect(Buffer.compare(other.read(0, other.size), plain[1])).toBe(0)
  })

  test('stay apart from their copy', () => {
    const [sparse, copy] = [new SparseBytes(), new SparseBytes()]
    sparse.write(0, Buffer.from('abc'))
    copy.copyFrom(sparse)
    sparse.write(0, Buffer.from('x'))
    expect(Buffer.from(copy.read(0, 9)).toString()).toBe('abc')
  })
})
