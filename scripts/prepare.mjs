// What every entry point needs first: the packages of the lock file, and a build of the sources as they are now.
import { capture, line, running, seconds } from './run.mjs'
import { buildIsStale, installIsStale } from './tree.mjs'

/** Installs when `node_modules` differs from the lock file. Throws with npm's output when it fails. */
export async function install() {
  if (!installIsStale()) return
  await step('Installing packages', 'npm', ['ci', '--no-audit', '--no-fund'])
}

/** Builds when a source is newer than the last build. Throws with the compiler's output when it fails. */
export async function build() {
  if (!buildIsStale()) return
  await step('Building', process.execPath, ['scripts/build.mjs'])
}

/** Both, for scripts that are of no use without: ends the process with code 1 when one fails, after its output. */
export async function prepareOrExit() {
  try {
    await install()
    await build()
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

async function step(title, command, args) {
  const startedMs = Date.now()
  running(title)
  const { code, output } = await capture(command, args)
  if (code !== 0) throw new Error(`${title} failed:\n${output}`)
  line(`${title}: done in ${seconds(Date.now() - startedMs)}`)
}
