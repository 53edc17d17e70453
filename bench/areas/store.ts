import { loadavg } from 'node:os'
import type { Cluster, Contender } from '../cluster.ts'
import type { LoadReport } from '../load/load.ts'
import { runLoad } from '../load/run-load.ts'
import type { BenchOptions } from '../options.ts'
import { type AreaResult, formatNumber, formatSpread, formatTable } from '../report.ts'
import { rounded, roundedSpread, type Spread, spreadOf } from '../statistics.ts'
import { inTurn, type Side, startSides, stopSides } from './sides.ts'

const warmupMs = 1_000
const keysPerClient = 1_000
const valueBytes = 256
/** The number of clients whose figure stands for the whole, where it was measured. */
const headlineClients = 64

interface Figures {
  readonly clients: number
  readonly side: Side
  readonly operationsPerSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  readonly failures: number
  readonly clientCores: number
}

/** Throughput and latency of writes (or linearizable reads) at several numbers of closed-loop clients. */
export async function benchStore(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const sides = await startSides(ours, peer, options.only)
  try {
    const figures: Figures[] = []
    for (const clients of options.clients) {
      const reports = await measure(sides.clusters, clients, options)
      const rows = [...reports].map(([side, of]) => summarise(side, clients, of))
      figures.push(...rows)
      for (const row of rows) print(progressLine(row))
    }
    print(`\n${tableOf(figures, options.clients)}`)
    return resultOf(figures, options, { loadAtStart, ...sides.descriptions })
  } finally {
    await stopSides(sides)
  }
}

async function measure(
  clusters: ReadonlyMap<Side, Cluster>,
  clients: number,
  { rounds, seconds, operation }: BenchOptions,
): Promise<Map<Side, LoadReport[]>> {
  const reports = new Map<Side, LoadReport[]>([...clusters.keys()].map((side) => [side, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [side, cluster] of inTurn(clusters, round)) {
      const report = await runLoad({
        target: await cluster.target(),
        operation,
        clients,
        warmupMs,
        measuredMs: seconds * 1_000,
        keysPerClient,
        valueBytes,
      })
      reports.get(side)?.push(report)
    }
  }
  return reports
}

function summarise(side: Side, clients: number, reports: readonly LoadReport[]): Figures {
  const spread = (pick: (report: LoadReport) => number) => roundedSpread(spreadOf(reports.map(pick)))
  const failure = reports.find((report) => report.failure !== undefined)?.failure
  if (reports.every((report) => report.operationsPerSecond === 0)) {
    throw new Error(`${side} at ${clients} clients: every operation failed: ${failure ?? 'no answer'}`)
  }
  return {
    clients,
    side,
    operationsPerSecond: spread((report) => report.operationsPerSecond),
    p50Ms: spread((report) => report.p50Ms),
    p99Ms: spread((report) => report.p99Ms),
    failures: reports.reduce((sum, report) => sum + report.failures, 0),
    clientCores: rounded(spreadOf(reports.map((report) => report.clientCores)).median),
  }
}

function progressLine({ side, clients, operationsPerSecond, failures }: Figures): string {
  const failed = failures === 0 ? '' : `, ${failures} failed`
  return `${side}, ${clients} clients: ${formatSpread(operationsPerSecond)} op/s${failed}`
}

function tableOf(figures: readonly Figures[], clientCounts: readonly number[]): string {
  const rows = clientCounts.flatMap((clients) => {
    const ratio = ratioAt(figures, clients)
    return figures
      .filter((each) => each.clients === clients)
      .map((each) => [
        `${each.side}, ${clients} clients`,
        formatSpread(each.operationsPerSecond),
        formatNumber(each.p50Ms.median),
        formatNumber(each.p99Ms.median),
        each.side === 'ours' && ratio !== null ? `${ratio.toFixed(2)}x` : '',
      ])
  })
  return formatTable(['', 'op/s: median (min .. max)', 'p50 ms', 'p99 ms', 'ratio'], rows)
}

function rateOf(figures: readonly Figures[], side: Side, clients: number): number | null {
  const found = figures.find((each) => each.side === side && each.clients === clients)
  return found?.operationsPerSecond.median ?? null
}

function ratioAt(figures: readonly Figures[], clients: number): number | null {
  const ours = rateOf(figures, 'ours', clients)
  const peer = rateOf(figures, 'peer', clients)
  return ours === null || peer === null ? null : rounded(ours / peer)
}

function resultOf(
  figures: readonly Figures[],
  options: BenchOptions,
  setup: Readonly<Record<string, unknown>>,
): AreaResult {
  const clients = options.clients.includes(headlineClients)
    ? headlineClients
    : (options.clients.at(-1) as number)
  return {
    area: 'store',
    ours: rateOf(figures, 'ours', clients),
    peer: rateOf(figures, 'peer', clients),
    ratio: ratioAt(figures, clients),
    unit: 'op/s',
    setup: {
      clients,
      operation: options.operation,
      valueBytes,
      keysPerClient,
      seconds: options.seconds,
      rounds: options.rounds,
      ...setup,
      figures,
    },
  }
}
