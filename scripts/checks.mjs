// The checks that only read. `npm run verify` runs all of them; `npm test` runs them among its parts.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { capture } from './run.mjs'
import { inTree } from './tree.mjs'

const bin = (name) => inTree('node_modules', '.bin', name)

export const checks = [
  { name: 'format', hint: 'npm run fix', run: () => capture(bin('biome'), ['format', '.']) },
  {
    name: 'lint',
    hint: 'npm run fix mends some of it',
    run: () => capture(bin('oxlint'), ['--type-aware', '--deny-warnings']),
  },
  { name: 'types', hint: 'npx tsc --noEmit -p .', run: checkTypes },
  { name: 'package', hint: 'exports and files of package.json', run: checkPackage },
]

/** The console runs in the browser, so it has a project of its own. */
async function checkTypes() {
  const projects = ['.', 'console'].filter((folder) => existsSync(inTree(folder, 'tsconfig.json')))
  let output = ''
  for (const project of projects) {
    const result = await capture(bin('tsc'), ['--noEmit', '-p', project])
    output += result.output
    if (result.code !== 0) return { code: result.code, output }
  }
  return { code: 0, output }
}

/** Packs as for publication, and judges the archive as its users' resolvers will see it. Needs a build. */
async function checkPackage() {
  const folder = mkdtempSync(path.join(tmpdir(), 'althing-pack-'))
  try {
    const packed = await capture('npm', [
      'pack',
      '--ignore-scripts',
      '--silent',
      '--pack-destination',
      folder,
    ])
    if (packed.code !== 0) return packed
    const archive = path.join(folder, readdirSync(folder)[0])
    const lint = await capture(bin('publint'), ['run', archive, '--strict'])
    if (lint.code !== 0) return lint
    return await capture(bin('attw'), [archive, '--profile', 'esm-only', '--no-color', '--no-emoji'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
