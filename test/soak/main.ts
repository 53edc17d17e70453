// `npm run soak`: a cluster of real processes under every fault there is, for as long as is asked for, judged all the while.
import { parseArgs } from 'node:util'
import { formatReport, isPassed } from './report.ts'
import { killAllChildren } from '../processes/support/child.ts'
import { Soak } from './soak.ts'

const usage = `npm run soak [-- OPTIONS]

  --minutes M      for so long (default 10)
  --seed S         which faults in which order (default: drawn); when each one comes depends on the machine
  --json           the summary as one JSON object on the last line

Exit code 1 when a promise was broken or the memory of a node grew.
`

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function minutesFrom(text: string): number {
  const minutes = Number(text)
  if (minutes > 0 && Number.isFinite(minutes)) return minutes
  throw new Error(`--minutes is ${text}, but must be a number above 0`)
}

async function main(): Promise<void> {
  const seed = options.seed ?? String(Date.now() % 1_000_000)
  const soak = new Soak({
    minutes: minutesFrom(options.minutes),
    seed,
    report: (text) => void process.stderr.write(`${text}\n`),
  })
  const report = await soak.run()
  process.stdout.write(formatReport(report))
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = isPassed(report) ? 0 : 1
}

// Ends the nodes as well: they are children, and go with this process.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

if (options.help) process.stdout.write(usage)
else {
  try {
    await main()
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`)
    process.exitCode = 1
  } finally {
    await killAllChildren()
  }
}
