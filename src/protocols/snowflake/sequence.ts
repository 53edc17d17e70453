import { composeSnowflake, type SnowflakeLayout } from './layout.ts'

/** What to do when the wall clock shows less than it has shown before. */
export type OnClockBack = 'wait' | 'borrow' | 'throw'

/** Why there is no id now. Times are in milliseconds. */
export type Refusal =
  /** So many ids were given that their time is `maxAheadMs` ahead of the clock. */
  | { readonly kind: 'ahead'; readonly waitMs: number }
  /** The clock stepped back by `backMs`. */
  | { readonly kind: 'clock-back'; readonly backMs: number }
  /** The id time asked for is not below the high-water mark. */
  | { readonly kind: 'window'; readonly time: number }
  /** The clock shows a time before the layout's epoch, or after its last. */
  | { readonly kind: 'out-of-range'; readonly time: number }

export interface SequenceOptions {
  readonly layout: SnowflakeLayout
  readonly onClockBack: OnClockBack
  /** How far ids may run ahead of the clock: in a burst, and with `borrow` after a step back too. */
  readonly maxAheadMs: number
}

/** Id times that belong to one worker id alone: `from <= time < until`, in milliseconds since the epoch of the layout. */
export interface IdWindow {
  readonly from: number
  readonly until: number
}

/**
 * The ids of one worker id, in order, as a pure machine: the time comes in with each call.
 *
 * Invariants: ids only grow, over all windows; the time of each lies within the window it was given in. Two machines whose windows (of one
 * worker id) do not overlap can therefore never give the same id, whatever their clocks show.
 *
 * A sequence that is used up goes on with the next millisecond, ahead of the clock by at most `maxAheadMs`. So a loop that is stopped for
 * a moment makes up for it, and the mean rate is 2^sequenceBits each millisecond.
 */
export class SnowflakeSequence {
  readonly #options: SequenceOptions
  readonly #node: { readonly datacentre: number; worker: number }
  readonly #sequenceMax: number
  readonly #timeEnd: number
  /** Time and sequence of the last id given; `#sequence` is at its maximum where none was given in `#time`. */
  #time = -1
  #sequence: number
  #id = -1n
  #until = 0
  /** The greatest time the clock has shown. */
  #clockMax = Number.NEGATIVE_INFINITY
  #refusal: Refusal = { kind: 'window', time: 0 }

  constructor(options: SequenceOptions, datacentre: number) {
    this.#options = options
    this.#node = { datacentre, worker: 0 }
    this.#sequenceMax = 2 ** options.layout.sequenceBits - 1
    this.#timeEnd = 2 ** options.layout.timeBits
    this.#sequence = this.#sequenceMax
  }

  /** Id time of the last id; -1 before the first. */
  get time(): number {
    return this.#time
  }

  get until(): number {
    return this.#until
  }

  /** Why the last call of {@link next} gave nothing. */
  get refusal(): Refusal {
    return this.#refusal
  }

  /** Goes on with another worker id, or another tenure of the same: with times of `window` that are greater than any so far. */
  enter(worker: number, window: IdWindow): void {
    this.#node.worker = worker
    this.#time = Math.max(this.#time, window.from - 1)
    this.#sequence = this.#sequenceMax
    this.#until = window.until
  }

  /** The window reaches as far as `until` now. */
  extend(until: number): void {
    if (until > this.#until) this.#until = until
  }

  /** Nothing is given before the next {@link enter}. */
  leave(): void {
    this.#until = 0
  }

  /** The next id, or `undefined`: {@link refusal} says why. `now` is what the clock shows, in milliseconds since the epoch. */
  next(now: number): bigint | undefined {
    if (now > this.#time) return this.#enterTime(now, now)
    if (now < this.#clockMax && !this.#mayBorrowOver(now)) return undefined
    if (this.#sequence < this.#sequenceMax)
      return this.nextInTime() ?? this.#refuse({ kind: 'window', time: this.#time })
    const waitMs = this.#time + 1 - now - this.#options.maxAheadMs
    if (waitMs > 0) return this.#refuse({ kind: 'ahead', waitMs })
    return this.#enterTime(this.#time + 1, now)
  }

  /** Another id of the millisecond of the last one, while there are any: for a caller that knows the time to be the same. */
  nextInTime(): bigint | undefined {
    if (this.#sequence >= this.#sequenceMax || this.#time >= this.#until) return undefined
    this.#sequence++
    this.#id += 1n
    return this.#id
  }

  #enterTime(time: number, now: number): bigint | undefined {
    if (time < 0 || time >= this.#timeEnd) return this.#refuse({ kind: 'out-of-range', time })
    if (now > this.#clockMax) this.#clockMax = now
    if (time >= this.#until) return this.#refuse({ kind: 'window', time })
    this.#time = time
    this.#sequence = 0
    this.#id = composeSnowflake(this.#options.layout, { time, ...this.#node, sequence: 0 })
    return this.#id
  }

  #mayBorrowOver(now: number): boolean {
    const { onClockBack, maxAheadMs } = this.#options
    if (onClockBack === 'borrow' && this.#time - now <= maxAheadMs) return true
    this.#refuse({ kind: 'clock-back', backMs: this.#clockMax - now })
    return false
  }

  #refuse(refusal: Refusal): undefined {
    this.#refusal = refusal
  }
}
