import { randomBytes, randomFillSync } from 'node:crypto'
import { assert } from '../base/assert.ts'
import type { Random } from '../contracts/world.ts'

/** Numbers from the operating system's generator, fetched in blocks. */
export class NodeRandom implements Random {
  readonly #block = Buffer.alloc(4096)
  #used = this.#block.length

  float(): number {
    return this.#fiftyThreeBits() / 2 ** 53
  }

  integer(min: number, max: number): number {
    const count = max - min + 1
    assert(Number.isSafeInteger(min) && Number.isSafeInteger(max) && count >= 1, 'not a range of integers', {
      min,
      max,
    })
    assert(count <= 2 ** 53, 'the range is wider than 2^53', { min, max })
    // Numbers past the last whole multiple of `count` would make the low ones more likely.
    const limit = 2 ** 53 - (2 ** 53 % count)
    for (;;) {
      const value = this.#fiftyThreeBits()
      if (value < limit) return min + (value % count)
    }
  }

  bytes(length: number): Uint8Array {
    return randomBytes(length)
  }

  #fiftyThreeBits(): number {
    if (this.#used + 8 > this.#block.length) {
      randomFillSync(this.#block)
      this.#used = 0
    }
    const high = this.#block.readUInt32LE(this.#used) >>> 11
    const low = this.#block.readUInt32LE(this.#used + 4)
    // What was handed out is not kept: it may have become a secret.
    this.#block.fill(0, this.#used, this.#used + 8)
    this.#used += 8
    return high * 2 ** 32 + low
  }
}
