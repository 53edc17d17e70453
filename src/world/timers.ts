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

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#fire(), Math.min(Math.max(1, Math.ceil(delayMs)), nativeDelayMsMax))
  }

  /** The native timer counts whole milliseconds from the start of its loop turn, and so may fire up to one too early. */
  #fire(): void {
    const leftMs = this.#dueMs - this.#clock.monotonicMs()
    if (leftMs > 0) this.#native = this.#arm(leftMs)
    else this.#callback()
  }
}
