import type { SeededRandom } from '../world/seeded-random.ts'
import type { CrashKind, SimulatedProcess } from '../world/simulated-process.ts'
import type { Simulation } from '../world/simulation.ts'

export type ClientFault = 'crash' | 'pause' | 'block-loop' | 'isolate' | 'clock-drift' | 'clock-step'

export interface ClientFaultsOptions {
  readonly simulation: Simulation
  readonly processes: readonly SimulatedProcess[]
  readonly kinds: readonly ClientFault[]
  readonly intervalMsMean: number
  /** By how much of its true rate a clock may run fast or slow. Default one percent. */
  readonly driftMax?: number
  /** By how much a wall clock may jump, forwards or back. Default a minute. */
  readonly stepMsMax?: number
  /** Called right after a process was killed. */
  crashed(process: SimulatedProcess): void
}

/** Stops, kills and holds up the clients' own processes: what they hold must be safe without their help. */
export class ClientFaults {
  readonly #options: ClientFaultsOptions
  readonly #random: SeededRandom
  readonly #counts = new Map<ClientFault, number>()
  readonly #undos: (() => void)[] = []
  #isActive = false

  constructor(options: ClientFaultsOptions) {
    this.#options = options
    this.#random = options.simulation.random('client-faults')
  }

  get counts(): ReadonlyMap<ClientFault, number> {
    return this.#counts
  }

  start(): void {
    const { intervalMsMean, kinds, processes } = this.#options
    if (intervalMsMean === 0 || kinds.length === 0 || processes.length === 0) return
    this.#isActive = true
    this.#scheduleNext()
  }

  /** All processes run, and their clocks run true. */
  heal(): void {
    this.#isActive = false
    for (const undo of this.#undos) undo()
    for (const process of this.#options.processes) {
      process.clock.setRate(1)
      process.resume()
      if (!process.isRunning) process.start()
    }
  }

  #scheduleNext(): void {
    const { simulation, intervalMsMean } = this.#options
    simulation.after(Math.ceil(this.#random.exponential(intervalMsMean)) + 1, () => {
      if (!this.#isActive) return
      this.#inject()
      this.#scheduleNext()
    })
  }

  #inject(): void {
    const running = this.#options.processes.filter((process) => process.isRunning)
    if (running.length === 0) return
    const process = this.#random.pick(running)
    const kind = this.#random.pick(this.#options.kinds)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    this.#options.simulation.record('fault', process.name, `client ${kind}`)
    this.#harm(process, kind)
  }

  #harm(process: SimulatedProcess, kind: ClientFault): void {
    const durationMs = Math.ceil(this.#random.exponential(this.#random.pick([200, 1_500, 4_000]))) + 1
    const { simulation, crashed, driftMax = 0.01, stepMsMax = 60_000 } = this.#options
    if (kind === 'pause') {
      process.pause()
      simulation.after(durationMs, () => process.resume())
    } else if (kind === 'isolate') simulation.after(durationMs, simulation.network.isolate(process.host))
    else if (kind === 'block-loop') this.#undos.push(process.blockLoop(durationMs))
    else if (kind === 'clock-drift') process.clock.setRate(1 + this.#random.between(-driftMax, driftMax))
    else if (kind === 'clock-step') process.clock.stepWall(this.#random.integer(-stepMsMax, stepMsMax))
    else {
      process.crash(this.#random.pick<CrashKind>(['power', 'kill']))
      crashed(process)
      simulation.after(durationMs, () => {
        if (!process.isRunning) process.start()
      })
    }
  }
}
