import type { Timer, World } from '../../contracts/world.ts'
import { Swim } from './swim.ts'
import type { SwimEffect, SwimEvent, SwimMessage, SwimOptions } from './types.ts'

export interface SwimRunnerOptions {
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  readonly swim: Partial<SwimOptions> & Pick<SwimOptions, 'id' | 'address'>
  /** What it cannot send is lost. It must not call the runner. */
  send(to: string, message: SwimMessage): void
  /** All effects but `send`, in order. It may call the runner. */
  happened(effect: Exclude<SwimEffect, { type: 'send' }>): void
}

/** The shell of {@link Swim} over a world's time: performs its effects and wakes it. Begins at once; ends with `close`. */
export class SwimRunner {
  readonly swim: Swim
  readonly #options: SwimRunnerOptions
  #timer: Timer | undefined
  #armedMs = Number.POSITIVE_INFINITY
  #isClosed = false

  /** Throws `invalid-argument`. */
  constructor(options: SwimRunnerOptions) {
    const { world, swim } = options
    this.#options = options
    this.swim = new Swim(swim, world.random, world.clock.monotonicMs())
    this.#arm()
  }

  step(event: SwimEvent): void {
    if (this.#isClosed) return
    const effects = this.swim.step(event, this.#options.world.clock.monotonicMs())
    this.#arm()
    for (const effect of effects) {
      if (effect.type === 'send') this.#options.send(effect.to, effect.message)
      else this.#options.happened(effect)
    }
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    const { dueMs } = this.swim
    // A timer that wakes too early looks again: it costs less than a new one with each message.
    if (this.#timer !== undefined && this.#armedMs <= dueMs) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#armedMs = dueMs
    if (dueMs === Number.POSITIVE_INFINITY) return
    const { clock, timers } = this.#options.world
    this.#timer = timers.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#wake())
  }

  #wake(): void {
    this.#timer = undefined
    if (this.#options.world.clock.monotonicMs() >= this.swim.dueMs) this.step({ type: 'tick' })
    else this.#arm()
  }
}
