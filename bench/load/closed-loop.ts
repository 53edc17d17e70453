import { build, type Histogram } from 'hdr-histogram-js'
import type { StoreDriver } from '../cluster.ts'
import type { LoadReport, LoadRequest } from './load.ts'

const deadlineMs = 10_000
const latencyUsMax = 60_000_000

/** Runs the clients of `request` against `driver`, all in this process, and sums up what they saw after the warm-up. */
export async function runClosedLoop(driver: StoreDriver, request: LoadRequest): Promise<LoadReport> {
  const value = Buffer.alloc(request.valueBytes, 0x61)
  if (request.operation === 'get') await fill(driver, request, value)
  const startMs = performance.now()
  const measureFromMs = startMs + request.warmupMs
  const endMs = measureFromMs + request.measuredMs
  const seen: Seen = { latencies: newHistogram(), operations: 0, failures: 0, failure: undefined }
  const cpu = setTimeoutAt(measureFromMs, () => process.cpuUsage())
  const clients = Array.from({ length: request.clients }, (_, client) =>
    runClient(driver, request, client, value, { measureFromMs, endMs }, seen),
  )
  await Promise.all(clients)
  const used = process.cpuUsage(await cpu)
  const seconds = (performance.now() - measureFromMs) / 1_000
  return {
    operationsPerSecond: seen.operations / seconds,
    p50Ms: seen.latencies.getValueAtPercentile(50) / 1_000,
    p99Ms: seen.latencies.getValueAtPercentile(99) / 1_000,
    maxMs: seen.latencies.maxValue / 1_000,
    failures: seen.failures,
    ...(seen.failure === undefined ? {} : { failure: seen.failure }),
    clientCores: (used.user + used.system) / 1e6 / seconds,
  }
}

interface Seen {
  readonly latencies: Histogram
  operations: number
  failures: number
  failure: string | undefined
}

async function runClient(
  driver: StoreDriver,
  request: LoadRequest,
  client: number,
  value: Uint8Array,
  { measureFromMs, endMs }: { readonly measureFromMs: number; readonly endMs: number },
  seen: Seen,
): Promise<void> {
  for (let turn = 0; ; turn++) {
    const sentMs = performance.now()
    if (sentMs >= endMs) return
    try {
      if (request.operation === 'put') await driver.put(keyOf(client, turn, request), value, deadlineMs)
      else await driver.get(keyOf(0, client + turn, request), deadlineMs)
    } catch (error) {
      seen.failures += 1
      seen.failure = String(error)
      continue
    }
    const answeredMs = performance.now()
    if (answeredMs < measureFromMs) continue
    seen.operations += 1
    seen.latencies.recordValue(Math.min(latencyUsMax, Math.max(1, Math.round((answeredMs - sentMs) * 1_000))))
  }
}

/** Reads go over one client's keys, which are written first. */
async function fill(driver: StoreDriver, request: LoadRequest, value: Uint8Array): Promise<void> {
  const atOnce = 50
  for (let from = 0; from < request.keysPerClient; from += atOnce) {
    const count = Math.min(atOnce, request.keysPerClient - from)
    await Promise.all(
      Array.from({ length: count }, (_, n) => driver.put(keyOf(0, from + n, request), value, deadlineMs)),
    )
  }
}

function keyOf(client: number, turn: number, { keysPerClient }: LoadRequest): string {
  return `bench/${client}/${turn % keysPerClient}`
}

function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: latencyUsMax,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  })
}

function setTimeoutAt<T>(atMs: number, read: () => T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(read()), atMs - performance.now()))
}
