import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'

/** A process of a local cluster: what to run, and what it is. */
export interface ProcessSpec {
  /** Unique; also the name of its log file. */
  readonly name: string
  readonly kind: 'node' | 'gateway' | 'worker' | 'load'
  /** Script of this package, and its arguments. */
  readonly script: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Lines of its standard output, one by one; its standard error goes to the log file. */
  readonly onLine?: (line: string) => void
}

export type ProcessState = 'running' | 'paused' | 'stopped'

export interface ProcessStatus {
  readonly name: string
  readonly kind: ProcessSpec['kind']
  readonly state: ProcessState
  readonly pid?: number
  /** How often it was started. */
  readonly starts: number
  /** Of the last end: the exit code, or the signal's name. */
  readonly lastExit?: string
}

interface Supervised {
  readonly spec: ProcessSpec
  child: ChildProcess | undefined
  state: ProcessState
  starts: number
  lastExit: string | undefined
  exited: Promise<void>
}

/** Time for an orderly end before a process is killed. */
const graceMs = 8_000

/**
 * Starts, kills, pauses and ends the processes of a cluster on this machine. Nothing is restarted by itself: what a person (or a drill) kills stays dead until
 * it is started again.
 */
export class Supervisor {
  readonly #world: World
  readonly #logFolder: string
  readonly #processes = new Map<string, Supervised>()
  #stopping: Promise<void> | undefined

  constructor(world: World, logFolder: string) {
    this.#world = world
    this.#logFolder = logFolder
    mkdirSync(logFolder, { recursive: true })
  }

  /** Starts it at once. Throws `conflict` (the name is taken) or `closed`. */
  add(spec: ProcessSpec): void {
    this.#assertNotStopping()
    if (this.#processes.has(spec.name))
      throw new AlthingError('conflict', `there is a process ${spec.name} already`)
    const supervised: Supervised = {
      spec,
      child: undefined,
      state: 'stopped',
      starts: 0,
      lastExit: undefined,
      exited: Promise.resolve(),
    }
    this.#processes.set(spec.name, supervised)
    this.#spawn(supervised)
  }

  list(): ProcessStatus[] {
    return [...this.#processes.values()].map(({ spec, child, state, starts, lastExit }) => ({
      name: spec.name,
      kind: spec.kind,
      state,
      starts,
      ...(child?.pid === undefined || state === 'stopped' ? {} : { pid: child.pid }),
      ...(lastExit === undefined ? {} : { lastExit }),
    }))
  }

  logFile(name: string): string {
    return join(this.#logFolder, `${name}.log`)
  }

  /** SIGKILL: as if the machine had lost power, but for the disk. */
  kill(name: string): void {
    this.#signal(this.#find(name), 'SIGKILL')
  }

  /** SIGSTOP: it does nothing at all until resumed. */
  pause(name: string): void {
    const supervised = this.#find(name)
    if (supervised.state !== 'running') throw new AlthingError('conflict', `${name} is ${supervised.state}`)
    this.#signal(supervised, 'SIGSTOP')
    supervised.state = 'paused'
  }

  resume(name: string): void {
    const supervised = this.#find(name)
    if (supervised.state !== 'paused')
      throw new AlthingError('conflict', `${name} is ${supervised.state}, not paused`)
    this.#signal(supervised, 'SIGCONT')
    supervised.state = 'running'
  }

  /** Starts a process that has ended. */
  start(name: string): void {
    const supervised = this.#find(name)
    if (supervised.state !== 'stopped')
      throw new AlthingError('conflict', `${name} is ${supervised.state} already`)
    this.#assertNotStopping()
    this.#spawn(supervised)
  }

  /** Resolves when the process has ended. */
  exited(name: string): Promise<void> {
    return this.#find(name).exited
  }

  /** Ends all processes (SIGTERM, then SIGKILL): load first, then gateways, workers and nodes. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async #stopAll(): Promise<void> {
    const kinds: readonly ProcessSpec['kind'][] = ['load', 'gateway', 'worker', 'node']
    for (const kind of kinds) {
      const ofKind = [...this.#processes.values()].filter(({ spec }) => spec.kind === kind)
      await Promise.all(ofKind.map((supervised) => this.#end(supervised)))
    }
  }

  async #end(supervised: Supervised): Promise<void> {
    if (supervised.state === 'stopped') return
    if (supervised.state === 'paused') this.#signal(supervised, 'SIGCONT')
    this.#signal(supervised, 'SIGTERM')
    const timer = this.#world.timers.after(graceMs, () => this.#signal(supervised, 'SIGKILL'))
    await supervised.exited
    timer.cancel()
  }

  #assertNotStopping(): void {
    if (this.#stopping !== undefined) throw new AlthingError('closed', 'the cluster is being shut down')
  }

  #find(name: string): Supervised {
    const supervised = this.#processes.get(name)
    if (supervised === undefined) {
      throw new AlthingError(
        'not-found',
        `there is no process ${name}; there are: ${[...this.#processes.keys()].join(', ')}`,
      )
    }
    return supervised
  }

  #signal(supervised: Supervised, signal: NodeJS.Signals): void {
    if (supervised.state === 'stopped') {
      if (signal === 'SIGKILL' || signal === 'SIGTERM') return
      throw new AlthingError('conflict', `${supervised.spec.name} is not running`)
    }
    supervised.child?.kill(signal)
  }

  #spawn(supervised: Supervised): void {
    const { name, script, args, env, onLine } = supervised.spec
    const log = createWriteStream(this.logFile(name), { flags: 'a' })
    // A full disk costs the log, not the supervisor.
    log.on('error', (error) => {
      this.#world.logger.log('warn', 'the log of a process cannot be written', {
        name,
        reason: error.message,
      })
    })
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      // A group of its own: Ctrl-C on the terminal reaches only us, and we end them in order.
      detached: true,
    })
    supervised.child = child
    supervised.state = 'running'
    supervised.starts++
    // Not ended with the one stream: the other may still bring lines.
    child.stderr.pipe(log, { end: false })
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!log.writableEnded) log.write(`${line}\n`)
      onLine?.(line)
    })
    supervised.exited = new Promise((resolve) => {
      const ended = (exit: string): void => {
        log.end()
        supervised.state = 'stopped'
        supervised.lastExit = exit
        resolve()
      }
      child.once('error', (error) => ended(error.message))
      child.once('close', (code, signal) => ended(signal ?? `code ${code}`))
    })
  }
}
