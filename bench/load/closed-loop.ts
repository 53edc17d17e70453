import type { Operation, PutDriver, StoreDriver } from '../cluster.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { ClosedLoopReport, ClosedLoopRequest } from './load.ts'

const deadlineMs = 10_000
const absentKey = 'bench-absent'

/** Does the `turn`-th operation of a client. */
type Operate = (client: number, turn: number) => Promise<unknown>

/** Runs the clients of `request` against `driver`, all in this process, and sums up what they saw after the warm-up. */
export async function runClosedLoop(
  driver: PutDriver | StoreDriver,
  request: ClosedLoopRequest,
): Promise<ClosedLoopReport> {
  const value = Buffer.alloc(request.valueBytes, 0x61)
  const seen: Seen = {
    latencies: new LatencyHistogram(),
    completed: 0,
    operations: 0,
    failures: 0,
    failure: undefined,
  }
  if (request.operation === 'get') seen.completed += await fill(driver, request, value)
  const operate = operationOf(driver, request, value)
  const startMs = performance.now()
  const measureFromMs = startMs + request.warmupMs
  const endMs = measureFromMs + request.measuredMs
  const cpu = setTimeoutAt(measureFromMs, () => process.cpuUsage())
  await Promise.all(
    Array.from({ length: request.clients }, (_, client) =>
      runClient(operate, client, { measureFromMs, endMs }, seen),
    ),
  )
  const used = process.cpuUsage(await cpu)
  const seconds = (performance.now() - measureFromMs) / 1_000
  return {
    operationsPerSecond: seen.operations / seconds,
    p50Ms: seen.latencies.percentileMs(50),
    p99Ms: seen.latencies.percentileMs(99),
    maxMs: seen.latencies.maxMs,
    completed: seen.completed,
    failures: seen.failures,
    ...(seen.failure === undefined ? {} : { failure: seen.failure }),
    clientCores: (used.user + used.system) / 1e6 / seconds,
  }
}

interface Seen {
  readonly latencies: LatencyHistogram
  completed: number
  operations: number
  failures: number
  failure: string | undefined
}

async function runClient(
  operate: Operate,
  client: number,
  { measureFromMs, endMs }: { readonly measureFromMs: number; readonly endMs: number },
  seen: Seen,
): Promise<void> {
  for (let turn = 0; ; turn++) {
    const sentMs = performance.now()
    if (sentMs >= endMs) return
    try {
      await operate(client, turn)
    } catch (error) {
      seen.failures += 1
      seen.failure = String(error)
      continue
    }
    seen.completed += 1
    const answeredMs = performance.now()
    if (answeredMs < measureFromMs) continue
    seen.operations += 1
    seen.latencies.record(answeredMs - sentMs)
  }
}

function operationOf(
  driver: PutDriver | StoreDriver,
  request: ClosedLoopRequest,
  value: Uint8Array,
): Operate {
  const { operation } = request
  if (operation === 'put')
    return (client, turn) => driver.put(keyOf(client, turn, request), value, deadlineMs)
  const store = withAll(driver, operation)
  switch (operation) {
    case 'get':
      return (client, turn) => store.get(keyOf(0, client + turn, request), deadlineMs)
    case 'txn':
      return (client, turn) => store.txn(absentKey, keyOf(client, turn, request), value, deadlineMs)
    case 'lease':
      return () => store.grantLease(deadlineMs)
  }
}

function withAll(driver: PutDriver | StoreDriver, operation: Operation): StoreDriver {
  if ('txn' in driver) return driver
  throw new Error(`this store takes puts only, not the operation ${operation}`)
}

/** Reads go over one client's keys, which are written first. Returns how many they are. */
async function fill(driver: PutDriver, request: ClosedLoopRequest, value: Uint8Array): Promise<number> {
  const atOnce = 50
  for (let from = 0; from < request.keysPerClient; from += atOnce) {
    const count = Math.min(atOnce, request.keysPerClient - from)
    await Promise.all(
      Array.from({ length: count }, (_, n) => driver.put(keyOf(0, from + n, request), value, deadlineMs)),
    )
  }
  return request.keysPerClient
}

function keyOf(client: number, turn: number, { keysPerClient }: ClosedLoopRequest): string {
  return `bench/${client}/${turn % keysPerClient}`
}

function setTimeoutAt<T>(atMs: number, read: () => T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(read()), atMs - performance.now()))
}
