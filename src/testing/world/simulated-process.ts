import { assert } from '../../base/assert.ts'
import { createDeferred, type Deferred } from '../../base/deferred.ts'
import type { World } from '../../contracts/world.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { DatagramPort } from './datagram-port.ts'
import { DiskPort } from './disk-port.ts'
import { LogBook, SimulatedLogger } from './simulated-logger.ts'
import { SimulatedLoop } from './simulated-loop.ts'
import { NetworkPort } from './network-port.ts'
import { ProbePort, type SimulatedCommands } from './probe-port.ts'
import { SimulatedThreads } from './simulated-threads.ts'
import { SimulatedTimers } from './simulated-timers.ts'
import type { Simulation } from './simulation.ts'

export interface ProcessOptions {
  /** The machine's name in addresses. Default the name of the process. */
  readonly host?: string
  /** Default true: `main` runs with the next events. */
  readonly autoStart?: boolean
  /** Share another process's disk. Default a disk of its own. A loss of power of one then hits the disk of both. */
  readonly disk?: SimulatedDisk
  /** The programs of its machine. Default: there are none. */
  readonly commands?: SimulatedCommands
  /**
   * Called when the process ended by itself: `main` threw or rejected, or an exception or a rejection was not handled. Returns true
   * when that is by design. Default: it never is, and the simulation fails.
   */
  readonly acceptExit?: (exit: ProcessExit) => boolean
}

export interface ProcessExit {
  /** `'crashed'`: by {@link SimulatedProcess.crash}; `'failed'`: by its own error. */
  readonly reason: 'crashed' | 'failed'
  readonly error?: unknown
  readonly timeMs: number
}

/**
 * `'power'`: the machine goes dark: what was not synced is subject to the disk's crash rule, and peers hear nothing until
 * they give up or the machine is back. `'kill'`: the process alone ends (SIGKILL): the kernel closes its connections and keeps its pages.
 */
export type CrashKind = 'power' | 'kill'

interface Incarnation {
  readonly main: SimulatedLoop
  readonly loops: Set<SimulatedLoop>
  readonly exited: Deferred<ProcessExit>
}

/** One machine with one process on it. Disk, clock and name outlive the process; all else ends with it. */
export class SimulatedProcess {
  readonly name: string
  readonly host: string
  readonly disk: SimulatedDisk
  readonly clock: SimulatedClock
  readonly log = new LogBook()
  readonly #simulation: Simulation
  readonly #main: (world: World) => Promise<void> | void
  readonly #acceptExit: (exit: ProcessExit) => boolean
  readonly #commands: SimulatedCommands
  #incarnation: Incarnation | undefined
  #isPaused = false
  #startCount = 0
  #exited: Promise<ProcessExit>

  constructor(
    simulation: Simulation,
    name: string,
    main: (world: World) => Promise<void> | void,
    options: ProcessOptions,
  ) {
    this.name = name
    this.host = options.host ?? name
    this.#simulation = simulation
    this.#main = main
    this.#acceptExit = options.acceptExit ?? (() => false)
    this.#commands = options.commands ?? (() => undefined)
    this.disk = options.disk ?? new SimulatedDisk(simulation, name)
    const originMs = simulation.random(`clock/${name}`).integer(0, 100_000_000)
    const stuck = (message: string): void => simulation.fail(`process ${name}: ${message}`)
    this.clock = new SimulatedClock(() => simulation.nowUs, originMs, stuck)
    this.#exited = new Promise(() => {})
  }

