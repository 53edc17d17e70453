// `npm run fuzz`: hands the program bytes that others might have made, in worker processes, and reports what held.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { closeTargets, openTargets } from './all-targets.ts'
import type { FuzzFailure, TargetReport } from './fuzz-run.ts'
import type { WorkerNews, WorkerOrder } from './worker.ts'

const usage = `npm run fuzz [-- OPTIONS]

  --inputs N       inputs in all (default 1000000); 10m, 500k are understood
  --minutes M      rounds of that many inputs, each with the next seed, until the time is over
  --seed S         of the first round (default 1)
  --target NAME    wire, log, snapshot, http, all (default), or one target by its name
  --jobs N         worker processes (default 2)
  --replay HEX     one input, for the one target named by --target
  --json           the summary as one JSON object on the last line
`

const { values: options } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1m' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', default: 'all' },
    jobs: { type: 'string', default: '2' },
    replay: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function countFrom(text: string): number {
  const match = /^(\d+)([km]?)$/i.exec(text)
  if (match === null) throw new Error(`--inputs is ${text}, but must be a number such as 500k or 10m`)
  const unit = { k: 1_000, m: 1_000_000 }[(match[2] ?? '').toLowerCase()] ?? 1
  return Number(match[1]) * unit
}

/** Runs one worker to its end. A worker that dies tells of the input that it was at. */
function runWorker(order: WorkerOrder): Promise<TargetReport[]> {
  const worker = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  const reports: TargetReport[] = []
  let current = ''
  let errors = ''
  let isDone = false
  worker.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString('utf8')
  })
  return new Promise((resolve, reject) => {
    worker.on('message', (news: WorkerNews) => {
      if (news.kind === 'started') current = news.target
      else if (news.kind === 'report') reports.push(news.report)
      else if (news.kind === 'done') isDone = true
      else reject(new Error(news.message))
    })
    worker.once('exit', () => {
      if (!isDone) reports.push(diedAt(current, errors))
      resolve(reports)
    })
    worker.send(order)
  })
}

function diedAt(target: string, errors: string): TargetReport {
  const line = errors.split('\n').find((each) => each.startsWith('{"hang"'))
  const inputHex = line === undefined ? '' : (JSON.parse(line) as { hang: string }).hang
  const message = line === undefined ? `the worker ended: ${errors}` : 'an input took more than 10 s'
  const failure = { target, property: line === undefined ? 'crash' : 'hang', message, stack: '', inputHex }
  const nothing = {
    inputs: 0,
    accepted: 0,
    outcomes: 0,
    seconds: 0,
    slowestMs: 0,
    heapGrowthBytes: 0,
    rssBytesMax: 0,
  }
  return { target, ...nothing, failure }
}

/** The reports of all workers on a target as one. */
function merged(reports: readonly TargetReport[]): TargetReport[] {
  const byTarget = new Map<string, TargetReport>()
  for (const report of reports) {
    const other = byTarget.get(report.target)
    byTarget.set(report.target, other === undefined ? report : add(other, report))
  }
  return [...byTarget.values()]
}

function add(a: TargetReport, b: TargetReport): TargetReport {
  const failure = a.failure ?? b.failure
  return {
    target: a.target,
    inputs: a.inputs + b.inputs,
    accepted: a.accepted + b.accepted,
    outcomes: Math.max(a.outcomes, b.outcomes),
    seconds: a.seconds + b.seconds,
    slowestMs: Math.max(a.slowestMs, b.slowestMs),
    heapGrowthBytes: Math.max(a.heapGrowthBytes, b.heapGrowthBytes),
    rssBytesMax: Math.max(a.rssBytesMax, b.rssBytesMax),
    ...(failure === undefined ? {} : { failure }),
  }
}

