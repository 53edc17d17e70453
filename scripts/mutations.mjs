// `npm run mutations [-- OPTIONS]`: builds when needed, then plants known mistakes. See `test/mutations/` and `npm run mutations -- --help`.
import { prepareOrExit } from './prepare.mjs'
import { show } from './run.mjs'

await prepareOrExit()
process.exit(await show(process.execPath, ['dist/test/mutations/main.js', ...process.argv.slice(2)]))
