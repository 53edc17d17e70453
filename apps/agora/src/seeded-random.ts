/** The mulberry32 generator: small, fast, and the same for the same seed everywhere. Not for secrets. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, 1). */
  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** In 0..bound-1. */
  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.below(items.length)]
  }

  /** Exponentially distributed: the time to the next of events that come at a steady mean rate. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.float())
  }
}
