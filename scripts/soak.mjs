// `npm run soak [-- OPTIONS]`: builds when needed, then soaks. See `test/soak/` and `npm run soak -- --help`.
import { prepareOrExit } from './prepare.mjs'
import { show } from './run.mjs'

await prepareOrExit()
process.exit(await show(process.execPath, ['dist/test/soak/main.js', ...process.argv.slice(2)]))
