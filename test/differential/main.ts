// `npm run differential`: gives random commands to the engine at a URL and to the store model, and compares all that they answer.
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { type Althing, open } from '../../src/node/althing.ts'
import { differentialRun } from '../../src/testing/conformance/differential/differential-run.ts'

const usage = `npm run differential -- [URL] [OPTIONS]

  URL              of the engine, as for \`open\` (default memory:). Nobody else may write to it meanwhile
  --commands N     in all (default 1000000); 10m, 500k are understood
  --run N          commands of one run, each with the next seed (default 2000)
  --seed S         of the first run (default 1)
  --clients N      clients that take the commands in turn (default 1; more than 1 not for memory: and file:)
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

/** Run after run, until there have been so many commands or a difference. Whether there was none. */
async function compareAll(clients: readonly Althing[], url: string): Promise<boolean> {
  const [commands, perRun, lapses] = (['commands', 'run', 'lapses'] as const).map((name) =>
    countFrom(name, options[name]),
  ) as [number, number, number]
  const { world } = clients[0] as Althing
  const stores = clients.map(({ raw }) => raw)
  const startedMs = performance.now()
  let reportedMs = startedMs
  let done = 0
  const told = (): string => `${done} commands, ${Math.round((performance.now() - startedMs) / 1_000)} s`
  for (let seed = countFrom('seed', options.seed); done < commands; seed++) {
    const run = Math.min(perRun, commands - done)
    const { difference } = await differentialRun({ stores, world, seed, commands: run, lapses })
    if (difference !== undefined) {
      process.stdout.write(`${difference.text}\n`)
      return false
    }
    done += run
    if (performance.now() - reportedMs < reportEveryMs) continue
    reportedMs = performance.now()
    process.stdout.write(`${told()}, seed ${seed}\n`)
  }
  process.stdout.write(`${url} answered as the model: ${told()}\n`)
  return true
}

async function main(): Promise<number> {
  if (options.help) {
    process.stdout.write(usage)
    return 0
  }
  const url = positionals[0] ?? 'memory:'
  const clients: Althing[] = []
  try {
    for (let n = countFrom('clients', options.clients); n > 0; n--) clients.push(await open(url))
    return (await compareAll(clients, url)) ? 0 : 1
  } finally {
    for (const client of clients) await client.close()
  }
}

process.exitCode = await main()
