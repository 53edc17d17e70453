// `npm run build`: the sources to `dist/`, the console to `dist/console`, and the files that are not TypeScript beside them.
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { capture } from './run.mjs'
import { buildStamp, filesBelow, inTree } from './tree.mjs'

const compiledFolders = ['src', 'apps', 'bench', 'test']
const emitted = ['.js', '.js.map', '.d.ts']
const neverCopied = /\.(ts|tsx|mts|md)$|(^|\/)testdata\//

async function run(title, script, args) {
  const { code, output } = await capture(process.execPath, [inTree('node_modules', script), ...args])
  if (code === 0) return
  process.stderr.write(`${title} failed:\n${output}`)
  process.exit(1)
}

/** Removes what an earlier build made of sources that are gone. */
function prune() {
  for (const folder of compiledFolders) {
    for (const file of filesBelow(path.join('dist', folder))) {
      const ending = emitted.find((each) => file.endsWith(each))
      const source = file.slice('dist/'.length)
      const exists =
        ending === undefined
          ? existsSync(inTree(source))
          : existsSync(inTree(`${source.slice(0, -ending.length)}.ts`)) || existsSync(inTree(source))
      if (!exists) rmSync(inTree(file))
    }
  }
}

function copyAssets() {
  for (const file of compiledFolders.flatMap(filesBelow)) {
    if (neverCopied.test(file)) continue
    const to = inTree('dist', file)
    mkdirSync(path.dirname(to), { recursive: true })
    copyFileSync(inTree(file), to)
  }
}

const startedMs = new Date()
await run('Compiling', 'typescript/bin/tsc', ['-p', 'tsconfig.build.json'])
prune()
copyAssets()
if (existsSync(inTree('console', 'vite.config.ts'))) {
  await run('Building the console', 'vite/bin/vite.js', [
    'build',
    '--config',
    'console/vite.config.ts',
    '--logLevel',
    'warn',
  ])
}
const main = inTree('dist', 'src', 'cli', 'main.js')
if (existsSync(main)) chmodSync(main, 0o755)
writeFileSync(buildStamp, `${startedMs.toISOString()}\n`)