  get isRunning(): boolean {
    return this.#incarnation !== undefined
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** How often the process has been started. */
  get startCount(): number {
    return this.#startCount
  }

  /** Resolves with the end of the present (or last) run of the process. */
  get exited(): Promise<ProcessExit> {
    return this.#exited
  }

  /** Runs `main` anew on the same disk. The process must not be running. */
  start(): void {
    assert(this.#incarnation === undefined, 'the process is running already', { name: this.name })
    this.#simulation.record('process', this.name, 'start')
    const exited = createDeferred<ProcessExit>()
    this.#exited = exited.promise
    this.#startCount++
    const loops = new Set<SimulatedLoop>()
    const main = new SimulatedLoop(this.#simulation, `${this.name}#${this.#startCount}`, (error) =>
      this.#fail(incarnation, error),
    )
    loops.add(main)
    const incarnation: Incarnation = { main, loops, exited }
    this.#incarnation = incarnation
    this.#simulation.network.hostStarted(this.host)
    const world = this.#createWorld(incarnation, main)
    main.dispatchAfter(0, 'start', this, () => void this.#runMain(incarnation, world))
  }

  /** Ends the process at once: its timers, connections, files and threads; none of its promises settles any more. */
  crash(kind: CrashKind = 'power'): void {
    const incarnation = this.#incarnation
    if (incarnation === undefined) return
    this.#simulation.record('process', this.name, `crash ${kind}`)
    this.#end(incarnation, kind, { reason: 'crashed', timeMs: this.#simulation.nowMs })
  }

  restart(kind: CrashKind = 'power'): void {
    this.crash(kind)
    this.start()
  }

  /** As SIGSTOP: nothing of the process runs, while its clock goes on and the kernel goes on receiving for it. Idempotent. */
  pause(): void {
    if (this.#isPaused || this.#incarnation === undefined) return
    this.#isPaused = true
    this.#simulation.record('process', this.name, 'pause')
    for (const loop of this.#incarnation.loops) loop.hold()
  }

  /** As SIGCONT: what came due meanwhile is handled now, in a seeded order. Idempotent. */
  resume(): void {
    if (!this.#isPaused || this.#incarnation === undefined) return
    this.#isPaused = false
    this.#simulation.record('process', this.name, 'resume')
    for (const loop of this.#incarnation.loops) loop.release()
  }

  /** The main thread computes for so long and handles nothing; other threads of the process go on. Returns what ends it early. */
  blockLoop(durationMs: number): () => void {
    const main = this.#incarnation?.main
    if (main === undefined) return () => {}
    this.#simulation.record('process', this.name, `block ${durationMs}`)
    main.hold()
    let isBlocked = true
    const unblock = (): void => {
      if (isBlocked) main.release()
      isBlocked = false
    }
    this.#simulation.schedule(Math.ceil(durationMs * 1000), unblock)
    return unblock
  }

  async #runMain(incarnation: Incarnation, world: World): Promise<void> {
    try {
      await this.#main(world)
    } catch (error) {
      this.#fail(incarnation, error)
    }
  }

  #fail(incarnation: Incarnation, error: unknown): void {
    if (this.#incarnation !== incarnation) return
    const exit: ProcessExit = { reason: 'failed', error, timeMs: this.#simulation.nowMs }
    this.#simulation.record('process', this.name, `failed ${error instanceof Error ? error.message : error}`)
    this.#end(incarnation, 'kill', exit)
    if (!this.#acceptExit(exit)) this.#simulation.fail(`process ${this.name} failed`, error)
  }

  #end(incarnation: Incarnation, kind: CrashKind, exit: ProcessExit): void {
    this.#incarnation = undefined
    this.#isPaused = false
    for (const loop of incarnation.loops) loop.end(kind)
    if (kind === 'power') {
      this.#simulation.network.hostWentDark(this.host)
      this.disk.losePower()
    }
    incarnation.exited.resolve(exit)
  }

  #createWorld(incarnation: Incarnation, loop: SimulatedLoop): World {
    const simulation = this.#simulation
    const network = new NetworkPort(loop, simulation.network, this.host)
    return {
      clock: this.clock,
      timers: new SimulatedTimers(loop, this.clock),
      random: simulation.random(`random/${loop.name}`),
      network,
      datagrams: new DatagramPort(loop, simulation.network, this.host),
      probes: new ProbePort(loop, network, this.#commands),
      disk: new DiskPort(loop, this.disk, this.name),
      threads: this.#createThreads(incarnation, loop),
      logger: new SimulatedLogger(loop, this.log),
    }
  }

  #createThreads(incarnation: Incarnation, owner: SimulatedLoop): SimulatedThreads {
    let count = 0
    return new SimulatedThreads(owner, {
      createLoop: (uncaught) => {
        const loop = new SimulatedLoop(this.#simulation, `${owner.name}.${++count}`, uncaught)
        if (this.#isPaused) loop.hold()
        incarnation.loops.add(loop)
        loop.onEnd(() => incarnation.loops.delete(loop))
        return loop
      },
      createWorld: (loop) => this.#createWorld(incarnation, loop),
      fail: (error) => this.#fail(incarnation, error),
    })
  }
}
