import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { AlthingError } from '../contracts/errors.ts'
import type { StoreSimulationOptions } from '../testing/store-simulation/configuration.ts'
import type { SeedReport } from '../testing/store-simulation/simulate-store.ts'

type Answer = { readonly report: SeedReport } | { readonly error: string }

/** Runs one seed after the other in a process of its own. */
export class SimJob {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./sim-worker.js', import.meta.url)), { stdio: 'inherit' })
  }

  run(options: StoreSimulationOptions): Promise<SeedReport> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        this.#child.removeAllListeners()
        action()
      }
      this.#child.once('exit', (code, signal) =>
        settle(() => reject(broken(options.seed, `its process ended (${signal ?? `exit code ${code}`})`))),
      )
      this.#child.once('error', (error) => settle(() => reject(broken(options.seed, error.message))))
      this.#child.once('message', (answer: Answer) =>
        settle(() => {
          if ('report' in answer) resolve(answer.report)
          else reject(broken(options.seed, answer.error))
        }),
      )
      this.#child.send(options)
    })
  }

  stop(): void {
    this.#child.kill()
  }
}

function broken(seed: number, reason: string): AlthingError {
  return new AlthingError('internal', `the simulation of seed ${seed} could not be carried out: ${reason}`)
}
