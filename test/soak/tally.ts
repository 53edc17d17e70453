import { isAlthingError } from 'althing'

/** How calls ended, and what went wrong that no fault explains. */
export class Tally {
  ok = 0
  /** Surely without effect. */
  failed = 0
  unknown = 0
  readonly byCode = new Map<string, number>()
  /** Each is a violation. */
  readonly problems: string[] = []
  /** Monotonic time of the newest acknowledged write. */
  lastWriteMs: number | undefined
  longestSilenceMs = 0
  readonly #report: (text: string) => void

  constructor(report: (text: string) => void) {
    this.#report = report
  }

  get calls(): number {
    return this.ok + this.failed + this.unknown
  }

  wrote(nowMs: number): void {
    this.longestSilenceMs = Math.max(this.longestSilenceMs, nowMs - (this.lastWriteMs ?? nowMs))
    this.lastWriteMs = nowMs
  }

  /** Counts a failure of a call. Those that may happen under faults are of some codes only. */
  rejected(error: unknown, expected: ReadonlySet<string>): void {
    const isOurs = isAlthingError(error)
    if (isOurs && error.outcome === 'none') this.failed += 1
    else this.unknown += 1
    const code = isOurs ? error.code : 'no-althing-error'
    this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1)
    if (!isOurs || !(error.retryable || expected.has(code))) this.problem(`a call failed: ${String(error)}`)
  }

  problem(text: string): void {
    this.problems.push(text)
    this.#report(`VIOLATION: ${text}`)
  }
}
