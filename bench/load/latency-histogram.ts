import { build, type Histogram } from 'hdr-histogram-js'

const latencyUsMax = 60_000_000

/** Latencies from 1 us to a minute, exact to three digits. */
export class LatencyHistogram {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: latencyUsMax,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  })

  get maxMs(): number {
    return this.#histogram.maxValue / 1_000
  }

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(latencyUsMax, Math.max(1, Math.round(ms * 1_000))))
  }

  percentileMs(percentile: number): number {
    return this.#histogram.getValueAtPercentile(percentile) / 1_000
  }
}
