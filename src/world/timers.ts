import type { Clock, Timer, Timers } from '../contracts/world.ts'

/** Node.js takes a longer delay for 1 ms. */
const nativeDelayMsMax = 2 ** 31 - 1

export class NodeTimers implements Timers {
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  after(delayMs: number, callback: () => void): Timer {
    return new NodeTimer(this.#clock, delayMs, callback)
  }

  immediate(callback: () => void): void {
    setImmediate(callback)
  }
}

class NodeTimer implements Timer {
  readonly #clock: Clock
  readonly #dueMs: number
  readonly #callback: () => void
  #native: NodeJS.Timeout

  constructor(clock: Clock, delayMs: number, callback: () => void) {
    this.#clock = clock
    this.#dueMs = clock.monotonicMs() + Math.max(0, delayMs)
    this.#callback = callback
    this.#native = this.#arm(delayMs)
  }

  cancel(): void {
    clearTimeout(this.#native)
  }

  /** The native timer reads a clock of whole milliseconds at both ends, and so may fire up to one too early: one more keeps the length, and the order in which timers were set. */
  #arm(delayMs: number): NodeJS.Timeout {
    const nativeMs = Math.ceil(Math.max(0, delayMs)) + 1
    return setTimeout(() => this.#fire(), Math.min(nativeMs, nativeDelayMsMax))
  }

  /** Delays beyond the native limit are made of several. */
  #fire(): void {
    const leftMs = this.#dueMs - this.#clock.monotonicMs()
    if (leftMs > 0) this.#native = this.#arm(leftMs)
    else this.#callback()
  }
}
