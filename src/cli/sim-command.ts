import { closeSync, openSync, writeSync } from 'node:fs'
import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import type { RecipeEngine } from '../testing/recipe-simulation/recipe-configuration.ts'
import { type RecipeName, recipeNames } from '../testing/recipe-simulation/recipe-names.ts'
import type { RunReport } from '../testing/store-simulation/run-report.ts'
import { Sweep } from '../testing/store-simulation/sweep.ts'
import { formatTrace } from '../testing/store-simulation/trace.ts'
import { parseFaultClasses } from '../testing/world/fault-plan.ts'
import { NodeClock } from '../world/clock.ts'
import { wholeNumber } from './arguments.ts'
import { describeFailure, describeProgress, describeSummary } from './format-sim.ts'
import { registerMachineSims } from './machine-sim.ts'
import { parseSeeds, type SeedRange } from './seed-range.ts'
import { SimJob } from './sim-jobs.ts'
import { runSimTask, type SimTask } from './sim-task.ts'

export interface SimOptions {
  readonly seeds: string
  readonly faults: string
  /** Of `sim store`. */
  readonly nodes?: string
  /** Of the recipes. */
  readonly engine?: string
  readonly seconds?: string
  readonly jobs: string
  readonly stopOnFirst?: boolean
  readonly twice?: boolean
  readonly trace?: string
  readonly json?: boolean
}

/** What is simulated. */
export type SimSubject = 'store' | RecipeName

/** Where the command writes; the process itself unless a test gives another. */
export interface SimTerminal {
  out(text: string): void
  error(text: string): void
}

const clock = new NodeClock()
const progressEveryMs = 2_000

/** Adds `sim store`, and `sim` for each recipe. */
export function registerSimCommand(program: Command, terminal: SimTerminal = processTerminal): void {
  const sim = program
    .command('sim')
    .description('run Althing in the simulator, under faults, and check what it promises')
  const act = (what: SimSubject) => async (options: SimOptions) => {
    process.exitCode = await runSimCommand(what, options, terminal)
  }
  withSharedOptions(sim.command('store'))
    .description('simulate clusters of the store: one run for each seed')
    .option('--nodes <number>', 'size of the clusters, 3 or 5 (default: drawn)')
    .option('--trace <file>', 'write every protocol event of a single seed, one JSON object a line')
    .action(act('store'))
  for (const recipe of recipeNames)
    withSharedOptions(sim.command(recipe))
      .description(`simulate users of the recipe ${recipe}: one run for each seed`)
      .option('--engine <name>', 'local or cluster', 'cluster')
      .action(act(recipe))
  registerMachineSims(sim, terminal)
}

function withSharedOptions(command: Command): Command {
  return command
    .option('--seeds <range>', 'one seed, or FIRST..LAST', '1..100')
    .option('--faults <list>', 'all, none, or classes set off by commas (docs/blocks/simulator.md)', 'all')
    .option('--seconds <number>', 'virtual seconds under faults (default: drawn of 8 to 20)')
    .option('--jobs <number>', 'seeds to run at the same time, each in a process', '2')
    .option('--stop-on-first', 'stop at the first seed that fails')
    .option('--twice', 'run each seed twice and compare the logs')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExit code: 0 all held, 1 an invariant was broken or a history could not be judged.',
    )
}

/** The command itself; returns the exit code. */
export async function runSimCommand(
  what: SimSubject,
  options: SimOptions,
  terminal: SimTerminal,
): Promise<number> {
  const range = parseSeeds(options.seeds)
  const taskOf = tasksOf(what, options)
  if (options.trace !== undefined && range.first !== range.last) {
    throw invalidArgument('--trace', options.seeds, 'used with a single seed')
  }
  const startedMs = clock.monotonicMs()
  const sweep = new Sweep()
  const replay = replayCommand(what, options)
  let shownMs = startedMs
  const take = (report: RunReport): void => {
    sweep.add(report)
    if (options.json !== true && report.verdict === 'violation')
      terminal.out(describeFailure(report, replay(report.seed)))
    const nowMs = clock.monotonicMs()
    if (nowMs - shownMs < progressEveryMs) return
    shownMs = nowMs
    terminal.error(describeProgress(sweep, range.last - range.first + 1, nowMs - startedMs))
  }
  const run = options.twice === true ? runTwice : runOnce
  const shouldStop = (): boolean => options.stopOnFirst === true && sweep.hasFailed
  const jobs = Math.min(wholeNumber('--jobs', options.jobs), range.last - range.first + 1)
  if (jobs === 1)
    await runHere(
      range,
      (seed) => run((each) => runTraced(each, options.trace), taskOf(seed)),
      take,
      shouldStop,
    )
  else
    await runInProcesses(
      range,
      jobs,
      (job, seed) => run((each) => job.run(each), taskOf(seed)),
      take,
      shouldStop,
    )
  const summary = sweep.summary()
  const elapsedMs = clock.monotonicMs() - startedMs
  if (options.json === true)
    terminal.out(
      `${JSON.stringify({ ...summary, elapsedMs, replay: summary.failed.map(({ seed }) => replay(seed)) })}\n`,
    )
  else terminal.out(describeSummary(summary, elapsedMs))
  return summary.failed.length === 0 && summary.unknown.length === 0 ? 0 : 1
}

