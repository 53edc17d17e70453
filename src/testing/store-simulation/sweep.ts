import type { RunReport } from './run-report.ts'

/** What the runs of many seeds came to. */
export interface SweepSummary {
  readonly seeds: number
  readonly failed: readonly RunReport[]
  /** Seeds of which some history could not be judged within its bounds. */
  readonly unknown: readonly number[]
  readonly virtualMs: number
  readonly steps: number
  readonly calls: number
  readonly entries: number
  /** How often each class of faults really happened. */
  readonly faults: Readonly<Record<string, number>>
  readonly reached: Readonly<Record<string, number>>
}

const failedMax = 100

/** Adds up the reports of a sweep, in any order. */
export class Sweep {
  readonly #failed: RunReport[] = []
  readonly #unknown: number[] = []
  readonly #faults: Record<string, number> = {}
  readonly #reached: Record<string, number> = {}
  #seeds = 0
  #virtualMs = 0
  #steps = 0
  #calls = 0
  #entries = 0

  get seeds(): number {
    return this.#seeds
  }

  get hasFailed(): boolean {
    return this.#failed.length > 0
  }

  get virtualMs(): number {
    return this.#virtualMs
  }

  add(report: RunReport): void {
    this.#seeds++
    this.#virtualMs += report.virtualMs
    this.#steps += report.steps
    this.#calls += report.calls
    this.#entries += report.entries
    addCounts(this.#faults, report.faults)
    addCounts(this.#reached, report.reached)
    if (report.verdict === 'unknown') this.#unknown.push(report.seed)
    if (report.verdict === 'violation' && this.#failed.length < failedMax) this.#failed.push(report)
  }

  summary(): SweepSummary {
    return {
      seeds: this.#seeds,
      failed: this.#failed.sort((a, b) => a.seed - b.seed),
      unknown: this.#unknown.sort((a, b) => a - b),
      virtualMs: this.#virtualMs,
      steps: this.#steps,
      calls: this.#calls,
      entries: this.#entries,
      faults: this.#faults,
      reached: this.#reached,
    }
  }
}

function addCounts(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
}
