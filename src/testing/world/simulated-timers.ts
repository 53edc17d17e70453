import type { Timer, Timers } from '../../contracts/world.ts'
import type { ScheduledEvent } from './event-heap.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import type { SimulatedLoop } from './simulated-loop.ts'

/** Timers of one loop, measured by its machine's monotonic clock: a fast clock's timers fire early in true time. */
export class SimulatedTimers implements Timers {
  readonly #loop: SimulatedLoop
  readonly #clock: SimulatedClock
  readonly #lane = {}

  constructor(loop: SimulatedLoop, clock: SimulatedClock) {
    this.#loop = loop
    this.#clock = clock
  }

  after(delayMs: number, callback: () => void): Timer {
    if (this.#loop.isEnded) return { cancel() {} }
    const dueMs = this.#clock.monotonicMs() + Math.max(0, delayMs)
    return new PendingTimer(this.#loop, this.#clock, this.#lane, dueMs, callback)
  }

  immediate(callback: () => void): void {
    if (this.#loop.isEnded) return
    this.#loop.ref()
    // A lane of its own would let an immediate overtake the one before it after a pause.
    this.#loop.dispatchAfter(0, 'immediate', this.#lane, () => {
      this.#loop.unref()
      callback()
    })
  }
}

class PendingTimer implements Timer {
  readonly #loop: SimulatedLoop
  readonly #clock: SimulatedClock
  readonly #lane: object
  readonly #dueMs: number
  #callback: (() => void) | undefined
  #event: ScheduledEvent

  constructor(loop: SimulatedLoop, clock: SimulatedClock, lane: object, dueMs: number, callback: () => void) {
    this.#loop = loop
    this.#clock = clock
    this.#lane = lane
    this.#dueMs = dueMs
    this.#callback = callback
    this.#event = this.#schedule(Math.max(1, clock.trueUsUntil(dueMs)))
    loop.ref()
  }

  cancel(): void {
    if (this.#callback === undefined) return
    this.#callback = undefined
    this.#event.action = undefined
    this.#loop.unref()
  }

  #schedule(delayUs: number): ScheduledEvent {
    return this.#loop.simulation.schedule(delayUs, () => this.#fallDue())
  }

  #fallDue(): void {
    // The clock may have been slowed down since the timer was set.
    const leftUs = this.#clock.trueUsUntil(this.#dueMs)
    if (leftUs > 0) this.#event = this.#schedule(leftUs)
    else this.#loop.dispatch('timer', this.#lane, 0, () => this.#fire())
  }

  #fire(): void {
    const callback = this.#callback
    if (callback === undefined) return
    this.#callback = undefined
    this.#loop.unref()
    callback()
  }
}
