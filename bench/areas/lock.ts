import { loadavg } from 'node:os'
import { RedisServer, redisUnavailable } from '../../test/engines/servers/redis-server.ts'
import type { Contender } from '../cluster.ts'
import { type Figure, ratioOf, reportOf, tableOfFigures, verdictOf } from '../figure.ts'
import type { Goal } from '../goals.ts'
import type { LocksReport } from '../load/load.ts'
import { runLoad } from '../load/run-load.ts'
import type { LockTarget } from '../locks/lock-driver.ts'
import type { BenchOptions } from '../options.ts'
import type { AreaResult } from '../report.ts'
import { rounded, spreadOf } from '../statistics.ts'
import { startSides, stopSides } from './sides.ts'

const warmupMs = 1_000
const contenders = 16
/** Servers that have just started are slower than they will be. */
const settling = { clients: 64, rounds: 1, seconds: 5 }

/** A cluster of three, etcd's of three, the embedded engine, and redlock on one Redis that syncs every write. */
const subjects = ['cluster', 'etcd', 'embedded', 'redlock'] as const
type Subject = (typeof subjects)[number]
type Targets = Readonly<Partial<Record<Subject, LockTarget>>>
type Rounds = Readonly<Record<Subject, readonly LocksReport[]>>

interface Measuring {
  readonly clients: number
  readonly isContended: boolean
  readonly rounds: number
  readonly seconds: number
}

/** What is compared with what, for locks of one's own. `redlock` is not replicated: what that saves is reported, and no `must`. */
const ownGoals: readonly { readonly ours: Subject; readonly peer: Subject; readonly goal: Goal }[] = [
  { ours: 'cluster', peer: 'etcd', goal: { must: 2 } },
  { ours: 'cluster', peer: 'redlock', goal: { must: 0, aim: 0.25 } },
  { ours: 'embedded', peer: 'redlock', goal: { must: 1 } },
]
const contendedTail: Goal = { must: 0.3 }

/** Acquire and release of locks of one's own, and sixteen clients that want one lock. */
export async function benchLock(
  ours: Contender,
  etcd: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const sides = await startSides(ours, etcd, undefined)
  const noRedis = redisUnavailable()
  const redis = noRedis === undefined ? await RedisServer.start() : undefined
  try {
    const cluster = await sides.clusters.get('ours')?.target()
    const peer = await sides.clusters.get('peer')?.target()
    const targets: Targets = {
      ...(cluster === undefined ? {} : { cluster: althingAt(`althing://${cluster.addresses.join(',')}`) }),
      ...(peer === undefined ? {} : { etcd: { kind: 'etcd', address: peer.addresses[0] as string } }),
      embedded: althingAt('file:'),
      ...(redis === undefined ? {} : { redlock: { kind: 'redlock', address: redis.address } }),
    }
    const figures = await measureAll(targets, options)
    print(`\n${tableOfFigures(figures)}`)
    const redlock =
      redis === undefined ? `not available: ${noRedis}` : 'redlock 4.2.0, one Redis, appendfsync always'
    return resultOf(figures, options, { loadAtStart, ...sides.descriptions, redlock })
  } finally {
    await redis?.stop()
    await stopSides(sides)
  }
}

function althingAt(url: string): LockTarget {
  return { kind: 'althing', url }
}

async function measureAll(targets: Targets, { clients, rounds, seconds }: BenchOptions): Promise<Figure[]> {
  await measureRounds(targets, { ...settling, isContended: false })
  const figures: Figure[] = []
  for (const count of clients) {
    const own = await measureRounds(targets, { clients: count, isContended: false, rounds, seconds })
    figures.push(...ownFigures(own, count))
  }
  const contended = await measureRounds(targets, { clients: contenders, isContended: true, rounds, seconds })
  return [...figures, ...contendedFigures(contended)]
}

/** All of them in each round, in the other order in every second one, so that a drift of the machine hits all alike. */
async function measureRounds(
  targets: Targets,
  { clients, isContended, rounds, seconds }: Measuring,
): Promise<Rounds> {
  const all: Record<Subject, LocksReport[]> = { cluster: [], etcd: [], embedded: [], redlock: [] }
  for (let round = 0; round < rounds; round++) {
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      const target = targets[subject]
      if (target === undefined) continue
      const size = { clients, isContended, warmupMs, measuredMs: seconds * 1_000 }
      all[subject].push(await runLoad({ kind: 'locks', target, ...size }))
    }
  }
  return all
}

function ownFigures(rounds: Rounds, clients: number): Figure[] {
  const name = `own locks, ${clients} ${clients === 1 ? 'client' : 'clients'}`
  const rate = (report: LocksReport) => report.operationsPerSecond
  return [
    ...ownGoals.map(({ ours, peer, goal }) => ({
      ...compared(rounds, ours, peer, rate),
      name: `${name}: ${ours} / ${peer}`,
      unit: 'op/s',
      better: 'more' as const,
      goal,
    })),
    {
      ...compared(rounds, 'cluster', 'etcd', (report) => report.p99Ms),
      name: `${name}, p99 of acquire: cluster / etcd`,
      unit: 'ms',
      better: 'less',
    },
  ]
}

function contendedFigures(rounds: Rounds): Figure[] {
  const name = `one lock, ${contenders} clients`
  return (['etcd', 'redlock'] as const).flatMap((peer): Figure[] => {
    const figure = (what: string, pick: (report: LocksReport) => number) => ({
      ...compared(rounds, 'cluster', peer, pick),
      name: `${name}, ${what}: cluster / ${peer}`,
    })
    const p99 = figure('p99 of the wait', (report) => report.p99Ms)
    return [
      { ...figure('turns', (report) => report.operationsPerSecond), unit: 'op/s', better: 'more' },
      { ...figure('p50 of the wait', (report) => report.p50Ms), unit: 'ms', better: 'less' },
      { ...p99, unit: 'ms', better: 'less', ...(peer === 'redlock' ? { goal: contendedTail } : {}) },
      { ...figure('overtaken', (report) => report.overtakenShare * 100), unit: '%', better: 'less' },
    ]
  })
}

function compared(
  rounds: Rounds,
  ours: Subject,
  peer: Subject,
  pick: (report: LocksReport) => number,
): Pick<Figure, 'ours' | 'peer'> {
  return { ours: rounds[ours].map(pick), peer: rounds[peer].map(pick) }
}

function resultOf(
  figures: readonly Figure[],
  { rounds, seconds }: BenchOptions,
  setup: Readonly<Record<string, unknown>>,
): AreaResult {
  const rates = figures.filter(({ unit }) => unit === 'op/s')
  const headline = rates.findLast(
    ({ name }) => name.startsWith('own locks') && name.endsWith('cluster / etcd'),
  )
  const median = (values: readonly number[] = []) =>
    values.length === 0 ? null : rounded(spreadOf(values).median)
  return {
    area: 'lock',
    ours: median(headline?.ours),
    peer: median(headline?.peer),
    ratio: headline === undefined ? null : ratioOf(headline),
    unit: 'op/s',
    setup: {
      headline: headline?.name ?? null,
      rounds,
      seconds,
      ...setup,
      figures: figures.map(reportOf),
      notMet: figures.filter((figure) => verdictOf(figure) === 'no').map(({ name }) => name),
    },
  }
}
