import type { Random } from '../contracts/world.ts'

/** Fetched at once: one call of the system for some thousand ids. */
const poolBytes = 8_192

/** Random bits of the world, 16 at a time. What was handed out is not kept: it may have become a secret. */
export class RandomPool {
  readonly #random: Random
  #words = new Uint16Array(0)
  #used = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Uniform in 0..65535. */
  word(): number {
    if (this.#used === this.#words.length) this.#refill()
    const at = this.#used++
    const word = this.#words[at] as number
    this.#words[at] = 0
    return word
  }

  #refill(): void {
    // A copy: what the world hands out need not lie at an even place of its memory.
    this.#words = new Uint16Array(Uint8Array.from(this.#random.bytes(poolBytes)).buffer)
    this.#used = 0
  }
}
