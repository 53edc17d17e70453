import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface WatcherRequest {
  readonly address: string
  readonly prefix: string
  readonly connections: number
  readonly watchersEach: number
}

/** By the number of the change: when the last watcher of the process had seen it. */
export interface Arrivals {
  readonly lastMs: readonly number[]
  readonly missing: readonly number[]
}

/** The same for all processes of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** A process with watchers, all of them set. */
export class WatcherProcess {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(request: WatcherRequest): Promise<WatcherProcess> {
    const program = fileURLToPath(new URL('./watcher-process.js', import.meta.url))
    const child = fork(program, [JSON.stringify(request)])
    const failed = once(child, 'exit').then(() => {
      throw new Error('a process with watchers ended')
    })
    await Promise.race([once(child, 'message'), failed])
    failed.catch(() => undefined)
    return new WatcherProcess(child)
  }

  /** Ends the process. */
  async finish(): Promise<Arrivals> {
    const answer = once(this.#child, 'message')
    this.#child.send('finish')
    const [arrivals] = (await answer) as [Arrivals]
    return arrivals
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
