import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { type Command, Option } from 'commander'
import { AlthingError, invalidArgument, isAlthingError } from '../contracts/errors.ts'
import type { Timers } from '../contracts/world.ts'
import { type Guarantee, guarantees } from '../coordination/guarantees.ts'
import type { Lock, MultiLock } from '../coordination/locks/lock-types.ts'
import type { Permit } from '../coordination/semaphores/semaphore-types.ts'
import type { Althing } from '../node/althing.ts'
import { durationMs } from './arguments.ts'
import { withSlowProgress } from './progress.ts'
import { reportFailure } from './report.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface LockOptions extends TargetOptions {
  readonly ttl: string
  readonly wait: string
  readonly grace: string
  readonly accept?: readonly Guarantee[]
  readonly read?: boolean
  readonly also?: readonly string[]
  readonly limit?: string
  readonly permits?: string
}

/** A lock, several, or permits of a semaphore. */
type Held = Lock | MultiLock | Permit

/** Exit codes of its own, beside the command's; those of timeout(1) and env(1) where they mean the same. */
export const lockExitCodes = {
  lost: 123,
  notObtained: 124,
  failed: 125,
  cannotRun: 126,
  notFound: 127,
} as const

const help = `
The command finds its fencing token in ALTHING_LOCK_TOKEN and the name in ALTHING_LOCK_NAME. It runs in a process group of its own; when the
lock is lost the group gets SIGTERM, and SIGKILL after --grace.

Exit code: that of the command (128 + number when a signal ended it); 123 the lock was lost and the command ended for it; 124 the lock was not
obtained within --wait; 125 the cluster cannot be reached or refused; 126 the command cannot be run; 127 there is no such command.`

/** `althing lock NAME -- COMMAND ARGS...` */
export function registerLockCommand(program: Command): void {
  withTargetOptions(
    program
      .command('lock')
      .argument('<name>')
      .argument('<command...>', 'after --')
      .description('run a command while holding a lock')
      .addHelpText('after', help),
  )
    .option(
      '--ttl <duration>',
      'after the death of this process another has the lock within this time',
      '30s',
    )
    .option('--wait <duration>', 'wait for the lock at most this long', '1h')
    .addOption(
      new Option('--accept <guarantee...>', 'a guarantee that the store need not give').choices(guarantees),
    )
    .option('--read', 'hold it beside other readers')
    .option('--also <name...>', 'hold these locks too: all or none')
    .option('--limit <number>', 'NAME is a semaphore of so many permits')
    .option('--permits <number>', 'NAME is a semaphore: take so many of its permits (1)')
    .option('--grace <duration>', 'when the lock is lost: from SIGTERM to SIGKILL', '2s')
    .action(async (name: string, command: string[], options: LockOptions) => {
      process.exitCode = await lock(name, command, options)
    })
}

async function lock(name: string, command: readonly string[], options: LockOptions): Promise<number> {
  const graceMs = durationMs('--grace', options.grace)
  const signals = new SignalRelay()
  try {
    return await withStore(
      options,
      async (althing) => {
        const held = await acquire(althing, name, command, options, signals.first)
        return runUnder(althing, name, held, command, graceMs, signals)
      },
      options.accept === undefined ? {} : { accept: options.accept },
    )
  } catch (error) {
    if (signals.received !== undefined) return signalExitCode(signals.received)
    const code = reportFailure(error, options.json === true)
    if (isAlthingError(error, 'timeout') && error.details?.['waitTimeoutMs'] !== undefined)
      return lockExitCodes.notObtained
    return code === 2 ? code : lockExitCodes.failed
  } finally {
    signals.close()
  }
}

