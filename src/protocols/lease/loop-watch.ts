import type { Timer, World } from '../../contracts/world.ts'

/** A time in which an event loop did not run. */
export interface LoopStall {
  readonly lengthMs: number
  readonly endMs: number
}

/** Shorter ones are the ordinary business of an event loop. */
const stallMsMin = 100
const stallsKept = 16

/**
 * Measures the delay of the event loop it runs in: a timer that fires late by more than 100 ms was held up. Keeps the last 16
 * stalls, and sees one that has just ended before its own timer had a chance to run.
 */
export class LoopWatch {
  readonly #world: World
  readonly #intervalMs: number
  readonly #onTick: (nowMs: number) => void
  readonly #onStall: (stall: LoopStall) => void
  #stalls: LoopStall[] = []
  #tickedMs = 0
  #timer: Timer | undefined

  constructor(
    world: World,
    options: {
      readonly intervalMs: number
      /** The loop is alive. */
      readonly onTick: (nowMs: number) => void
      readonly onStall?: (stall: LoopStall) => void
    },
  ) {
    this.#world = world
    this.#intervalMs = options.intervalMs
    this.#onTick = options.onTick
    this.#onStall = options.onStall ?? (() => {})
  }

  start(): void {
    if (this.#timer !== undefined) return
    this.#tickedMs = this.#world.clock.monotonicMs()
    this.#onTick(this.#tickedMs)
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** The longest stall that ended after `sinceMs`, the one that ends right now included. */
  longestSince(sinceMs: number): LoopStall | undefined {
    const nowMs = this.#world.clock.monotonicMs()
    const present = this.#timer === undefined ? undefined : this.#stallUntil(nowMs)
    const stalls = [...this.#stalls, ...(present === undefined ? [] : [present])]
    return stalls
      .filter((stall) => stall.endMs > sinceMs)
      .reduce<LoopStall | undefined>(
        (longest, stall) => (longest === undefined || stall.lengthMs > longest.lengthMs ? stall : longest),
        undefined,
      )
  }

  #arm(): void {
    this.#timer = this.#world.timers.after(this.#intervalMs, () => this.#tick())
  }

  #tick(): void {
    const nowMs = this.#world.clock.monotonicMs()
    const stall = this.#stallUntil(nowMs)
    this.#tickedMs = nowMs
    if (stall !== undefined) {
      this.#stalls = [...this.#stalls.slice(1 - stallsKept), stall]
      this.#onStall(stall)
    }
    this.#onTick(nowMs)
    this.#arm()
  }

  #stallUntil(nowMs: number): LoopStall | undefined {
    const silenceMs = nowMs - this.#tickedMs
    return silenceMs - this.#intervalMs < stallMsMin ? undefined : { lengthMs: silenceMs, endMs: nowMs }
  }
}
