// `npm run differential`: gives random commands to the engines at some URLs and to the store model, and compares all that they answer.
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { type Althing, open } from '../../src/node/althing.ts'
import { differentialRun } from '../../src/testing/conformance/differential/differential-run.ts'

const usage = `npm run differential -- [URL ...] [OPTIONS]

  URL              of the engine, as for \`open\` (default memory:). Nobody else may write to it meanwhile. Several: the
                   runs are shared out among these servers, which work side by side
  --commands N     in all (default 1000000); 10m, 500k are understood
  --run N          commands of one run, each with the next seed (default 2000)
  --seed S         of the first run (default 1). To go on where a run was broken off: the seed that it told of last
  --clients N      clients of each server that take its commands in turn (default 1; more than 1 not for memory: and file:)
  --lapses N       leases left to run out in each run (default 1)

Exit code 1 at the first difference, which is printed with its seed and a short list of commands that shows it.
`
const reportEveryMs = 10_000

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    commands: { type: 'string', default: '1m' },
    run: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '1' },
    lapses: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

function countFrom(name: string, text: string): number {
  const match = /^(\d+)([km]?)$/i.exec(text)
  if (match === null) throw new Error(`--${name} is ${text}, but must be a number such as 500k or 10m`)
  const unit = { k: 1_000, m: 1_000_000 }[(match[2] ?? '').toLowerCase()] ?? 1
  return Number(match[1]) * unit
}

/** What is left to do, for those who do it side by side. */
class Runs {
  readonly #perRun = countFrom('run', options.run)
  readonly #startedMs = performance.now()
  readonly #underWay = new Set<number>()
  #reportedMs = this.#startedMs
  #toBegin = countFrom('commands', options.commands)
  #seed = countFrom('seed', options.seed)
  #done = 0
  differs = false

  /** `undefined` when there is no more, or a difference was found. */
  next(): { readonly seed: number; readonly commands: number } | undefined {
    const commands = Math.min(this.#perRun, this.#toBegin)
    if (commands === 0 || this.differs) return undefined
    this.#toBegin -= commands
    this.#underWay.add(this.#seed)
    return { seed: this.#seed++, commands }
  }

  finished(seed: number, commands: number): void {
    this.#underWay.delete(seed)
    this.#done += commands
    if (performance.now() - this.#reportedMs < reportEveryMs) return
    this.#reportedMs = performance.now()
    process.stdout.write(`${this.told()}, all seeds below ${Math.min(this.#seed, ...this.#underWay)}\n`)
  }

  told(): string {
    return `${this.#done} commands, ${Math.round((performance.now() - this.#startedMs) / 1_000)} s`
  }
}

/** Run after run on one server, until there is nothing left to do. */
async function compare(clients: readonly Althing[], url: string, runs: Runs): Promise<void> {
  const { world } = clients[0] as Althing
  const stores = clients.map(({ raw }) => raw)
  const lapses = countFrom('lapses', options.lapses)
  for (let run = runs.next(); run !== undefined; run = runs.next()) {
    const { difference } = await differentialRun({ stores, world, lapses, ...run })
    if (difference !== undefined) {
      runs.differs = true
      process.stdout.write(`${url}: ${difference.text}\n`)
      return
    }
    runs.finished(run.seed, run.commands)
  }
}

async function main(): Promise<number> {
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  const urls = positionals.length === 0 ? ['memory:'] : positionals
  const clients: Althing[][] = []
  try {
    for (const url of urls) {
      const own: Althing[] = []
      clients.push(own)
      for (let n = countFrom('clients', options.clients); n > 0; n--) own.push(await open(url))
    }
    const runs = new Runs()
    await Promise.all(urls.map((url, i) => compare(clients[i] as Althing[], url, runs)))
    if (runs.differs) return 1
    process.stdout.write(`${urls.join(', ')} answered as the model: ${runs.told()}\n`)
    return 0
  } finally {
    for (const client of clients.flat()) await client.close()
  }
}

process.exitCode = await main()
