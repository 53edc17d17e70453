import { loadavg } from 'node:os'
import type { BareKind } from '../engines/bare/bare-client.ts'
import { type EngineName, engineNames, type RunningEngine } from '../engines/engine.ts'
import { tableOfEngines } from '../engines/engine-report.ts'
import { engineTable } from '../engines/engine-table.ts'
import { type Figure, ratioOf, reportOf, verdictOf } from '../figure.ts'
import type { Goal } from '../goals.ts'
import type { SliceRates } from '../load/load.ts'
import { runLoad } from '../load/run-load.ts'
import type { BenchOptions, EngineMeasurement } from '../options.ts'
import { type AreaResult, formatNumber } from '../report.ts'
import { rounded, spreadOf } from '../statistics.ts'

/** What our layer may cost: 15 % of the rate of the bare client. */
const layerGoal: Goal = { must: 0.85, aim: 1 }

const valueBytes = 256
const keysPerCaller = 100
const warmupMs = 2_000
/** Of locks, so that engines which gather what waits can show it. */
const lockCallers = 16

/** What each second contender of a server does more than the first. */
const journals: Partial<Readonly<Record<BareKind, string>>> = {
  'postgres-journal': 'bare with revision and history',
  'redis-journal': 'bare with revision and history',
}

interface Measured {
  readonly engine: EngineName
  readonly description: string
  readonly figures: readonly Figure[]
}

/** The same recipes on every engine that can run here, one engine at a time; and our layer beside the bare client of each. */
export async function benchEngines(
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const notes: string[] = []
  const all: Measured[] = []
  for (const engine of options.engines ?? engineNames) {
    const reason = engineTable[engine].unavailable()
    if (reason === undefined) all.push(await measureEngine(engine, options, notes, print))
    else notes.push(`${engine}: not tested, ${reason}`)
  }
  print(`\n${tableOfEngines(all)}\n`)
  for (const { engine, description } of all) print(`${engine}: ${description}`)
  for (const note of notes) print(note)
  return resultOf(all, options, { loadAtStart, notes })
}

async function measureEngine(
  engine: EngineName,
  options: BenchOptions,
  notes: string[],
  print: (text: string) => void,
): Promise<Measured> {
  const running = await engineTable[engine].start()
  const figures: Figure[] = []
  try {
    for (const measurement of options.engineMeasurements) {
      for (const figure of await measure(measurement, running, options, notes)) {
        figures.push(figure)
        print(`${engine}, ${lineOf(figure)}`)
      }
    }
  } finally {
    await running.stop()
  }
  return { engine, description: running.description, figures }
}

async function measure(
  measurement: EngineMeasurement,
  running: RunningEngine,
  options: BenchOptions,
  notes: string[],
): Promise<readonly Figure[]> {
  if (measurement !== 'put' && measurement !== 'get')
    return [await measureRecipe(measurement, running, options)]
  const figures: Figure[] = []
  for (const callers of options.clients)
    figures.push(...(await measureRates(measurement, callers, running, { options, notes })))
  return figures
}

async function measureRates(
  operation: 'put' | 'get',
  callers: number,
  running: RunningEngine,
  { options, notes }: { readonly options: BenchOptions; readonly notes: string[] },
): Promise<readonly Figure[]> {
  const { url, description, bare } = running
  const { rounds, seconds } = options
  const size = { callers, keysPerCaller, valueBytes, warmupMs, sliceMs: seconds * 1_000, rounds }
  const report = await runLoad({ kind: 'engine-rates', url, bare, operation, ...size })
  const name = `${operation}, ${callers} ${callers === 1 ? 'caller' : 'callers'}`
  const ours = usable(report.ours, `${name} on ${description}`, notes)
  const figure = (suffix: string, peer: readonly number[], goal?: Goal): Figure => ({
    name: `${name}${suffix}`,
    unit: 'op/s',
    better: 'more',
    ours,
    peer,
    ...(goal === undefined ? {} : { goal }),
  })
  const others = bare.map(({ kind }, i) => {
    const rates = usable(report.bare[i] as SliceRates, `${name} by the bare client ${kind}`, notes)
    const journal = journals[kind]
    return journal === undefined ? figure('', rates, layerGoal) : figure(`, beside ${journal}`, rates)
  })
  return others.length === 0 ? [figure('', [])] : others
}

/** A failed call counts as none; how many there were is said. */
function usable({ operationsPerSecond, failures, failure }: SliceRates, what: string, notes: string[]) {
  if (failures > 0) notes.push(`${what}: ${failures} calls failed, such as: ${failure}`)
  return operationsPerSecond
}

async function measureRecipe(
  recipe: Exclude<EngineMeasurement, 'put' | 'get'>,
  { url, accept = [] }: RunningEngine,
  { rounds, seconds }: BenchOptions,
): Promise<Figure> {
  const size = { callers: lockCallers, valueBytes, warmupMs, sliceMs: seconds * 1_000, rounds }
  const report = await runLoad({ kind: 'engine-recipe', url, accept, recipe, ...size })
  const kind = {
    lock: { name: `lock and release, ${lockCallers} callers`, unit: 'op/s', better: 'more' },
    watch: { name: 'put to watcher, p50', unit: 'ms', better: 'less' },
    discovery: { name: 'register to seen, p50', unit: 'ms', better: 'less' },
  } as const
  return { ...kind[recipe], ours: report.rounds, peer: [] }
}

function lineOf(figure: Figure): string {
  const { name, unit, ours, peer } = figure
  const median = (values: readonly number[]) => formatNumber(spreadOf(values).median)
  const ratio = ratioOf(figure)
  const beside = ratio === null ? '' : ` / ${median(peer)}`
  const verdict = verdictOf(figure) === 'no' ? ', goal not met' : ''
  return `${name}: ${median(ours)}${beside} ${unit}${ratio === null ? '' : `, ${ratio.toFixed(2)}x`}${verdict}`
}

/** The headline is the figure at which our layer costs the most. */
function resultOf(
  all: readonly Measured[],
  { seconds, rounds }: BenchOptions,
  setup: Readonly<Record<string, unknown>>,
): AreaResult {
  const figures = all.flatMap((each) =>
    each.figures.map((figure) => ({ ...figure, name: `${each.engine}: ${figure.name}` })),
  )
  const compared = figures
    .filter(({ goal }) => goal !== undefined)
    .sort((a, b) => (ratioOf(a) ?? 0) - (ratioOf(b) ?? 0))
  const worst = compared[0]
  const median = (values: readonly number[] = []) =>
    values.length === 0 ? null : rounded(spreadOf(values).median)
  return {
    area: 'engines',
    ours: median(worst?.ours),
    peer: median(worst?.peer),
    ratio: worst === undefined ? null : ratioOf(worst),
    unit: 'op/s',
    setup: {
      headline: worst?.name ?? null,
      ours: 'our layer, where it costs the most',
      peer: 'the bare client of the same server',
      valueBytes,
      keysPerCaller,
      seconds,
      rounds,
      engines: Object.fromEntries(all.map(({ engine, description }) => [engine, description])),
      ...setup,
      figures: figures.map(reportOf),
      notMet: compared.filter((figure) => verdictOf(figure) === 'no').map(({ name }) => name),
    },
  }
}
