import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { eventually, Hopeless } from './eventually.ts'
import { packageFolder } from './package-folder.ts'

/** A file of the build. */
export const built = (path: string): string => join(packageFolder, 'dist', path)

/** The `althing` command of the build. */
export const command = built('src/cli/main.js')
export const agoraScript = (name: string): string => built(`apps/agora/src/${name}.js`)
export const fixture = (name: string): string => built(`test/processes/fixtures/${name}.js`)

/** Of each output so much is kept. */
const keptBytesMax = 4 * 1024 * 1024

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Runs this before the script, as in `['bash', '-c', '… exec "$0" "$@"']`. */
  readonly wrapper?: readonly string[]
}

/** A Node.js process that a test started. Whatever ends the test ends it too. */
export class Child {
  readonly ended: Promise<Ending>
  readonly pid: number
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  #errors = ''
  #isOver = false

  static script(script: string, args: readonly string[] = [], options: ChildOptions = {}): Child {
    return new Child([...(options.wrapper ?? []), process.execPath, script, ...args], options)
  }

  static command(args: readonly string[], options: ChildOptions = {}): Child {
    return Child.script(command, args, options)
  }

  private constructor([program, ...args]: readonly string[], { env, cwd }: ChildOptions) {
    const child = spawn(program as string, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    })
    this.#child = child
    this.pid = child.pid ?? 0
    living.add(this)
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => this.#lines.push(line))
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString('utf8')).slice(-keptBytesMax)
    })
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        living.delete(this)
        this.#isOver = true
        resolve({ code, signal })
      })
    })
    this.ended.catch(() => {})
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Whole lines of its standard output so far. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Its standard error so far: of a node, its log. */
  get errors(): string {
    return this.#errors
  }

  /** Those lines of its standard error that are JSON: the entries of a node's log. */
  get log(): readonly Record<string, unknown>[] {
    return this.#errors
      .split('\n')
      .map(parsed)
      .filter((entry) => entry !== undefined)
  }

  /** The first line of the output that is a JSON object with these members. Rejects when the process ends without. */
  async event(expected: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const wanted = JSON.stringify(expected)
    return await eventually(`${wanted} of process ${this.pid}`, () => {
      const isOver = this.#isOver
      const entry = this.#lines.map(parsed).find((each) => hasMembers(each, expected))
      if (entry === undefined && isOver) {
        throw new Hopeless(`it ended without ${wanted}:\n${this.#lines.join('\n')}\n${this.#errors}`)
      }
      return entry
    })
  }

  /** As {@link ended}, but fails when the process goes on and on. */
  async ending(): Promise<Ending> {
    await eventually(`process ${this.pid} ends`, () => this.#isOver)
    return await this.ended
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Signals the process by its id; nothing happens when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal)
  }

  /** SIGKILL; resolves once the process is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }

  /** Resident memory in bytes, as the system counts it. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }
}

const living = new Set<Child>()

/** For `afterAll`: no test leaves a process behind. */
export async function killAllChildren(): Promise<void> {
  await Promise.all([...living].map((child) => child.kill()))
}

process.once('exit', () => {
  for (const child of living) child.signal('SIGKILL')
})

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function hasMembers(
  entry: Readonly<Record<string, unknown>> | undefined,
  expected: Readonly<Record<string, unknown>>,
): boolean {
  return entry !== undefined && Object.entries(expected).every(([name, value]) => entry[name] === value)
}

function parsed(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