function acquire(
  althing: Althing,
  name: string,
  command: readonly string[],
  options: LockOptions,
  signal: AbortSignal,
): Promise<Held> {
  const isShown = options.json !== true
  const turn = {
    ttl: options.ttl,
    waitTimeout: options.wait,
    note: command.join(' ').slice(0, 256),
    signal,
  }
  const { also = [], limit, permits } = options
  const isSemaphore = limit !== undefined || permits !== undefined
  const kinds = [isSemaphore, also.length > 0, options.read === true].filter(Boolean)
  if (kinds.length > 1) {
    throw invalidArgument('options', kinds.length, 'one of --read, --also, and --limit with --permits')
  }
  return withSlowProgress<Held>(althing.world.timers, `Waiting for lock ${name}`, isShown, () => {
    if (isSemaphore) {
      const wanted = limit === undefined ? {} : { limit: Number(limit) }
      return althing.semaphores.acquire(name, { ...turn, ...wanted, permits: Number(permits ?? 1) })
    }
    if (also.length > 0) return althing.locks.acquireAll([name, ...also], turn)
    return althing.locks.acquire(name, { ...turn, mode: options.read === true ? 'read' : 'write' })
  })
}

async function runUnder(
  althing: Althing,
  name: string,
  lock: Held,
  command: readonly string[],
  graceMs: number,
  signals: SignalRelay,
): Promise<number> {
  const { timers } = althing.world
  try {
    const child = new LockedChild(name, lock, command)
    signals.relayTo((signal) => child.signal(signal))
    const onLost = (): void => child.end(timers, graceMs)
    lock.lost.addEventListener('abort', onLost, { once: true })
    if (lock.lost.aborted) onLost()
    const code = await child.exited
    if (!lock.lost.aborted) return code
    process.stderr.write(`althing: ${(lock.lost.reason as Error).message} [lost]\n`)
    return lockExitCodes.lost
  } finally {
    await lock.release().catch((error: unknown) => {
      process.stderr.write(`althing: the lock is left to its ttl: ${(error as Error).message}\n`)
    })
  }
}

/** The command, in a process group of its own: what it starts in turn is ended with it. */
class LockedChild {
  /** The exit code to pass on. */
  readonly exited: Promise<number>
  readonly #child: ChildProcess
  #hasExited = false

  constructor(name: string, lock: Held, command: readonly string[]) {
    const [file = '', ...args] = command
    this.#child = spawn(file, args, {
      stdio: 'inherit',
      detached: true,
      env: { ...process.env, ALTHING_LOCK_TOKEN: String(lock.token), ALTHING_LOCK_NAME: name },
    })
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'ENOENT' ? 'there is no such command' : error.message
        process.stderr.write(`althing: cannot run ${file}: ${why}\n`)
        resolve(error.code === 'ENOENT' ? lockExitCodes.notFound : lockExitCodes.cannotRun)
      })
      this.#child.once('exit', (code, signal) => {
        this.#hasExited = true
        resolve(signal === null ? (code ?? 0) : signalExitCode(signal))
      })
    })
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // The whole group has ended already.
    }
  }

  /** SIGTERM, then SIGKILL to what is left of the group. A stopped group cannot heed the first, and is waked for it. */
  end(timers: Timers, graceMs: number): void {
    this.signal('SIGTERM')
    this.signal('SIGCONT')
    const timer = timers.after(graceMs, () => this.signal('SIGKILL'))
    void this.exited.then(() => {
      timer.cancel()
      // What outlives the command itself must not go on without the lock.
      if (this.#hasExited) this.signal('SIGKILL')
    })
  }
}

/** Takes the signals that would end this process: before the command runs they end the wait, afterwards they go on to it. */
class SignalRelay {
  readonly #abort = new AbortController()
  readonly #signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  #relay: ((signal: NodeJS.Signals) => void) | undefined
  #received: NodeJS.Signals | undefined

  constructor() {
    for (const signal of this.#signals) process.on(signal, this.#on)
  }

  /** Fires with the first signal. */
  get first(): AbortSignal {
    return this.#abort.signal
  }

  get received(): NodeJS.Signals | undefined {
    return this.#received
  }

  relayTo(relay: (signal: NodeJS.Signals) => void): void {
    this.#relay = relay
    if (this.#received !== undefined) relay(this.#received)
  }

  close(): void {
    for (const signal of this.#signals) process.off(signal, this.#on)
  }

  readonly #on = (signal: NodeJS.Signals): void => {
    this.#received ??= signal
    this.#abort.abort(new AlthingError('aborted', `stopped by ${signal}`, { outcome: 'none' }))
    this.#relay?.(signal)
  }
}

function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
