import { loadavg } from 'node:os'
import type { Contender } from '../cluster.ts'
import { type Figure, ratioOf, reportOf, tableOfFigures, verdictOf } from '../figure.ts'
import { goals } from '../goals.ts'
import type { BenchOptions, Measurement, Peer } from '../options.ts'
import { type AreaResult, formatNumber } from '../report.ts'
import { rounded, spreadOf } from '../statistics.ts'
import { measureFailover } from './failover.ts'
import { measureFanOut } from './fan-out.ts'
import { measureHttp } from './http.ts'
import { keysPerClient, measureRates, valueBytes } from './rates.ts'
import { type Sides, startSides, stopSides } from './sides.ts'

/** The number of clients with which all but puts are measured, and whose puts stand for the whole where they were measured. */
const usualClients = 64

const warmUpSeconds = 6
/** As many as make a runtime compiler see the most calls in that time. */
const warmUpClients = 64

/** What one measurement needs to know. */
export interface Measuring {
  readonly sides: Sides
  readonly peer: Peer
  readonly rounds: number
  readonly seconds: number
  readonly clients: number
}

/** Speed of both sides in turn: rates and latencies, processor time, watches, and our HTTP API for the record. */
export async function benchStore(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const sides = await startSides(ours, peer, options.only)
  const notes: string[] = []
  try {
    await warmUp(sides, options.peer)
    const figures = await measureAll(sides, options, notes, print)
    print(`\n${tableOfFigures(figures)}`)
    for (const note of notes) print(note)
    return resultOf(figures, options, { loadAtStart, ...sides.descriptions, notes })
  } finally {
    await stopSides(sides)
  }
}

async function measureAll(
  sides: Sides,
  options: BenchOptions,
  notes: string[],
  print: (text: string) => void,
): Promise<Figure[]> {
  const { peer, rounds, seconds } = options
  const figures: Figure[] = []
  for (const measurement of options.measurements) {
    if (measurement === 'failover') {
      figures.push(await measureFailover(sides, options, print))
      continue
    }
    for (const clients of measurement === 'put' ? options.clients : [usualClients]) {
      const measured = await measure(measurement, { sides, peer, rounds, seconds, clients }, notes)
      const withGoals = measured.map((figure) => ({ ...figure, goal: goals[peer][figure.name] }))
      figures.push(...withGoals)
      for (const figure of withGoals) print(progressLine(figure))
    }
  }
  return figures
}

/** Servers that have just started are slower than they will be: caches and, where there is one, a compiler at run time must settle first. */
async function warmUp(sides: Sides, peer: Peer): Promise<void> {
  const measuring = { sides, peer, rounds: 1, seconds: warmUpSeconds, clients: warmUpClients }
  await measureRates('put', measuring, [])
}

function measure(
  measurement: Exclude<Measurement, 'failover'>,
  measuring: Measuring,
  notes: string[],
): Promise<Figure[]> {
  if (measurement === 'watch') return measureFanOut(measuring)
  if (measurement === 'http') return measureHttp(measuring, notes)
  return measureRates(measurement, measuring, notes)
}

function progressLine(figure: Figure): string {
  const side = (values: readonly number[]) =>
    values.length === 0 ? '-' : formatNumber(spreadOf(values).median)
  const ratio = ratioOf(figure)
  const verdict = verdictOf(figure)
  const compared = ratio === null ? '' : `, ${ratio.toFixed(2)}x`
  const { name, ours, peer, unit } = figure
  return `${name}: ${side(ours)} / ${side(peer)} ${unit}${compared}${verdict === 'no' ? ', goal not met' : ''}`
}

function resultOf(
  figures: readonly Figure[],
  options: BenchOptions,
  setup: Readonly<Record<string, unknown>>,
): AreaResult {
  const rates = figures.filter(({ unit }) => unit === 'op/s')
  const headline = rates.find(({ name }) => name === `put, ${usualClients} clients`) ?? rates[0] ?? figures[0]
  const { seconds, rounds } = options
  const median = (values: readonly number[] = []) =>
    values.length === 0 ? null : rounded(spreadOf(values).median)
  return {
    area: 'store',
    ours: median(headline?.ours),
    peer: median(headline?.peer),
    ratio: headline === undefined ? null : ratioOf(headline),
    unit: headline?.unit ?? 'op/s',
    setup: {
      headline: headline?.name ?? null,
      valueBytes,
      keysPerClient,
      warmUpSeconds,
      seconds,
      rounds,
      ...setup,
      figures: figures.map(reportOf),
      notMet: figures.filter((figure) => verdictOf(figure) === 'no').map(({ name }) => name),
    },
  }
}
