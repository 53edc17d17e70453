import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import type { Cluster, Contender } from '../cluster.ts'
import { runLoad } from '../load/run-load.ts'
import type { BenchOptions } from '../options.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { keysPerClient, valueBytes, warmupMs } from './rates.ts'
import { type Side, startSides, stopSides } from './sides.ts'

const clients = 64
const reportEveryMs = 30_000

interface Stability {
  /** How often the term grew. Nothing is killed or cut off, so each was without a cause. */
  readonly elections: number
  readonly operationsPerSecond: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly failures: number
}

/**
 * Elections while nothing is wrong: writes by many clients, and on every core a busy loop besides, so that each member waits for its turn again and
 * again. One side after the other, each for the whole time.
 */
export async function benchElectionStability(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const sides = await startSides(ours, peer, options.only ?? 'ours')
  try {
    const found = new Map<Side, Stability>()
    for (const [side, cluster] of sides.clusters) {
      found.set(side, await observe(cluster, options, (text) => print(`${side}: ${text}`)))
    }
    print(`\n${tableOf(found)}`)
    return resultOf(found, options, sides.descriptions)
  } finally {
    await stopSides(sides)
  }
}

async function observe(
  cluster: Cluster,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<Stability> {
  const termOf = () => cluster.term?.() ?? Promise.reject(new Error('this cluster does not tell its term'))
  const first = await termOf()
  const target = await cluster.target()
  const burners = startBurners(busyLoopsOf(options))
  const startMs = performance.now()
  const progress = setInterval(() => {
    const passed = `${Math.round((performance.now() - startMs) / 1_000)} s`
    termOf().then(
      (term) => print(`${passed}: ${term - first} elections`),
      (error: unknown) => print(`${passed}: ${String(error)}`),
    )
  }, reportEveryMs)
  try {
    const measuredMs = options.minutes * 60_000
    const request = { kind: 'closed-loop', target, operation: 'put', clients, warmupMs, measuredMs } as const
    const report = await runLoad({ ...request, keysPerClient, valueBytes })
    const { operationsPerSecond, p99Ms, maxMs, failures } = report
    return { elections: (await termOf()) - first, operationsPerSecond, p99Ms, maxMs, failures }
  } finally {
    clearInterval(progress)
    for (const burner of burners) burner.kill('SIGKILL')
  }
}

const busyLoopsOf = ({ busyLoops }: BenchOptions): number => busyLoops ?? availableParallelism()

/** Processes that do nothing but use a core. They end with this process, whatever ends it: each watches its standard input. */
function startBurners(count: number): ChildProcess[] {
  const program = `process.stdin.on('end', () => process.exit()).resume()
    const burn = () => { const end = performance.now() + 50; while (performance.now() < end); setImmediate(burn) }
    burn()`
  return Array.from({ length: count }, () =>
    spawn(process.execPath, ['--eval', program], { stdio: ['pipe', 'ignore', 'ignore'] }),
  )
}

function tableOf(found: ReadonlyMap<Side, Stability>): string {
  const rows = [...found].map(([side, stability]) => [
    side,
    String(stability.elections),
    formatNumber(stability.operationsPerSecond),
    formatNumber(stability.p99Ms),
    formatNumber(stability.maxMs),
    String(stability.failures),
  ])
  return formatTable(['', 'elections', 'op/s', 'p99 ms', 'max ms', 'failed'], rows)
}

function resultOf(
  found: ReadonlyMap<Side, Stability>,
  options: BenchOptions,
  descriptions: Readonly<Record<string, unknown>>,
): AreaResult {
  return {
    area: 'election-stability',
    ours: found.get('ours')?.elections ?? null,
    peer: found.get('peer')?.elections ?? null,
    ratio: null,
    unit: 'elections',
    setup: {
      minutes: options.minutes,
      clients,
      busyLoops: busyLoopsOf(options),
      valueBytes,
      ...descriptions,
      sides: Object.fromEntries(
        [...found].map(([side, { operationsPerSecond, p99Ms, maxMs, ...counts }]) => [
          side,
          {
            operationsPerSecond: rounded(operationsPerSecond),
            p99Ms: rounded(p99Ms),
            maxMs: rounded(maxMs),
            ...counts,
          },
        ]),
      ),
    },
  }
}
