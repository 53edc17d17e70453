// `npm run fuzz [-- OPTIONS]`: builds when needed, then fuzzes. See `test/fuzz/` and `npm run fuzz -- --help`.
import { prepareOrExit } from './prepare.mjs'
import { show } from './run.mjs'

await prepareOrExit()
process.exit(await show(process.execPath, ['dist/test/fuzz/main.js', ...process.argv.slice(2)]))
