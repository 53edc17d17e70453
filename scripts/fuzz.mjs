// `npm run fuzz [-- OPTIONS]`: builds when needed, then fuzzes. See `test/fuzz/` and `npm run fuzz -- --help`.
import { build, install } from './prepare.mjs'
import { show } from './run.mjs'

try {
  await install()
  await build()
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
process.exit(await show(process.execPath, ['dist/test/fuzz/main.js', ...process.argv.slice(2)]))
