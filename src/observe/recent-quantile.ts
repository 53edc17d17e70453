/** The last values of a measurement, for its quantiles of late. Keeps `size` of them. */
export class RecentQuantile {
  readonly #values: Float64Array
  #count = 0

  constructor(size = 1_024) {
    this.#values = new Float64Array(size)
  }

  add(value: number): void {
    this.#values[this.#count++ % this.#values.length] = value
  }

  get count(): number {
    return this.#count
  }

  /** The nearest-rank quantile `q` (0..1) of the values kept; undefined while there are none. */
  at(q: number): number | undefined {
    const kept = Math.min(this.#count, this.#values.length)
    const sorted = this.#values.slice(0, kept).sort()
    return sorted[Math.min(kept - 1, Math.max(0, Math.ceil(q * kept) - 1))]
  }
}
