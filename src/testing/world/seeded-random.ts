import { assert } from '../../base/assert.ts'
import type { Random } from '../../contracts/world.ts'

/**
 * A seeded stream of random numbers (the sfc32 generator of C. Doty-Humphrey's PractRand). {@link SeededRandom.fork} makes
 * a stream from the seed and a name alone, so what one part draws never shifts what another part gets.
 */
export class SeededRandom implements Random {
  readonly #key: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(key: string | number) {
    this.#key = String(key)
    this.#a = hashText(this.#key, 0x9e3779b9)
    this.#b = hashText(this.#key, 0x85ebca6b)
    this.#c = hashText(this.#key, 0xc2b2ae35)
    // The first outputs of sfc32 are still alike for like seeds.
    for (let round = 0; round < 12; round++) this.#next()
  }

  /** An independent stream. The same name gives the same stream from its start, whatever has been drawn here. */
  fork(name: string): SeededRandom {
    return new SeededRandom(`${this.#key}/${name}`)
  }

  float(): number {
    return this.#next() / 0x1_0000_0000
  }

  integer(min: number, max: number): number {
    assert(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max, 'no integer in range', {
      min,
      max,
    })
    const fraction = ((this.#next() >>> 5) * 0x400_0000 + (this.#next() >>> 6)) / 0x20_0000_0000_0000
    return min + Math.floor(fraction * (max - min + 1))
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.#next() & 0xff
    return bytes
  }

  /** True with the given probability. Draws nothing when the answer is certain. */
  chance(probability: number): boolean {
    return probability > 0 && (probability >= 1 || this.float() < probability)
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + this.float() * (max - min)
  }

  /** Exponentially distributed, cut off at 20 times the mean. */
  exponential(mean: number): number {
    return mean <= 0 ? 0 : Math.min(-Math.log(1 - this.float()), 20) * mean
  }

  pick<T>(values: readonly T[]): T {
    assert(values.length > 0, 'nothing to pick from')
    return values[this.integer(0, values.length - 1)] as T
  }

  /** A new array with the same elements in a uniformly random order (Fisher and Yates). */
  shuffle<T>(values: readonly T[]): T[] {
    const shuffled = [...values]
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.integer(0, last)
      const moved = shuffled[last] as T
      shuffled[last] = shuffled[other] as T
      shuffled[other] = moved
    }
    return shuffled
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }
}

/** FNV-1a over the UTF-16 units, finished with the avalanche of MurmurHash3. */
function hashText(text: string, salt: number): number {
  let hash = 0x811c9dc5 ^ salt
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}
