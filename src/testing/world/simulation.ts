import { assert } from '../../base/assert.ts'
import type { World } from '../../contracts/world.ts'
import { drive } from './driver.ts'
import { EventHeap, type ScheduledEvent } from './event-heap.ts'
import { EventLog, type LoggedEvent } from './event-log.ts'
import { SeededRandom } from './seeded-random.ts'
import type { SimulatedLoop } from './simulated-loop.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { type ProcessOptions, SimulatedProcess } from './simulated-process.ts'
import { SimulationError } from './simulation-error.ts'

export interface SimulationOptions {
  /** The one source of all chance in the run. */
  readonly seed: number
  /** How many of the last events {@link EventLog.recent} keeps. Default 200. */
  readonly logCapacity?: number
  /** Sees every event as it is logged: for a trace. Must not draw from the simulation or change it. */
  readonly onEvent?: (event: LoggedEvent) => void
  /** The run fails after so many events: the bound of a program that never stops working. Default 50 million. */
  readonly eventsMax?: number
}

export interface RunOptions {
  /** Virtual milliseconds from the start of this call after which it fails, when the predicate has not come true. Default one hour. */
  readonly limitMs?: number
}

/**
 * A deterministic world: virtual time, and every process, network link, disk and clock in it, from one seed. The program in it is
 * the real one, promises included: after each event all microtasks run before the next event. The same seed gives the same run.
 */
export class Simulation {
  readonly seed: number
  readonly log: EventLog
  readonly network: SimulatedNetwork
  readonly #root: SeededRandom
  readonly #heap = new EventHeap()
  readonly #processes = new Map<string, SimulatedProcess>()
  readonly #eventsMax: number
  #nowUs = 0
  #sequence = 0
  #turn = 0
  #current: SimulatedLoop | undefined
  #failure: SimulationError | undefined
  #isRunning = false

  constructor(options: SimulationOptions) {
    this.seed = options.seed
    this.#eventsMax = options.eventsMax ?? 50_000_000
    this.#root = new SeededRandom(options.seed)
    this.log = new EventLog(options.logCapacity ?? 200, options.onEvent)
    this.network = new SimulatedNetwork(this)
  }

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#nowUs / 1000
  }

  get nowUs(): number {
    return this.#nowUs
  }

  /** Counts the events that ran: two things that happen in the same turn happen in one turn of a loop. */
  get turn(): number {
    return this.#turn
  }

  /** A hash over all that has happened: equal for two runs of the same seed and program. */
  get logHash(): string {
    return this.log.hash
  }

  get processes(): readonly SimulatedProcess[] {
    return [...this.#processes.values()]
  }

  /** The first thing that went wrong, if any. */
  get failure(): SimulationError | undefined {
    return this.#failure
  }

  /** A stream of random numbers of its own for each name. */
  random(name: string): SeededRandom {
    return this.#root.fork(name)
  }

  /** Makes a machine with a process of that name on it; `main` starts with the next events. */
  process(
    name: string,
    main: (world: World) => Promise<void> | void,
    options: ProcessOptions = {},
  ): SimulatedProcess {
    assert(!this.#processes.has(name), 'the process exists already', { name })
    const process = new SimulatedProcess(this, name, main, options)
    this.#processes.set(name, process)
    if (options.autoStart !== false) process.start()
    return process
  }

  /** Runs `action` after so many virtual milliseconds, outside of every process: for harnesses. Returns what cancels it. */
  after(delayMs: number, action: () => void): () => void {
    const event = this.schedule(Math.ceil(delayMs * 1000), action)
    return () => {
      event.action = undefined
    }
  }

  /** Puts an event on the heap: the way by which everything in the simulated world happens. Time in whole microseconds. */
  schedule(delayUs: number, action: () => void): ScheduledEvent {
    assert(Number.isSafeInteger(delayUs) && delayUs >= 0, 'a delay must be a whole number of microseconds', {
      delayUs,
    })
    const event = { atUs: this.#nowUs + delayUs, sequence: this.#sequence++, action }
    this.#heap.push(event)
    return event
  }

  /** Notes that `loop` handles an input now: what fails until the next event is its doing. */
  enter(loop: SimulatedLoop, kind: string, detail: string | number): void {
    this.#current = loop
    this.log.add(this.#nowUs, kind, loop.name, detail)
  }

  /** Notes an event that is not the handling of an input: a fault, a crash, a line of a program's log. */
  record(kind: string, subject: string, detail: string | number): void {
    this.log.add(this.#nowUs, kind, subject, detail)
  }

  /** Ends the run: {@link Simulation.runUntil} rejects. Only the first failure counts. */
  fail(message: string, cause?: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = new SimulationError(message, this.seed, this.nowMs, cause)
    this.record('failure', '', message)
  }

  /**
   * Lets the world run up to a point of virtual time (milliseconds since the start), or until `predicate`, asked after every event, is true.
   * Rejects with a {@link SimulationError} when a process failed, when the predicate did not come true within `limitMs`, and when
   * it cannot come true because nothing is left to happen. Not reentrant.
   */
  async runUntil(target: number | (() => boolean), options: RunOptions = {}): Promise<void> {
    assert(!this.#isRunning, 'the simulation is running already')
    this.#isRunning = true
    const step =
      typeof target === 'number' ? this.#stepToTime(target) : this.#stepToPredicate(target, options)
    try {
      await drive(step, (error) => this.#uncaught(error))
    } finally {
      this.#isRunning = false
      this.#current = undefined
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #stepToTime(timeMs: number): () => boolean {
    const endUs = Math.round(timeMs * 1000)
    return () => {
      this.#current = undefined
      if (this.#failure !== undefined) return false
      if (this.#runNext(endUs)) return true
      this.#nowUs = Math.max(this.#nowUs, endUs)
      return false
    }
  }

  #stepToPredicate(predicate: () => boolean, options: RunOptions): () => boolean {
    const limitMs = options.limitMs ?? 3_600_000
    const endUs = this.#nowUs + Math.round(limitMs * 1000)
    return () => {
      this.#current = undefined
      if (this.#failure !== undefined || predicate()) return false
      if (this.#runNext(endUs)) return true
      const isIdle = this.#heap.peek() === undefined
      this.fail(isIdle ? 'nothing is left to happen' : `the condition did not come true within ${limitMs} ms`)
      return false
    }
  }

  /** Runs the next event, unless there is none up to `endUs`. */
  #runNext(endUs: number): boolean {
    for (;;) {
      const event = this.#heap.peek()
      if (event === undefined || event.atUs > endUs) return false
      this.#heap.pop()
      const action = event.action
      if (action === undefined) continue
      event.action = undefined
      this.#nowUs = event.atUs
      this.#turn++
      this.#current = undefined
      if (this.#turn > this.#eventsMax) this.fail(`more than ${this.#eventsMax} events`)
      else this.#perform(action)
      return true
    }
  }

  #perform(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#uncaught(error)
    }
  }

  #uncaught(error: unknown): void {
    if (this.#current === undefined) this.fail('an error outside of every process', error)
    else this.#current.uncaught(error)
  }
}
