// `npm run verify`: everything that can be checked without running the product. Changes no source.
import { checks } from './checks.mjs'
import { build, install } from './prepare.mjs'
import { capture, line, running, seconds } from './run.mjs'
import { inTree } from './tree.mjs'

const architecture = {
  name: 'architecture',
  hint: 'the messages say what to write instead',
  run: () =>
    capture(inTree('node_modules', '.bin', 'vitest'), [
      'run',
      '--project',
      'unit',
      'test/architecture.test.ts',
      'test/errors.test.ts',
      'test/exports.test.ts',
    ]),
}

let failed = 0
try {
  await install()
  await build()
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  failed += 1
}
for (const check of [...checks, architecture]) {
  const startedMs = Date.now()
  running(check.name)
  const { code, output } = await check.run()
  line(
    `${check.name.padEnd(14)}${code === 0 ? 'ok' : `failed (${check.hint})`}  ${seconds(Date.now() - startedMs)}`,
  )
  if (code === 0) continue
  failed += 1
  process.stdout.write(output)
}
process.exit(failed === 0 ? 0 : 1)
