// `npm run bench -- <area> [options]`: builds when needed, then measures. See `bench/` and `npm run bench -- --help`.
import { build, install } from './prepare.mjs'
import { show } from './run.mjs'

try {
  await install()
  await build()
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
process.exit(await show(process.execPath, ['dist/bench/main.js', ...process.argv.slice(2)]))
