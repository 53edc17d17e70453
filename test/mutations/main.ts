// `npm run mutations`: plants known mistakes one by one into a copy of the product, and sees whether each is found.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killAllChildren } from '../processes/support/child.ts'
import { packageFolder } from '../processes/support/package-folder.ts'
import { removeScratchFolders } from '../processes/support/scratch-folder.ts'
import { type Hunt, hunt } from './hunt.ts'
import { type Mutation, mutations } from './mutations.ts'
import { isFound, table, verdictOf } from './verdict.ts'

const usage = `npm run mutations [-- OPTIONS]

  --quick          only those that the simulator finds soon
  --only NAMES     only those whose name contains one of these (with commas)
  --seeds N        of the simulator, for each (default 2000)
  --jobs N         so many at a time (default 2)
  --write          puts the table into docs/track-record.md

Exit code 1 when a mistake was not found within the seeds, or by none of the invariants or tests named.
`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '2000' },
    jobs: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function countFrom(name: string, text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new Error(`--${name} is ${text}, but must be a whole number above 0`)
}

function chosen(): readonly Mutation[] {
  const parts = options.only.split(',')
  const named = mutations.filter(({ name }) => parts.some((part) => name.includes(part)))
  const found = options.quick ? named.filter(({ quick }) => quick === true) : named
  if (found.length === 0) throw new Error(`no mistake is chosen by --only ${options.only}`)
  return found
}

async function huntAll(all: readonly Mutation[], seedsMax: number, jobs: number): Promise<readonly Hunt[]> {
  const hunts: Hunt[] = []
  const places = all.entries()
  const work = async (): Promise<void> => {
    for (const [place, mutation] of places) {
      const each = await hunt(mutation, seedsMax)
      hunts[place] = each
      const found = `${mutation.name.padEnd(42)}${verdictOf(each).padEnd(28)}`
      process.stdout.write(`${found}${each.seeds} seeds, ${each.seconds.toFixed(1)} s\n`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return hunts
}

/** Between the two marks stands the table of the last whole run. */
function writeTable(hunts: readonly Hunt[]): void {
  const file = join(packageFolder, 'docs', 'track-record.md')
  const [begin, end] = ['<!-- mutations: begin -->', '<!-- mutations: end -->']
  const text = readFileSync(file, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${file} has no place for the table: ${begin} … ${end}`)
  writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${table(hunts)}\n\n${text.slice(to)}`)
}

async function main(): Promise<number> {
  const seedsMax = countFrom('seeds', options.seeds)
  const hunts = await huntAll(chosen(), seedsMax, countFrom('jobs', options.jobs))
  const found = hunts.filter(isFound).length
  process.stdout.write(`${found} of ${hunts.length} mistakes found within ${seedsMax} seeds\n`)
  if (options.write) writeTable(hunts)
  return found === hunts.length ? 0 : 1
}

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

try {
  if (options.help) process.stdout.write(usage)
  else process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await killAllChildren()
  removeScratchFolders()
}
