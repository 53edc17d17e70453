import type { Cluster, PutDriver } from '../cluster.ts'
import { processorSeconds } from '../processor-time.ts'
import { residentMebibytes } from '../scale/server-usage.ts'
import { type Arrivals, monotonicMs, WatcherProcess } from '../scale/watchers.ts'
import { ownArea, type Figures, roundedFigures, tableOfOwn } from './ours-only.ts'
import { valueBytes } from './rates.ts'

const prefix = 'bench/watched/'
const watchers = 10_000
const processes = 2
const connectionsEach = 50
const deadlineMs = 30_000
/** Puts made one after the other, each when the one before has been acknowledged and a pause is over. */
const calmPuts = 100
const calmPauseMs = 200
/** Puts made without waiting for the watchers. */
const burstPuts = 2_000
const burstClients = 16
/** For the last events to arrive. */
const settleMs = 3_000
const headline = 'calm: put to last watcher, p50 ms'

/** 10,000 watchers on one prefix of one node, over 100 connections: when the last has seen a put, and what that costs. */
export const benchWatchers = ownArea(async (cluster, print) => {
  const figures = await measure(cluster)
  print(tableOfOwn('10,000 watchers on one prefix', figures))
  const connections = processes * connectionsEach
  const setup = { watchers, connections, valueBytes, ...roundedFigures(figures) }
  return { headline: figures[headline] ?? null, unit: 'ms', setup }
})

async function measure(cluster: Cluster): Promise<Figures> {
  const leader = await cluster.leader()
  const { addresses } = await cluster.target()
  const pids = [cluster.pids[leader] as number]
  const memoryBefore = residentMebibytes(pids)
  const watching = await Promise.all(
    Array.from({ length: processes }, () =>
      WatcherProcess.start({
        address: addresses[leader] as string,
        prefix,
        connections: connectionsEach,
        watchersEach: watchers / processes / connectionsEach,
      }),
    ),
  )
  try {
    const [driver] = await cluster.drivers()
    if (driver === undefined) throw new Error('no client')
    const memoryWatched = residentMebibytes(pids)
    const calm = await calmly(driver, pids)
    const burst = await inBurst(driver, pids)
    await pause(settleMs)
    const memoryAfter = residentMebibytes(pids)
    const arrivals = await Promise.all(watching.map((each) => each.finish()))
    await driver.close()
    if (arrivals.some(({ missing }) => missing.length > 0)) throw new Error('a watcher has missed a change')
    const delays = calm.startedMs.map((startMs, i) => lastOf(arrivals, i) - startMs).sort((a, b) => a - b)
    const burstDelays = burst.startedMs
      .map((startMs, i) => lastOf(arrivals, calmPuts + i) - startMs)
      .sort((a, b) => a - b)
    return {
      [headline]: percentile(delays, 50),
      'calm: put to last watcher, p99 ms': percentile(delays, 99),
      'calm: put acknowledged, p50 ms': percentile(
        calm.acknowledgedMs.sort((a, b) => a - b),
        50,
      ),
      'calm: CPU of the node per put, ms': (calm.cpuSeconds * 1_000) / calmPuts,
      'burst: puts a second': burst.putsPerSecond,
      'burst: put to last watcher, p50 ms': percentile(burstDelays, 50),
      'burst: put to last watcher, max ms': percentile(burstDelays, 100),
      'burst: CPU of the node per put, ms': (burst.cpuSeconds * 1_000) / burstPuts,
      'memory of the node before, MiB': memoryBefore,
      'memory of the node with the watchers, MiB': memoryWatched,
      'memory of the node afterwards, MiB': memoryAfter,
    }
  } finally {
    for (const each of watching) each.kill()
  }
}

async function calmly(driver: PutDriver, pids: readonly number[]) {
  const cpuBefore = processorSeconds(pids)
  const startedMs: number[] = []
  const acknowledgedMs: number[] = []
  for (let number = 0; number < calmPuts; number++) {
    const startMs = monotonicMs()
    startedMs.push(startMs)
    await put(driver, number)
    acknowledgedMs.push(monotonicMs() - startMs)
    await pause(calmPauseMs)
  }
  return { startedMs, acknowledgedMs, cpuSeconds: processorSeconds(pids) - cpuBefore }
}

async function inBurst(driver: PutDriver, pids: readonly number[]) {
  const cpuBefore = processorSeconds(pids)
  const startedMs: number[] = []
  const startMs = monotonicMs()
  let next = 0
  const client = async (): Promise<void> => {
    while (next < burstPuts) {
      const number = next++
      startedMs[number] = monotonicMs()
      await put(driver, calmPuts + number)
    }
  }
  await Promise.all(Array.from({ length: burstClients }, client))
  const putsPerSecond = (burstPuts * 1_000) / (monotonicMs() - startMs)
  await pause(settleMs)
  return { startedMs, putsPerSecond, cpuSeconds: processorSeconds(pids) - cpuBefore }
}

/** The value begins with the number of the put. */
async function put(driver: PutDriver, number: number): Promise<void> {
  const value = Buffer.alloc(valueBytes)
  value.writeUInt32LE(number)
  await driver.put(`${prefix}${number % 100}`, value, deadlineMs)
}

function lastOf(arrivals: readonly Arrivals[], number: number): number {
  return Math.max(...arrivals.map(({ lastMs }) => lastMs[number] as number))
}

function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] as number
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
