import { checkDefaults } from './check-plan.ts'
import type { CheckTiming } from './check-types.ts'
import type { HealthResult, HealthState, InstanceHealth } from './discovery-types.ts'

type HealthThresholds = Pick<
  CheckTiming,
  'unhealthyAfter' | 'healthyAfter' | 'flapChangesMax' | 'flapWindowMs'
>

const resultsKept = 8

/**
 * Makes a verdict out of single results. Pure: time comes with each result.
 *
 * A verdict changes only after several results in a row that speak against it. A verdict that changes too often is *flapping*: the instance
 * is then held at unhealthy until it has not changed for a whole window, so that load is not thrown back and forth.
 */
export class HealthTracker {
  readonly #thresholds: HealthThresholds
  #verdict: HealthState
  #row: { readonly ok: boolean; readonly length: number } = { ok: true, length: 0 }
  /** Times of the last changes of the verdict, at most `flapChangesMax + 1`. */
  #changesMs: readonly number[] = []
  #isFlapping = false
  #results: readonly HealthResult[] = []

  /** Goes on from `initial`: with its state and results, but not with the times of its changes. */
  constructor(
    initial: HealthState | InstanceHealth,
    thresholds: HealthThresholds = checkDefaults,
    nowMs = 0,
  ) {
    const { state, results, flapping } =
      typeof initial === 'string' ? { state: initial, results: [], flapping: false } : initial
    this.#verdict = state
    this.#results = results.slice(0, resultsKept)
    this.#thresholds = thresholds
    this.#isFlapping = flapping
    // Held for a whole quiet window more, as who held it before would have at most.
    if (flapping) this.#changesMs = [nowMs]
  }

  get health(): InstanceHealth {
    const state = this.#isFlapping ? 'unhealthy' : this.#verdict
    return { state, flapping: this.#isFlapping, results: this.#results }
  }

  /** Takes a result in; true when the health that others see has changed. */
  record(result: HealthResult, nowMs: number): boolean {
    const before = this.health
    this.#results = [result, ...this.#results].slice(0, resultsKept)
    const length = this.#row.ok === result.ok ? this.#row.length + 1 : 1
    this.#row = { ok: result.ok, length }
    this.#judge(nowMs)
    this.#damp(nowMs)
    return before.state !== this.health.state || before.flapping !== this.#isFlapping
  }

  #judge(nowMs: number): void {
    const { ok, length } = this.#row
    const { healthyAfter, unhealthyAfter, flapChangesMax } = this.#thresholds
    const verdict = ok ? 'healthy' : 'unhealthy'
    if (verdict === this.#verdict || length < (ok ? healthyAfter : unhealthyAfter)) return
    // The first verdict of all is no change of mind.
    if (this.#verdict !== 'unknown') this.#changesMs = [...this.#changesMs, nowMs].slice(-flapChangesMax - 1)
    this.#verdict = verdict
  }

  #damp(nowMs: number): void {
    const { flapChangesMax, flapWindowMs } = this.#thresholds
    const recent = this.#changesMs.filter((changeMs) => nowMs - changeMs < flapWindowMs)
    if (recent.length > flapChangesMax) this.#isFlapping = true
    else if (recent.length === 0) this.#isFlapping = false
  }
}