function show(reports: readonly TargetReport[]): void {
  const line = (cells: readonly string[]): void => {
    const [first = '', ...rest] = cells
    process.stdout.write(`${first.padEnd(16)}${rest.map((cell) => cell.padStart(12)).join('')}\n`)
  }
  line(['target', 'inputs', 'accepted', 'outcomes', 'inputs/s', 'slowest ms', 'heap +MiB', 'RSS MiB'])
  for (const report of reports) {
    line([
      report.target,
      String(report.inputs),
      `${((100 * report.accepted) / Math.max(1, report.inputs)).toFixed(1)} %`,
      String(report.outcomes),
      (report.inputs / Math.max(report.seconds, 1e-3)).toFixed(0),
      report.slowestMs.toFixed(1),
      (report.heapGrowthBytes / 2 ** 20).toFixed(1),
      (report.rssBytesMax / 2 ** 20).toFixed(0),
    ])
  }
}

/** Keeps the input as a fixture that the unit tests replay from then on. */
function keep(failure: FuzzFailure): string {
  const folder = path.join('test', 'fuzz', 'regressions')
  const name = createHash('sha256').update(failure.inputHex).digest('hex').slice(0, 10)
  const file = path.join(folder, `${failure.target}-${name}.hex`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, `${failure.inputHex}\n`)
  return file
}

function tell(failure: FuzzFailure): void {
  process.stdout.write(
    `\nFAILED ${failure.target}: ${failure.message}\n${failure.stack}\n  input: ${failure.inputHex}\n`,
  )
  if (failure.inputHex === '') return
  process.stdout.write(`  kept in ${keep(failure)}\n`)
  process.stdout.write(`  replay: npm run fuzz -- --target ${failure.target} --replay ${failure.inputHex}\n`)
}

async function replay(hex: string): Promise<number> {
  const targets = await openTargets(options.target)
  const [target] = targets
  if (target === undefined || targets.length > 1) throw new Error('--replay needs one target: --target NAME')
  try {
    process.stdout.write(`${await target.run(Buffer.from(hex, 'hex'))}\n`)
    return 0
  } catch (error) {
    process.stdout.write(`FAILED ${error instanceof Error ? error.stack : String(error)}\n`)
    return 1
  } finally {
    await closeTargets(targets)
  }
}

async function fuzz(): Promise<number> {
  const inputs = countFrom(options.inputs)
  const jobs = Number(options.jobs)
  const startedMs = performance.now()
  const endMs = startedMs + Number(options.minutes ?? 0) * 60_000
  const all: TargetReport[] = []
  let round = 0
  do {
    const seed = `${options.seed}${round === 0 ? '' : `.${round}`}`
    const orders = Array.from({ length: jobs }, (_, job) => {
      return { target: options.target, seed: `${seed}/${job}`, inputs: Math.ceil(inputs / jobs) }
    })
    all.push(...(await Promise.all(orders.map(runWorker))).flat())
    round++
  } while (performance.now() < endMs && !all.some(({ failure }) => failure !== undefined))
  return summary(merged(all), (performance.now() - startedMs) / 1_000)
}

function summary(reports: readonly TargetReport[], seconds: number): number {
  show(reports)
  const inputs = reports.reduce((sum, report) => sum + report.inputs, 0)
  const failures = reports.flatMap(({ failure }) => failure ?? [])
  const rate = Math.round(inputs / seconds)
  process.stdout.write(
    `${inputs} inputs in ${seconds.toFixed(1)} s (${rate}/s), ${failures.length} of ${reports.length} targets failed\n`,
  )
  for (const failure of failures) tell(failure)
  if (options.json) {
    const failed = failures.map((failure) => ({ ...failure, stack: undefined }))
    process.stdout.write(`${JSON.stringify({ inputs, seconds, rate, failed })}\n`)
  }
  return failures.length === 0 ? 0 : 1
}

try {
  if (options.help) process.stdout.write(usage)
  else process.exitCode = await (options.replay === undefined ? fuzz() : replay(options.replay))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
