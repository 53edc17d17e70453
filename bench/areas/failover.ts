import { loadavg } from 'node:os'
import type { Cluster, Contender, PutDriver } from '../cluster.ts'
import { type Figure, reportOf, tableOfFigures } from '../figure.ts'
import { goals } from '../goals.ts'
import type { BenchOptions } from '../options.ts'
import type { AreaResult } from '../report.ts'
import { rounded, spreadOf } from '../statistics.ts'
import { inTurn, type Side, type Sides, startSides, stopSides } from './sides.ts'

const attemptEveryMs = 20
const attemptDeadlineMs = 400
const giveUpAfterMs = 60_000
/** Between two kills, so that the members have settled and no election of the last one is under way. */
const settleMs = 2_000
const value = Buffer.alloc(256, 0x61)

/** Time without writes after a SIGKILL of the leader. The killed member is started again, and has caught up, before the next kill. */
export async function benchFailover(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const sides = await startSides(ours, peer, options.only)
  try {
    const figure = await measureFailover(sides, options, print)
    print(`\n${tableOfFigures([figure])}`)
    return resultOf(figure, options, { loadAtStart, ...sides.descriptions })
  } finally {
    await stopSides(sides)
  }
}

/** One kill a round on each side, in turn. */
export async function measureFailover(
  sides: Sides,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<Figure> {
  const outages = new Map<Side, number[]>([...sides.clusters.keys()].map((side) => [side, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const [side, cluster] of inTurn(sides.clusters, round)) {
      const outageMs = await killLeader(cluster)
      outages.get(side)?.push(outageMs)
      print(`${side}, kill ${round + 1}: ${Math.round(outageMs)} ms without writes`)
    }
  }
  return figureOf(outages, options)
}

async function killLeader(cluster: Cluster): Promise<number> {
  await pause(settleMs)
  const leader = await cluster.leader()
  const drivers = await cluster.drivers(leader)
  try {
    const startMs = performance.now()
    const killed = cluster.kill(leader)
    const firstMs = await firstSuccess(drivers)
    await killed
    return firstMs - startMs
  } finally {
    await Promise.all(drivers.map((driver) => driver.close()))
    await cluster.restart(leader)
  }
}

/** When the first of the writes, begun every 20 ms and spread over the drivers, was acknowledged. */
function firstSuccess(drivers: readonly PutDriver[]): Promise<number> {
  return new Promise((resolve, reject) => {
    let attempts = 0
    const startMs = performance.now()
    const stop = () => clearInterval(timer)
    const attempt = async () => {
      const driver = drivers[attempts % drivers.length] as PutDriver
      attempts += 1
      try {
        await driver.put(`bench/failover/${attempts}`, value, attemptDeadlineMs)
        stop()
        resolve(performance.now())
      } catch (error) {
        if (performance.now() - startMs < giveUpAfterMs) return
        stop()
        reject(new Error(`no write succeeded within ${giveUpAfterMs} ms after the kill`, { cause: error }))
      }
    }
    const timer = setInterval(() => void attempt(), attemptEveryMs)
    void attempt()
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function figureOf(outages: ReadonlyMap<Side, readonly number[]>, { peer }: BenchOptions): Figure {
  const name = 'kill -9 of the leader to the first write'
  return {
    name,
    unit: 'ms',
    better: 'less',
    ours: outages.get('ours') ?? [],
    peer: outages.get('peer') ?? [],
    goal: goals[peer][name],
  }
}

/** The ratio is that of the medians: the kills of one round have nothing in common but the machine, and vary by more than it does. */
function resultOf(
  figure: Figure,
  { rounds }: BenchOptions,
  setup: Readonly<Record<string, unknown>>,
): AreaResult {
  const medianOf = (values: readonly number[]) =>
    values.length === 0 ? null : rounded(spreadOf(values).median)
  const ours = medianOf(figure.ours)
  const peer = medianOf(figure.peer)
  return {
    area: 'failover',
    ours,
    peer,
    ratio: ours === null || peer === null ? null : rounded(peer / ours),
    unit: 'ms',
    setup: { kills: rounds, attemptEveryMs, attemptDeadlineMs, ...setup, figures: [reportOf(figure)] },
  }
}
