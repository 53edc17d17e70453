import { invalidArgument } from '../../contracts/errors.ts'
import type { FailureDetector } from './failure-detector.ts'

export interface PhiAccrualOptions {
  /** From this phi on the process is suspected (default 8): by the model one mistake in 10^8 heartbeats. */
  readonly threshold: number
  /** Heartbeats whose intervals are remembered (default 200). */
  readonly windowSize: number
  /** The intervals are never taken for more regular than that (default 100): a quiet hour must not make it rash. */
  readonly deviationMsMin: number
  /** A pause that is nothing out of the ordinary, such as a garbage collection (default 0); it is added to the mean. */
  readonly acceptablePauseMs: number
  /** Believed before any interval was seen (default 1,000), with a quarter of it as deviation. */
  readonly firstIntervalMs: number
}

/**
 * The phi accrual failure detector (Hayashibara, Défago, Yared, Katayama 2004): phi = -log10 of the probability that a heartbeat comes later than now, if the intervals are distributed
 * normally with the mean and the deviation of those in a window. A phi of 1 is wrong one time in ten, of 2 one in a hundred, as far as the model holds. It adapts to the network;
 * deviation floor, pause and first estimate are those that Akka and Cassandra added in practice.
 */
export class PhiAccrualDetector implements FailureDetector {
  readonly threshold: number
  readonly #options: Omit<PhiAccrualOptions, 'threshold'>
  readonly #window: Float64Array
  #count = 0
  #next = 0
  #lastMs: number | undefined

  /** Throws `invalid-argument`. */
  constructor(options: Partial<PhiAccrualOptions> = {}) {
    const { threshold = 8, windowSize = 200, deviationMsMin = 100 } = options
    const { acceptablePauseMs = 0, firstIntervalMs = 1_000 } = options
    check('threshold', threshold, 0.1, 300)
    check('windowSize', windowSize, 2, 100_000)
    check('deviationMsMin', deviationMsMin, 0.001, 3_600_000)
    check('acceptablePauseMs', acceptablePauseMs, 0, 3_600_000)
    check('firstIntervalMs', firstIntervalMs, 1, 3_600_000)
    this.threshold = threshold
    this.#options = { windowSize, deviationMsMin, acceptablePauseMs, firstIntervalMs }
    this.#window = new Float64Array(Math.floor(windowSize))
    this.#add(0.75 * firstIntervalMs)
    this.#add(1.25 * firstIntervalMs)
  }

  heartbeat(nowMs: number): void {
    const last = this.#lastMs
    this.#lastMs = nowMs
    // The silence that ended a suspicion says nothing about the usual interval.
    if (last !== undefined && !this.#isSuspectedAfter(nowMs - last)) this.#add(nowMs - last)
  }

  /** Phi. */
  suspicion(nowMs: number): number {
    return this.#lastMs === undefined ? 0 : this.#phi(nowMs - this.#lastMs)
  }

  isSuspected(nowMs: number): boolean {
    return this.suspicion(nowMs) >= this.threshold
  }

  get meanMs(): number {
    let sum = 0
    for (let i = 0; i < this.#count; i++) sum += this.#window[i] as number
    return sum / this.#count
  }

  #isSuspectedAfter(silenceMs: number): boolean {
    return this.#phi(silenceMs) >= this.threshold
  }

  #add(intervalMs: number): void {
    this.#window[this.#next] = intervalMs
    this.#next = (this.#next + 1) % this.#window.length
    this.#count = Math.min(this.#count + 1, this.#window.length)
  }

  #phi(silenceMs: number): number {
    const mean = this.meanMs
    let squares = 0
    for (let i = 0; i < this.#count; i++) squares += ((this.#window[i] as number) - mean) ** 2
    const deviation = Math.max(this.#options.deviationMsMin, Math.sqrt(squares / this.#count))
    return phiOf((silenceMs - mean - this.#options.acceptablePauseMs) / deviation)
  }
}

/** -log10 of the upper tail of the normal distribution at `z` deviations; grows without end and never falls. */
function phiOf(z: number): number {
  // Far out the tail is below what a double holds: its asymptotic form instead, which is met there to three digits.
  if (z > 8) return (z * z) / 2 / Math.LN10 + Math.log10(z * Math.sqrt(2 * Math.PI))
  return -Math.log10(upperTail(z))
}

/** 1 - the distribution function, by the continued fraction of W. J. Lentz for z >= 2 and the power series below. */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z)
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
  if (z >= 2) {
    let fraction = z
    for (let k = 60; k >= 1; k--) fraction = z + k / fraction
    return density / fraction
  }
  let term = z
  let sum = z
  for (let k = 1; k < 60; k++) {
    term *= (z * z) / (2 * k + 1)
    sum += term
  }
  return 0.5 - density * sum
}

function check(field: string, value: number, min: number, max: number): void {
  if (!(value >= min && value <= max)) throw invalidArgument(field, value, `${min} to ${max}`)
}
