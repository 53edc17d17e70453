/** How long after a kill the silence may begin: answers that were on their way still arrive. */
const onTheWayMs = 250

export interface OutageReport {
  readonly kills: number
  readonly medianMs: number | null
  readonly maxMs: number | null
  readonly outagesMs: readonly number[]
}

/** Measures, from the times at which writes were acknowledged, for how long there were none after a leader was killed. */
export class OutageMeter {
  readonly #acknowledgedMs: number[] = []
  readonly #killedMs: number[] = []

  acknowledged(nowMs: number): void {
    this.#acknowledgedMs.push(nowMs)
  }

  leaderKilled(nowMs: number): void {
    this.#killedMs.push(nowMs)
  }

  /** Acknowledgements after `sinceMs`. */
  countSince(sinceMs: number): number {
    return this.#acknowledgedMs.filter((ms) => ms > sinceMs).length
  }

  report(): OutageReport {
    const outagesMs = this.#killedMs.flatMap((killedMs) => this.#silenceAfter(killedMs) ?? [])
    const sorted = outagesMs.toSorted((a, b) => a - b)
    return {
      kills: this.#killedMs.length,
      medianMs: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
      maxMs: sorted.at(-1) ?? null,
      outagesMs,
    }
  }

  /** The longest pause between two acknowledgements that began at the kill or just after it. */
  #silenceAfter(killedMs: number): number | undefined {
    let fromMs = killedMs
    let longest: number | undefined
    for (const ms of this.#acknowledgedMs) {
      if (ms <= killedMs) continue
      longest = Math.max(longest ?? 0, Math.round(ms - fromMs))
      if (ms > killedMs + onTheWayMs) break
      fromMs = ms
    }
    return longest
  }
}