type RunSeed = (task: SimTask) => Promise<RunReport>

const runOnce = (run: RunSeed, task: SimTask): Promise<RunReport> => run(task)

/** The same seed must take the same course. */
async function runTwice(run: RunSeed, task: SimTask): Promise<RunReport> {
  const first = await run(task)
  const second = await run(task)
  if (first.logHash === second.logHash) return first
  const message = `two runs of seed ${task.options.seed} took different courses: ${first.logHash} and ${second.logHash}`
  return {
    ...first,
    verdict: 'violation',
    violation: { invariant: 'deterministic', message, explanation: '' },
  }
}

async function runHere(
  { first, last }: SeedRange,
  run: (seed: number) => Promise<RunReport>,
  take: (report: RunReport) => void,
  shouldStop: () => boolean,
): Promise<void> {
  for (let seed = first; seed <= last && !shouldStop(); seed++) take(await run(seed))
}

async function runInProcesses(
  { first, last }: SeedRange,
  count: number,
  run: (job: SimJob, seed: number) => Promise<RunReport>,
  take: (report: RunReport) => void,
  shouldStop: () => boolean,
): Promise<void> {
  let next = first
  const work = async (): Promise<void> => {
    const job = new SimJob()
    try {
      while (next <= last && !shouldStop()) take(await run(job, next++))
    } finally {
      job.stop()
    }
  }
  await Promise.all(Array.from({ length: count }, work))
}

async function runTraced(task: SimTask, file: string | undefined): Promise<RunReport> {
  if (file === undefined) return runSimTask(task)
  const trace = openSync(file, 'w')
  try {
    return await runSimTask(task, (step) => writeSync(trace, formatTrace(step)))
  } finally {
    closeSync(trace)
  }
}

function tasksOf(
  what: SimSubject,
  { faults, nodes, engine, seconds }: SimOptions,
): (seed: number) => SimTask {
  const shared = {
    faults: parseFaultClasses(faults),
    ...(seconds === undefined ? {} : { seconds: wholeNumber('--seconds', seconds) }),
  }
  if (what === 'store') {
    const size = nodes === undefined ? undefined : wholeNumber('--nodes', nodes)
    if (size !== undefined && size !== 3 && size !== 5) throw invalidArgument('--nodes', size, '3 or 5')
    const sized: { readonly nodes?: 3 | 5 } = size === undefined ? {} : { nodes: size }
    return (seed) => ({ kind: 'store', options: { ...shared, ...sized, seed } })
  }
  const chosen = engineOf(engine)
  return (seed) => ({ kind: 'recipe', options: { ...shared, recipe: what, engine: chosen, seed } })
}

function engineOf(name = 'cluster'): RecipeEngine {
  if (name !== 'local' && name !== 'cluster') throw invalidArgument('--engine', name, "'local' or 'cluster'")
  return name
}

/** What was drawn hangs on every option that the run was given. */
function replayCommand(
  what: SimSubject,
  { faults, nodes, engine, seconds }: SimOptions,
): (seed: number) => string {
  const more = [
    ...(nodes === undefined ? [] : [`--nodes ${nodes}`]),
    ...(engine === undefined ? [] : [`--engine ${engine}`]),
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
  ]
  return (seed) => [`npx althing sim ${what} --seeds ${seed} --faults ${faults}`, ...more].join(' ')
}

const processTerminal: SimTerminal = {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
}
