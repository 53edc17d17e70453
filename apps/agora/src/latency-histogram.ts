/** Sub-buckets for each doubling: a value is off by at most 1/32 of itself. */
const perDoubling = 32
const doublings = 40

/** Latencies in milliseconds, from a microsecond to days, in fixed memory. Percentiles are right to about 3 %. */
export class LatencyHistogram {
  readonly #buckets = new Uint32Array(perDoubling * doublings)
  #count = 0
  #max = 0

  get count(): number {
    return this.#count
  }

  get max(): number {
    return this.#max
  }

  add(ms: number): void {
    const micros = Math.max(1, ms * 1_000)
    const index = Math.min(this.#buckets.length - 1, Math.floor(Math.log2(micros) * perDoubling))
    this.#buckets[index] = (this.#buckets[index] as number) + 1
    this.#count += 1
    this.#max = Math.max(this.#max, ms)
  }

  /** The value that a share of `percent` does not exceed; 0 when nothing was added. */
  percentile(percent: number): number {
    if (this.#count === 0) return 0
    const wanted = Math.max(1, Math.ceil((percent / 100) * this.#count))
    let seen = 0
    for (const [index, count] of this.#buckets.entries()) {
      seen += count
      if (seen >= wanted) return Math.min(this.#max, 2 ** ((index + 1) / perDoubling) / 1_000)
    }
    return this.#max
  }

  merge(other: LatencyHistogram): void {
    for (const [index, count] of other.#buckets.entries()) {
      this.#buckets[index] = (this.#buckets[index] as number) + count
    }
    this.#count += other.#count
    this.#max = Math.max(this.#max, other.#max)
  }
}
