// `npm run test:NAME`: one suite, with its output as it comes. Further arguments go to vitest.
import { prepareOrExit } from './prepare.mjs'
import { show } from './run.mjs'
import { programs, provide } from './servers.mjs'
import { suites } from './suites.mjs'

const [name, ...rest] = process.argv.slice(2)
const suite = suites().find((each) => each.name === name)
if (suite === undefined) {
  const names = suites().map((each) => each.name)
  process.stderr.write(`There is no suite ${name}. There are: ${names.join(', ')}\n`)
  process.exit(1)
}
await prepareOrExit()
const missing = await provide(programs)
const reporters = ['--reporter=default', '--reporter=./scripts/count-reporter.mjs']
const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...suite.args, ...reporters, ...rest]
const code = await show(process.execPath, vitest)
for (const each of missing) process.stdout.write(`Not tested: ${each.for}: ${each.command} is not on PATH\n`)
process.exit(code)
