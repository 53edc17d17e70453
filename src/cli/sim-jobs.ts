import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { AlthingError } from '../contracts/errors.ts'
import type { RunReport } from '../testing/store-simulation/run-report.ts'
import type { SimTask } from './sim-task.ts'

type Answer = { readonly report: RunReport } | { readonly error: string }

/** Runs one seed after the other in a process of its own. */
export class SimJob {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./sim-worker.js', import.meta.url)), { stdio: 'inherit' })
  }

  run(task: SimTask): Promise<RunReport> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        this.#child.removeAllListeners()
        action()
      }
      this.#child.once('exit', (code, signal) =>
        settle(() =>
          reject(broken(task.options.seed, `its process ended (${signal ?? `exit code ${code}`})`)),
        ),
      )
      this.#child.once('error', (error) => settle(() => reject(broken(task.options.seed, error.message))))
      this.#child.once('message', (answer: Answer) =>
        settle(() => {
          if ('report' in answer) resolve(answer.report)
          else reject(broken(task.options.seed, answer.error))
        }),
      )
      this.#child.send(task)
    })
  }

  stop(): void {
    this.#child.kill()
  }
}

function broken(seed: number, reason: string): AlthingError {
  return new AlthingError('internal', `the simulation of seed ${seed} could not be carried out: ${reason}`)
}
