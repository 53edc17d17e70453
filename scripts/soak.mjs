// `npm run soak [-- OPTIONS]`: builds when needed, then soaks. See `test/soak/` and `npm run soak -- --help`.
import { build, install } from './prepare.mjs'
import { show } from './run.mjs'

try {
  await install()
  await build()
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
process.exit(await show(process.execPath, ['dist/test/soak/main.js', ...process.argv.slice(2)]))
