import type { StoreDriver } from '../cluster.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { FanOutReport, FanOutRequest } from './load.ts'

const key = 'bench-watched'
const deadlineMs = 10_000

/** Puts one key again and again, and measures when each of the watchers has seen the change. */
export async function runFanOut(driver: StoreDriver, request: FanOutRequest): Promise<FanOutReport> {
  const value = Buffer.alloc(request.valueBytes, 0x61)
  const latencies = new LatencyHistogram()
  const gathering = new Gathering(request.watchers)
  await Promise.all(
    Array.from({ length: request.watchers }, () => driver.watch(key, () => gathering.arrived())),
  )
  for (let put = 0; put < request.warmupPuts + request.puts; put++) {
    const startMs = performance.now()
    const seen = gathering.begin()
    await driver.put(key, value, deadlineMs)
    const seenMs = await seen
    if (put >= request.warmupPuts) latencies.record(seenMs - startMs)
  }
  return { p50Ms: latencies.percentileMs(50), p99Ms: latencies.percentileMs(99) }
}

/** Waits until all have arrived, again and again. */
class Gathering {
  readonly #size: number
  #missing = 0
  #complete: (atMs: number) => void = () => {}

  constructor(size: number) {
    this.#size = size
  }

  /** Resolves with the time at which the last one came. */
  begin(): Promise<number> {
    this.#missing = this.#size
    return new Promise((resolve) => {
      this.#complete = resolve
    })
  }

  arrived(): void {
    if (--this.#missing === 0) this.#complete(performance.now())
  }
}
