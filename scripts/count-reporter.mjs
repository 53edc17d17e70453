// A vitest reporter that leaves the counts of a run, and why a test was skipped, in the file named by ALTHING_TEST_COUNTS, for scripts/test.mjs to add up.
import { writeFileSync } from 'node:fs'

export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env.ALTHING_TEST_COUNTS
    if (file === undefined) return
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    const notTested = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state, note } = test.result()
        if (note !== undefined) notTested.push(`${test.fullName}: ${note}`)
        counts[state === 'pending' ? 'skipped' : state] += 1
      }
      // A module that fails to load, or whose suite hooks fail, has no failed test to show for it.
      if (module.state() === 'failed' && !hasFailedTest(module)) counts.failed += 1
    }
    writeFileSync(file, JSON.stringify({ ...counts, notTested }))
  }
}

function hasFailedTest(module) {
  for (const test of module.children.allTests('failed')) return test !== undefined
  return false
}
