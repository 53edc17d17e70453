// A vitest reporter that leaves the counts of a run, what was left out and why, and the engines that were met, in the file named by ALTHING_TEST_COUNTS, for scripts/test.mjs to
// add up. Where a suite is run by itself (scripts/suite.mjs) it says the latter two at the end.
import { writeFileSync } from 'node:fs'
import { engineOf, enginesLine, notTestedLines } from './not-tested.mjs'

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    const notTested = []
    const engines = {}
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state, note } = test.result()
        const part = partOf(test)
        if (note !== undefined) notTested.push({ part, reason: note })
        counts[state === 'pending' ? 'skipped' : state] += 1
        const engine = engineOf(part)
        if (engine !== undefined) engines[engine] = (engines[engine] ?? 0) + (state === 'passed' ? 1 : 0)
      }
      // A module that fails to load, or whose suite hooks fail, has no failed test to show for it.
      if (module.state() === 'failed' && !hasFailedTest(module)) counts.failed += 1
    }
    const file = process.env.ALTHING_TEST_COUNTS
    if (file === undefined) say(notTested, engines)
    else writeFileSync(file, JSON.stringify({ ...counts, notTested, engines }))
  }
}

/** The outermost group around a test; its own name where there is none. */
function partOf(test) {
  let { name } = test
  for (let at = test.parent; at.type === 'suite'; at = at.parent) name = at.name
  return name
}

function say(notTested, engines) {
  for (const each of notTestedLines(notTested)) process.stdout.write(`Not tested: ${each}\n`)
  const line = enginesLine(engines)
  if (line !== undefined) process.stdout.write(`${line}\n`)
}

function hasFailedTest(module) {
  for (const test of module.children.allTests('failed')) return test !== undefined
  return false
}
