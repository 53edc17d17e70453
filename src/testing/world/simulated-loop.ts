import type { SeededRandom } from './seeded-random.ts'
import type { Simulation } from './simulation.ts'

/** What arrives on one lane (the timers, one connection, one channel) is handled in the order of its arrival. */
export type Lane = object

/**
 * How a loop came to its end: `'power'`, its machine lost power and says nothing any more; `'kill'`, its process ended and the
 * machine's kernel tidies up after it; `'stop'`, the thread was stopped or ended while its process goes on.
 */
export type EndCause = 'power' | 'kill' | 'stop'

interface HeldInput {
  readonly kind: string
  readonly lane: Lane
  readonly detail: string | number
  readonly action: () => void
}

/**
 * One event loop of a simulated process: its main thread, or one of its other threads. All that happens to the program comes
 * through {@link SimulatedLoop.dispatch}. A loop that is held handles nothing; what arrives meanwhile waits and, when the
 * loop goes on, is handled in a seeded order that keeps the order within each lane.
 */
export class SimulatedLoop {
  readonly simulation: Simulation
  readonly name: string
  readonly #random: SeededRandom
  readonly #uncaught: (error: unknown) => void
  readonly #endHooks = new Set<(cause: EndCause) => void>()
  #backlog: HeldInput[] = []
  #holds = 0
  #isDraining = false
  #isEnded = false
  #liveHandles = 0
  #whenIdle: (() => void) | undefined

  constructor(simulation: Simulation, name: string, uncaught: (error: unknown) => void) {
    this.simulation = simulation
    this.name = name
    this.#random = simulation.random(`loop/${name}`)
    this.#uncaught = uncaught
  }

  /** True once the process (or the thread) has ended: nothing that it still calls has any effect. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  get isHeld(): boolean {
    return this.#holds > 0
  }

  /** Handles an input now or, while the loop is held, later; never when the loop has ended. */
  dispatch(kind: string, lane: Lane, detail: string | number, action: () => void): void {
    if (this.#isEnded) return
    if (this.isHeld || this.#isDraining) this.#backlog.push({ kind, lane, detail, action })
    else this.#run(kind, detail, action)
  }

  /** Dispatches at a later point of virtual time. */
  dispatchAfter(delayUs: number, kind: string, lane: Lane, action: () => void): void {
    this.simulation.schedule(delayUs, () => this.dispatch(kind, lane, 0, action))
  }

  /** Holds are counted: the loop goes on when each has been released. */
  hold(): void {
    this.#holds++
  }

  release(): void {
    this.#holds--
    if (this.isHeld || this.#isEnded || this.#backlog.length === 0) return
    this.#backlog = shuffleLanes(this.#backlog, this.#random)
    this.#scheduleDrain()
  }

  uncaught(error: unknown): void {
    if (!this.#isEnded) this.#uncaught(error)
  }

  /** Ends the loop at once; runs what was registered with {@link SimulatedLoop.onEnd}. */
  end(cause: EndCause): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#backlog = []
    for (const hook of this.#endHooks) hook(cause)
    this.#endHooks.clear()
  }

  /** Registers what must be cleaned up with the loop. Returns the function that takes the registration back. */
  onEnd(hook: (cause: EndCause) => void): () => void {
    this.#endHooks.add(hook)
    return () => this.#endHooks.delete(hook)
  }

  /** Something (a timer, a connection, an operation) keeps the loop alive until it is {@link SimulatedLoop.unref}ed. */
  ref(): void {
    this.#liveHandles++
  }

  unref(): void {
    this.#liveHandles--
    this.#checkIdle()
  }

  /** Calls `handler` once when nothing is left that could ever give the loop something to do. */
  onIdle(handler: () => void): void {
    this.#whenIdle = handler
    this.#checkIdle()
  }

  #run(kind: string, detail: string | number, action: () => void): void {
    this.simulation.enter(this, kind, detail)
    try {
      action()
    } catch (error) {
      this.uncaught(error)
    }
  }

  #scheduleDrain(): void {
    this.#isDraining = true
    this.simulation.schedule(0, () => {
      this.#isDraining = false
      if (this.isHeld || this.#isEnded) return
      const input = this.#backlog.shift()
      if (input === undefined) return
      this.#run(input.kind, input.detail, input.action)
      if (this.#backlog.length > 0 && !this.#isEnded) this.#scheduleDrain()
    })
  }

  #checkIdle(): void {
    if (this.#liveHandles > 0 || this.#whenIdle === undefined) return
    this.simulation.schedule(0, () => {
      const handler = this.#whenIdle
      if (this.#liveHandles > 0 || handler === undefined || this.#isEnded) return
      this.#whenIdle = undefined
      handler()
    })
  }
}

/** A random merge of the lanes. */
function shuffleLanes(inputs: readonly HeldInput[], random: SeededRandom): HeldInput[] {
  const lanes = new Map<Lane, HeldInput[]>()
  for (const input of inputs) {
    const lane = lanes.get(input.lane)
    if (lane === undefined) lanes.set(input.lane, [input])
    else lane.push(input)
  }
  const turns = random.shuffle(inputs.map((input) => input.lane))
  const positions = new Map<Lane, number>()
  return turns.map((lane) => {
    const position = positions.get(lane) ?? 0
    positions.set(lane, position + 1)
    return (lanes.get(lane) as HeldInput[])[position] as HeldInput
  })
}
