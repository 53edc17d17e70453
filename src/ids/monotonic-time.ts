import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Clock } from '../contracts/world.ts'

/** What to do when the wall clock shows less than before. */
export type OnUuidClockBack = 'borrow' | 'restart' | 'throw'

/** 2^48 - 1: the last millisecond that UUID version 7 and ULID can say, in the year 10889. */
export const uuidTimeMax = 2 ** 48 - 1

/** Milliseconds that never go back, unless that is asked for. */
export class MonotonicTime {
  readonly #clock: Clock
  readonly #onClockBack: OnUuidClockBack
  #last = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, onClockBack: OnUuidClockBack = 'borrow') {
    if (!['borrow', 'restart', 'throw'].includes(onClockBack))
      throw invalidArgument('onClockBack', onClockBack, "'borrow', 'restart' or 'throw'")
    this.#clock = clock
    this.#onClockBack = onClockBack
  }

  get last(): number {
    return this.#last
  }

  /** True when {@link last} is another millisecond than before. */
  advance(): boolean {
    const now = Math.floor(this.#clock.wallMs())
    if (now > this.#last) return this.#enter(now)
    if (now === this.#last || this.#onClockBack === 'borrow') return false
    if (this.#onClockBack === 'restart') return this.#enter(now)
    const backMs = this.#last - now
    throw new AlthingError(
      'unavailable',
      `the clock stepped back by ${backMs} ms: no id is given before it has caught up`,
      {
        outcome: 'none',
        details: { cause: 'clock-back', backMs },
      },
    )
  }

  /** The next millisecond, ahead of the clock: all ids of the present one are given. */
  borrow(): void {
    this.#enter(this.#last + 1)
  }

  #enter(time: number): true {
    if (time < 0 || time > uuidTimeMax)
      throw new AlthingError(
        'unavailable',
        `the clock shows ${time} ms since 1970, but ids end at 2^48 - 1`,
        {
          outcome: 'none',
          retryable: false,
          details: { cause: 'clock-out-of-range' },
        },
      )
    this.#last = time
    return true
  }
}
