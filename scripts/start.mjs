// `npm start`: from a fresh checkout to a running cluster with gateway, console and Agora. Arguments go to `althing demo`.
import { spawn } from 'node:child_process'
import { prepareOrExit } from './prepare.mjs'
import { inTree, root } from './tree.mjs'

const repeatedWithinMs = 1_000
const parentPollMs = 500

await prepareOrExit()

// A process group of its own: one Ctrl-C on a terminal reaches npm, this script and its child, each of which hands it on.
// So the child hears only from here, and only once.
const child = spawn(process.execPath, [inTree('dist/src/cli/main.js'), 'demo', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  detached: true,
})

let lastSignalMs = Number.NEGATIVE_INFINITY
function passOn(signal) {
  const nowMs = performance.now()
  if (nowMs - lastSignalMs > repeatedWithinMs) child.kill(signal)
  lastSignalMs = nowMs
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, passOn)

// npm runs scripts in a shell, which dies of a signal without passing it on.
const parent = process.ppid
const poll = setInterval(() => {
  if (process.ppid === parent) return
  clearInterval(poll)
  passOn('SIGTERM')
}, parentPollMs)

child.once('error', (error) => {
  process.stderr.write(`Could not start: ${error.message}\n`)
  process.exit(1)
})
child.once('exit', (code, signal) => {
  endGroup(child.pid)
  process.exit(signal === null ? code : 1)
})

/** Ends whatever the child has left in its process group. */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
