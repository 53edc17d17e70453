import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoopDelay, LoopDelayMeter } from '../contracts/vitals.ts'

/** The histogram's timer fires this often; a delay is what is beyond it. */
const resolutionMs = 10
const nanosPerMs = 1_000_000

/** {@link LoopDelayMeter} of this thread. Does not keep the process alive. */
export class NodeLoopDelayMeter implements LoopDelayMeter {
  readonly #histogram: IntervalHistogram

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs })
    this.#histogram.enable()
  }

  read(): LoopDelay {
    const histogram = this.#histogram
    if (histogram.count === 0) return { meanMs: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 }
    return {
      meanMs: delayMs(histogram.mean),
      p50Ms: delayMs(histogram.percentile(50)),
      p99Ms: delayMs(histogram.percentile(99)),
      maxMs: delayMs(histogram.max),
    }
  }

  reset(): void {
    this.#histogram.reset()
  }

  close(): void {
    this.#histogram.disable()
  }
}

/** The histogram holds the whole time from one firing to the next. */
function delayMs(nanos: number): number {
  return Math.max(0, nanos / nanosPerMs - resolutionMs)
}
