import type { Clock } from '../../contracts/world.ts'

/** Virtual time 0 is this point of the calendar: 2030-01-01T00:00:00Z. */
export const epochMs = 1_893_456_000_000

/** More often than this no program reads its clock at one moment that ever lets others have their turn. */
const readingsMax = 1_000_000

/**
 * The clock of one machine: its oscillator runs at `rate` times true time, and its calendar can be stepped. It goes on
 * while the process is paused or down.
 */
export class SimulatedClock implements Clock {
  readonly #nowUs: () => number
  #rate = 1
  #anchorTrueUs: number
  #anchorLocalUs: number
  /** What the wall clock shows when the monotonic one shows zero. */
  #wallOffsetMs: number
  readonly #stuck: (message: string) => void
  #readAtUs = -1
  #readings = 0

  /** `originMs`: what the monotonic clock shows now. `stuck` is called when it is read for ever, so that time cannot go on. */
  constructor(nowUs: () => number, originMs: number, stuck: (message: string) => void = () => {}) {
    this.#nowUs = nowUs
    this.#stuck = stuck
    this.#anchorTrueUs = nowUs()
    this.#anchorLocalUs = originMs * 1000
    this.#wallOffsetMs = epochMs + nowUs() / 1000 - originMs
  }

  /** Seconds that this clock counts in a true second. */
  get rate(): number {
    return this.#rate
  }

  /** Drift: 1.01 is one percent fast. What the clock shows now does not jump. */
  setRate(rate: number): void {
    this.#anchorLocalUs = this.#localUs()
    this.#anchorTrueUs = this.#nowUs()
    this.#rate = rate
  }

  /** Steps the wall clock, forwards or back. The monotonic clock is not moved. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  monotonicMs(): number {
    this.#countReading()
    return this.#localUs() / 1000
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.monotonicMs())
  }

  /** True microseconds until this clock shows `monotonicMs`, at its present rate; 0 when it shows it already. */
  trueUsUntil(monotonicMs: number): number {
    return Math.max(0, Math.ceil((monotonicMs * 1000 - this.#localUs()) / this.#rate - 1e-3))
  }

  #countReading(): void {
    const nowUs = this.#nowUs()
    if (nowUs !== this.#readAtUs) this.#readings = 0
    this.#readAtUs = nowUs
    if (++this.#readings <= readingsMax) return
    const message = `the clock was read ${readingsMax} times at one moment: a loop that lets go of nothing`
    this.#stuck(message)
    throw new Error(message)
  }

  #localUs(): number {
    return this.#anchorLocalUs + (this.#nowUs() - this.#anchorTrueUs) * this.#rate
  }
}
