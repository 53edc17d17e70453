// `npm run differential [-- URL OPTIONS]`: builds when needed, then compares an engine with the store model. See `test/differential/` and `npm run differential -- --help`.
import { prepareOrExit } from './prepare.mjs'
import { show } from './run.mjs'

await prepareOrExit()
process.exit(await show(process.execPath, ['dist/test/differential/main.js', ...process.argv.slice(2)]))
