import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const logBytesMax = 16 * 1024

/** For a server that refuses to run as root. */
export interface RunAs {
  readonly uid?: number
  readonly gid?: number
  readonly cwd?: string
}

/** A server run as a child process. Whatever ends this process ends it too. */
export class ServerProcess {
  readonly #command: string
  readonly #args: readonly string[]
  readonly #as: RunAs
  #child: ChildProcess | undefined
  #log = ''

  constructor(command: string, args: readonly string[], as: RunAs = {}) {
    this.#command = command
    this.#args = args
    this.#as = as
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** `undefined` while it does not run. */
  get pid(): number | undefined {
    return this.isRunning ? this.#child?.pid : undefined
  }

  /** The end of what it has written to its outputs. */
  get log(): string {
    return this.#log
  }

  start(): void {
    const child = spawn(this.#command, [...this.#args], { ...this.#as, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString('utf8')).slice(-logBytesMax)
      })
    }
    child.once('error', (error) => {
      this.#log += error.message
    })
    living.add(child)
    child.once('exit', () => living.delete(child))
  }

  /**
   * SIGSTOP: it stands still with all its connections, as under a debugger or on a machine that swaps, until {@link ServerProcess.resume}. Resolves when the last of its
   * threads does, where the system tells.
   */
  async pause(): Promise<void> {
    const { pid } = this
    if (pid === undefined) return
    this.#child?.kill('SIGSTOP')
    await eventually(`process ${pid} stands still`, 10_000, async () => {
      if (!isStopped(pid)) throw new Error('one of its threads runs')
    })
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** SIGKILL; resolves once the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.isRunning) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}

/** A folder of its own for a server's data, removed when this process ends if not before. */
export function temporaryFolder(name: string): { readonly path: string; readonly remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), `althing-${name}-`))
  folders.add(folder)
  return {
    path: folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true })
      folders.delete(folder)
    },
  }
}

/** Calls `attempt` until it resolves. Rejects with the last failure when `timeoutMs` have passed. */
export async function eventually<T>(what: string, timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > endMs) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** By `/proc`, which only Linux has; elsewhere it is taken for granted. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return true
  return readdirSync(tasks).every((task) => {
    try {
      // `pid (name) state …`, and the name may hold anything.
      const stat = readFileSync(path.join(tasks, task, 'stat'), 'utf8')
      return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2))
    } catch {
      // It has ended since it was listed.
      return true
    }
  })
}

const living = new Set<ChildProcess>()
const folders = new Set<string>()

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
