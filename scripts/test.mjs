// `npm test`: everything that CI runs, in one go and from a fresh checkout. The last line is `N passed, N failed`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { checks } from './checks.mjs'
import { ltsNode, ltsVersion } from './lts-node.mjs'
import { enginesLine, notTestedLines } from './not-tested.mjs'
import { build, install } from './prepare.mjs'
import { capture, line, running, seconds } from './run.mjs'
import { programs, provide } from './servers.mjs'
import { inGroups, suites, unitOnOtherRuntime } from './suites.mjs'
import { inTree } from './tree.mjs'

const total = { passed: 0, failed: 0 }
const notTested = []
const engines = {}
const scratch = mkdtempSync(path.join(tmpdir(), 'althing-test-'))
const startedMs = Date.now()

function report(name, result, partStartedMs) {
  total.passed += result.passed
  total.failed += result.failed
  const skipped = result.skipped ? `, ${result.skipped} skipped` : ''
  const verdict = result.failed === 0 ? 'ok' : 'FAILED'
  const counts = `${result.passed} passed, ${result.failed} failed${skipped}`
  line(`${name.padEnd(16)}${verdict.padEnd(8)}${seconds(Date.now() - partStartedMs).padStart(8)}  ${counts}`)
  if (result.failed > 0) process.stdout.write(`${result.output}\n`)
}

async function part(name, run) {
  const partStartedMs = Date.now()
  running(name)
  report(name, await run(), partStartedMs)
}

/** A part that either holds or does not: counted as one. */
async function check(name, run) {
  await part(name, async () => {
    const { code, output } = await run()
    return code === 0 ? { passed: 1, failed: 0, output } : { passed: 0, failed: 1, output }
  })
}

async function preparation(name, run) {
  await check(name, async () => {
    try {
      await run()
      return { code: 0, output: '' }
    } catch (error) {
      return { code: 1, output: error.message }
    }
  })
  return total.failed === 0
}

async function suite(name, { args, node = process.execPath }) {
  await part(name, async () => {
    const file = path.join(scratch, `${name.replaceAll(' ', '-')}.json`)
    const command = [inTree('node_modules/vitest/vitest.mjs'), 'run', ...args]
    const reporters = ['--reporter=default', '--reporter=./scripts/count-reporter.mjs']
    const { code, output } = await capture(node, [...command, ...reporters], {
      env: { ...process.env, ALTHING_TEST_COUNTS: file, NO_COLOR: '1' },
    })
    return counted(file, code, withoutPassed(output))
  })
}

function withoutPassed(output) {
  return output
    .split('\n')
    .filter((each) => !/^\s*✓/.test(each))
    .join('\n')
}

/** The counts that the run left behind. A run that ended badly without a failed test to show for it counts as one failure. */
function counted(file, code, output) {
  try {
    const { notTested: leftOut, engines: met, ...counts } = JSON.parse(readFileSync(file, 'utf8'))
    notTested.push(...notTestedLines(leftOut))
    for (const [engine, passed] of Object.entries(met)) engines[engine] = (engines[engine] ?? 0) + passed
    return { ...counts, failed: code !== 0 && counts.failed === 0 ? 1 : counts.failed, output }
  } catch {
    return { passed: 0, failed: 1, output }
  }
}

async function everything() {
  if (!(await preparation('install', install))) return
  const missing = await provide(programs)
  notTested.push(
    ...missing.map((each) => `${each.for}: ${each.command} is not on PATH (${each.debianPackage})`),
  )
  if (!(await preparation('build', build))) return
  for (const each of checks) await check(each.name, each.run)
  for (const group of inGroups(suites())) await Promise.all(group.map((each) => suite(each.name, each)))
  const node = await ltsNode()
  const name = `unit, Node ${ltsVersion.split('.')[0]}`
  if (node === undefined) notTested.push(`${name}: its binary could not be fetched`)
  else await suite(name, { ...unitOnOtherRuntime, node })
}

try {
  await everything()
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
for (const each of notTested) line(`Not tested: ${each}`)
const ofEngines = enginesLine(engines)
if (ofEngines !== undefined) line(ofEngines)
line(`Total time ${seconds(Date.now() - startedMs)}`)
line(`${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed === 0 ? 0 : 1)
