// Writes the tables of docs/engines/README.md as the engines declare them. A part of `npm run fix`; test/engine-pages.test.ts fails where they differ.
import { capture } from './run.mjs'
import { inTree } from './tree.mjs'

export async function writePages() {
  const command = [inTree('node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit']
  const { code, output } = await capture(process.execPath, [...command, 'test/engine-pages.test.ts'], {
    env: { ...process.env, ALTHING_WRITE_PAGES: '1' },
  })
  if (code !== 0) process.stderr.write(output)
  return code
}
