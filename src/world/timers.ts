import type { Clock, Timer, Timers } from '../contracts/world.ts'

/** Node.js takes a longer delay for 1 ms. */
const nativeDelayMsMax = 2 ** 31 - 1

export class NodeTimers implements Timers {
  readonly #clock: Clock
  /** Those that fired too early and wait for the rest of their time: hardly ever one. */
  #early: NodeTimer[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  after(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#clock.monotonicMs() + Math.max(0, delayMs)
    const timer = new NodeTimer(dueMs, callback, {
      fired: () => this.#fired(timer),
      cancelled: () => this.#forget(timer),
    })
    timer.arm(delayMs)
    return timer
  }

  immediate(callback: () => void): void {
    setImmediate(callback)
  }

  /** A native timer reads a clock of whole milliseconds at both ends, and so may fire up to one too early; it is set again. One that was due later must not overtake it. */
  #fired(timer: NodeTimer): void {
    const leftMs = timer.dueMs - this.#clock.monotonicMs()
    this.#forget(timer)
    if (leftMs > 0) {
      this.#early.push(timer)
      timer.arm(leftMs)
      return
    }
    if (this.#early.length > 0) this.#runEarlier(timer.dueMs)
    if (timer.isArmed) timer.run()
  }

  #runEarlier(dueMs: number): void {
    const earlier = this.#early.filter((each) => each.dueMs <= dueMs).sort((a, b) => a.dueMs - b.dueMs)
    for (const timer of earlier) {
      // One before it may have cancelled it.
      if (!timer.isArmed) continue
      this.#forget(timer)
      timer.run()
    }
  }

  #forget(timer: NodeTimer): void {
    if (this.#early.length > 0) this.#early = this.#early.filter((each) => each !== timer)
  }
}

interface NodeTimerCalls {
  fired(): void
  cancelled(): void
}

class NodeTimer implements Timer {
  readonly dueMs: number
  readonly #callback: () => void
  readonly #calls: NodeTimerCalls
  #native: NodeJS.Timeout | undefined

  constructor(dueMs: number, callback: () => void, calls: NodeTimerCalls) {
    this.dueMs = dueMs
    this.#callback = callback
    this.#calls = calls
  }

  /** Neither run nor cancelled. */
  get isArmed(): boolean {
    return this.#native !== undefined
  }

  arm(delayMs: number): void {
    const nativeMs = Math.min(Math.max(1, Math.ceil(delayMs)), nativeDelayMsMax)
    this.#native = setTimeout(this.#calls.fired, nativeMs)
  }

  run(): void {
    this.#disarm()
    this.#callback()
  }

  cancel(): void {
    this.#disarm()
    this.#calls.cancelled()
  }

  #disarm(): void {
    clearTimeout(this.#native)
    this.#native = undefined
  }
}
