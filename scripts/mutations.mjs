// `npm run mutations`: plants known mistakes one by one into a copy of the build, and lets the simulator look for each.
//
//   npm run mutations [-- --quick] [--only NAME] [--seeds 2000] [--jobs 2] [--write]
//
// `--write` puts the table into docs/track-record.md. Exit code 1 when a mistake was not found within the seeds, or by none of the
// invariants or tests named.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { mutations } from '../test/mutations/mutations.mjs'
import { prepareOrExit } from './prepare.mjs'
import { capture } from './run.mjs'
import { inTree } from './tree.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    seeds: { type: 'string', default: '2000' },
    jobs: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
    from: { type: 'string' },
  },
})

/** What tsc makes of one file, without its types. */
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
}

function mutate({ name, file, find, replace }) {
  const source = readFileSync(inTree('src', file), 'utf8')
  const count = source.split(find).length - 1
  if (count !== 1)
    throw new Error(`${name}: ${JSON.stringify(find)} occurs ${count} times in src/${file}, not once`)
  return source.replace(find, () => replace)
}

/** A copy of the build in which one file is another. */
function plant(mutation) {
  const folder = mkdtempSync(path.join(tmpdir(), 'althing-mutation-'))
  const built = options.from ?? inTree('dist', 'src')
  cpSync(built, path.join(folder, 'dist', 'src'), { recursive: true })
  cpSync(inTree('package.json'), path.join(folder, 'package.json'))
  symlinkSync(inTree('node_modules'), path.join(folder, 'node_modules'))
  const { outputText } = ts.transpileModule(mutate(mutation), { fileName: mutation.file, compilerOptions })
  writeFileSync(path.join(folder, 'dist', 'src', mutation.file.replace(/\.ts$/, '.js')), outputText)
  return folder
}

/** Also the sources, of which the tests run. */
function plantInSources(mutation) {
  const folder = mkdtempSync(path.join(tmpdir(), 'althing-mutation-'))
  cpSync(inTree('src'), path.join(folder, 'src'), { recursive: true })
  for (const file of ['package.json', 'vitest.config.ts', 'tsconfig.json'])
    cpSync(inTree(file), path.join(folder, file))
  symlinkSync(inTree('node_modules'), path.join(folder, 'node_modules'))
  writeFileSync(path.join(folder, 'src', mutation.file), mutate(mutation))
  return folder
}

const hunt = (mutation) => (mutation.test === undefined ? huntInSimulator(mutation) : huntInTests(mutation))

async function huntInTests(mutation) {
  const folder = plantInSources(mutation)
  const startedMs = process.hrtime.bigint()
  try {
    const vitest = path.join(folder, 'node_modules', 'vitest', 'vitest.mjs')
    const test = path.join('src', mutation.test)
    const { output } = await capture(process.execPath, [vitest, 'run', '--project', 'unit', test], {
      cwd: folder,
    })
    const failed = /Tests\D*(\d+) failed/.exec(output.replaceAll(/\u001b\[\d+m/g, ''))
    if (failed === null && !/Tests\D*\d+ passed/.test(output.replaceAll(/\u001b\[\d+m/g, '')))
      throw new Error(`${mutation.name}: the tests gave no answer:\n${output}`)
    const seconds = Number(process.hrtime.bigint() - startedMs) / 1e9
    return { mutation, seeds: 0, virtualMs: 0, seconds, failedTests: Number(failed?.[1] ?? 0) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function huntInSimulator(mutation) {
  const folder = plant(mutation)
  const startedMs = process.hrtime.bigint()
  try {
    const main = path.join(folder, 'dist', 'src', 'cli', 'main.js')
    const { output } = await capture(process.execPath, [
      main,
      'sim',
      'store',
      ...['--seeds', `1..${options.seeds}`, '--faults', 'all', '--jobs', '1', '--stop-on-first', '--json'],
    ])
    const line = output.split('\n').find((each) => each.startsWith('{"seeds"'))
    if (line === undefined) throw new Error(`${mutation.name}: the simulator gave no answer:\n${output}`)
    const { seeds, failed, virtualMs } = JSON.parse(line)
    const seconds = Number(process.hrtime.bigint() - startedMs) / 1e9
    return { mutation, seeds, virtualMs, seconds, failure: failed[0] }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function verdictOf({ mutation, failure, failedTests }) {
  if (mutation.test !== undefined) return failedTests > 0 ? `${failedTests} of its tests` : 'NOT FOUND'
  if (failure === undefined) return 'NOT FOUND'
  const { invariant } = failure.violation
  return mutation.expected.includes(invariant) ? invariant : `${invariant} (UNEXPECTED)`
}

function isFound({ mutation, failure, failedTests }) {
  if (mutation.test !== undefined) return failedTests > 0
  return failure !== undefined && mutation.expected.includes(failure.violation.invariant)
}

function table(results) {
  const rows = results.map((result) => {
    const { mutation, seeds, virtualMs } = result
    const cells = [
      mutation.name,
      mutation.file,
      mutation.source,
      ...(mutation.test === undefined
        ? [verdictOf(result), seeds, `${(virtualMs / 60_000).toFixed(1)} min`]
        : [`${verdictOf(result)}: ${mutation.test}`, '', '']),
    ]
    return `| ${cells.join(' | ')} |`
  })
  const head = [
    '| mistake | file | source | first invariant to break | seeds | virtual time |',
    '| --- | --- | --- | --- | ---: | ---: |',
  ]
  return [...head, ...rows].join('\n')
}

/** Between the two marks stands the table of the last whole run. */
function writeTable(results) {
  const file = inTree('docs', 'track-record.md')
  const [begin, end] = ['<!-- mutations: begin -->', '<!-- mutations: end -->']
  const text = readFileSync(file, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${file} has no place for the table: ${begin} … ${end}`)
  writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${table(results)}\n\n${text.slice(to)}`)
}

async function huntAll(chosen) {
  const results = []
  let next = 0
  const work = async () => {
    while (next < chosen.length) {
      const position = next++
      const result = await hunt(chosen[position])
      results[position] = result
      const { mutation, seeds, seconds } = result
      process.stdout.write(
        `${mutation.name.padEnd(42)}${verdictOf(result).padEnd(28)}${seeds} seeds, ${seconds.toFixed(1)} s\n`,
      )
    }
  }
  await Promise.all(Array.from({ length: Number(options.jobs) }, work))
  return results
}

if (options.from === undefined) await prepareOrExit()
try {
  const named = mutations.filter(({ name }) => options.only === undefined || name.includes(options.only))
  const chosen = options.quick ? named.filter(({ quick }) => quick === true) : named
  const results = await huntAll(chosen)
  const found = results.filter(isFound).length
  process.stdout.write(`${found} of ${results.length} mistakes found within ${options.seeds} seeds\n`)
  if (options.write) writeTable(results)
  process.exitCode = found === results.length ? 0 : 1
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
