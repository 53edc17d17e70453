import { createFaultActions, type FaultAction } from './fault-actions.ts'
import { type FaultClass, faultClasses } from './fault-classes.ts'
import type { FaultPlan, FaultRate } from './fault-plan.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Damage } from './simulated-disk.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Simulation } from './simulation.ts'
import type { SurvivabilityRule } from './survivability.ts'

export interface FaultInjectorOptions {
  /** The processes whose machines, disks and clocks are harmed. More may be added while it runs. */
  readonly processes: readonly SimulatedProcess[]
  /** Hosts that take part in network faults, those of the moment. Default those of `processes`. */
  readonly hosts?: readonly string[] | (() => readonly string[])
  readonly plan: FaultPlan
  readonly rule: SurvivabilityRule
  /** Files that may be damaged. Default all. */
  readonly mayFlip?: (path: string) => boolean
  /**
   * Called after a crash and damage to a file: from then on the harness has the process: it sees to it that the process refuses to start
   * or serves nothing false, rebuilds it, starts it, and calls {@link FaultInjector.rebuilt}. Without it, nothing is damaged.
   */
  readonly onDamage?: (process: SimulatedProcess, damage: Damage) => void
}

/** One fault that was injected. */
export interface InjectedFault {
  readonly timeMs: number
  readonly fault: FaultClass
  readonly target: string
  readonly detail: string
}

const faultsKept = 10_000
/** After the end of all faults: by then every process that they will end has ended. */
const aftermathMs = 2_000

/** Injects the faults of a plan into a simulation, until {@link FaultInjector.heal}. */
export class FaultInjector {
  readonly simulation: Simulation
  readonly options: FaultInjectorOptions
  readonly random: SeededRandom
  readonly #actions: Readonly<Record<FaultClass, FaultAction>>
  readonly #counts = new Map<FaultClass, number>(faultClasses.map((name) => [name, 0]))
  readonly #injected: InjectedFault[] = []
  readonly #undos = new Set<() => void>()
  readonly #damaged = new Set<SimulatedProcess>()
  #isActive = false

  constructor(simulation: Simulation, options: FaultInjectorOptions) {
    this.simulation = simulation
    this.options = options
    this.random = simulation.random('faults')
    this.#actions = createFaultActions(this)
  }

  get hosts(): readonly string[] {
    const { hosts, processes } = this.options
    if (typeof hosts === 'function') return hosts()
    return hosts ?? processes.map((process) => process.host)
  }

  /** How often each class has really happened. */
  get counts(): ReadonlyMap<FaultClass, number> {
    return this.#counts
  }

  /** The faults injected, oldest first: the first 10,000 of them. */
  get injected(): readonly InjectedFault[] {
    return this.#injected
  }

  /** Processes whose data is damaged and not yet rebuilt. */
  get damaged(): ReadonlySet<SimulatedProcess> {
    return this.#damaged
  }

  /** Begins. Idempotent. */
  start(): void {
    if (this.#isActive) return
    this.#isActive = true
    for (const [name, rate] of this.options.plan) this.#scheduleNext(name, rate)
  }

  /**
   * The end of all faults: the network is whole, disks work, clocks run true (what the wall clock was stepped by stays), paused
   * processes go on, and those that are down start, except the damaged ones, which the harness has. Idempotent.
   */
  heal(): void {
    this.#isActive = false
    this.simulation.record('heal', '', '')
    for (const undo of [...this.#undos]) undo()
    this.#undos.clear()
    this.simulation.network.heal()
    for (const process of this.options.processes) {
      process.disk.heal()
      process.clock.setRate(1)
      process.resume()
      this.revive(process)
    }
    // What a fault has done to an operation under way may end a process only now.
    this.simulation.after(aftermathMs, () => {
      for (const process of this.options.processes) this.revive(process)
    })
  }

  /** The harness has rebuilt a damaged process. */
  rebuilt(process: SimulatedProcess): void {
    this.#damaged.delete(process)
  }

  /** Injects one fault of the class now, whatever the plan; false when there is nothing that it could harm within the rule. */
  inject(
    name: FaultClass,
    rate: FaultRate = { intervalMsMean: 1_000, durationMsMean: 1_000, severity: 0.5 },
  ): boolean {
    return this.#actions[name](rate)
  }

  /** Writes a fault down, and counts it. */
  note(fault: FaultClass, target: string, detail: string): void {
    this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1)
    this.simulation.record('fault', target, `${fault} ${detail}`)
    if (this.#injected.length < faultsKept) {
      this.#injected.push({ timeMs: this.simulation.nowMs, fault, target, detail })
    }
  }

  /** Undoes something after a time drawn from the rate, or when all heals, whichever is first; once. */
  undoLater(rate: FaultRate, undo: () => void): void {
    this.atHeal(undo, this.drawDurationMs(rate))
  }

  /** Undoes something when all heals, or after `durationMs` if that is earlier; once. */
  atHeal(undo: () => void, durationMs: number): void {
    const undoOnce = (): void => {
      cancel()
      if (this.#undos.delete(undoOnce)) undo()
    }
    this.#undos.add(undoOnce)
    const cancel = this.simulation.after(durationMs, undoOnce)
  }

  /** Does something a little later, unless all has healed before. */
  soon(delayMs: number, action: () => void): void {
    const undo = (): void => cancel()
    this.#undos.add(undo)
    const cancel = this.simulation.after(delayMs, () => {
      this.#undos.delete(undo)
      action()
    })
  }

  drawDurationMs(rate: FaultRate): number {
    return Math.ceil(this.random.exponential(rate.durationMsMean)) + 1
  }

  /** A running process that the rule allows to stop; `undefined` when there is none. */
  pickToStop(): SimulatedProcess | undefined {
    const down = new Set(this.options.processes.filter((process) => !process.isRunning))
    return this.#pick((process) => process.isRunning && this.options.rule.mayStop(process, down))
  }

  /** A running process whose data may be damaged; `undefined` when there is none, or nobody to rebuild it. */
  pickToDamage(): SimulatedProcess | undefined {
    if (this.options.onDamage === undefined) return undefined
    const down = new Set(this.options.processes.filter((process) => !process.isRunning))
    const { rule } = this.options
    return this.#pick(
      (process) =>
        process.isRunning &&
        !this.#damaged.has(process) &&
        rule.mayStop(process, down) &&
        rule.mayDamage(process, this.#damaged),
    )
  }

  pickRunning(): SimulatedProcess | undefined {
    return this.#pick((process) => process.isRunning)
  }

  markDamaged(process: SimulatedProcess, damage: Damage): void {
    this.#damaged.add(process)
    this.options.onDamage?.(process, damage)
  }

  /** Starts a process that is down, unless the harness has it. */
  revive(process: SimulatedProcess): void {
    if (!process.isRunning && !this.#damaged.has(process)) process.start()
  }

  #pick(isEligible: (process: SimulatedProcess) => boolean): SimulatedProcess | undefined {
    const eligible = this.options.processes.filter(
      (process) => !this.#damaged.has(process) && isEligible(process),
    )
    return eligible.length === 0 ? undefined : this.random.pick(eligible)
  }

  #scheduleNext(name: FaultClass, rate: FaultRate): void {
    this.simulation.after(Math.ceil(this.random.exponential(rate.intervalMsMean)) + 1, () => {
      if (!this.#isActive) return
      this.inject(name, rate)
      this.#scheduleNext(name, rate)
    })
  }
}
