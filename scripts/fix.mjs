// `npm run fix`: writes what a tool can mend by itself: the format, the mendable findings of the linter, and what pages take from the code.
import { writePages } from './pages.mjs'
import { show } from './run.mjs'
import { inTree } from './tree.mjs'

const bin = (name) => inTree('node_modules', '.bin', name)
const lint = await show(bin('oxlint'), ['--type-aware', '--fix'])
const format = await show(bin('biome'), ['format', '--write', '.'])
const pages = await writePages()
process.exit(lint === 0 && format === 0 && pages === 0 ? 0 : 1)
