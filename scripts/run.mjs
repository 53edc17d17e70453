// Runs commands and reports them in the one form that all scripts share.
import { spawn } from 'node:child_process'
import { root } from './tree.mjs'

export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`

/** Runs a command with its output shown as it comes. Resolves with the exit code. */
export function show(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options })
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(signal === null ? code : 128))
  })
}

/** Runs a command and keeps its output. Resolves with the exit code and the output; never rejects. */
export function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    const chunks = []
    child.stdout.on('data', (chunk) => chunks.push(chunk))
    child.stderr.on('data', (chunk) => chunks.push(chunk))
    const output = () => Buffer.concat(chunks).toString('utf8')
    child.once('error', (error) => resolve({ code: 127, output: `${output()}${error.message}\n` }))
    child.once('close', (code) => resolve({ code: code ?? 128, output: output() }))
  })
}

/** A line that says what runs now, on a terminal only; the next `line` takes its place. */
export function running(text) {
  if (process.stdout.isTTY) process.stdout.write(`${text} ...`)
}

export function line(text) {
  const back = process.stdout.isTTY ? '\r\u001b[K' : ''
  process.stdout.write(`${back}${text}\n`)
}
