// Counters that only grow, made into rates over the last minutes, and what is measured, as it is. Pure.

/** Five minutes at one a second. */
export const pointsMax = 300

/** Column by column, as the charts want it. Immutable. */
export interface RateHistory {
  /** Wall time, seconds. */
  readonly times: readonly number[]
  readonly rates: Readonly<Record<string, readonly (number | null)[]>>
  /** The counters of the last sample. */
  readonly last: { readonly atMs: number; readonly counters: Counters } | undefined
}

export type Counters = Readonly<Record<string, number | undefined>>

export const emptyHistory: RateHistory = { times: [], rates: {}, last: undefined }

/** Longer than this between two samples is a gap, not a rate. */
const gapMs = 10_000

/**
 * Adds the rates, per second, since the last sample, and the gauges as they are. A counter that is not given, or that went back (its process was started anew), gives a gap.
 */
export function addSample(
  history: RateHistory,
  atMs: number,
  counters: Counters,
  gauges: Counters = {},
): RateHistory {
  const { last } = history
  if (last === undefined) return { ...history, last: { atMs, counters } }
  const elapsedMs = atMs - last.atMs
  if (elapsedMs <= 0) return history
  const names = new Set([...Object.keys(history.rates), ...Object.keys(counters), ...Object.keys(gauges)])
  const rates: Record<string, readonly (number | null)[]> = {}
  for (const name of names) {
    const column = history.rates[name] ?? history.times.map(() => null)
    const rate = elapsedMs > gapMs ? null : rateOf(last.counters[name], counters[name], elapsedMs)
    rates[name] = [...column, gauges[name] ?? rate].slice(-pointsMax)
  }
  return { times: [...history.times, atMs / 1_000].slice(-pointsMax), rates, last: { atMs, counters } }
}

function rateOf(from: number | undefined, to: number | undefined, elapsedMs: number): number | null {
  if (from === undefined || to === undefined || to < from) return null
  return ((to - from) * 1_000) / elapsedMs
}

/** The newest rate; `undefined` when there is none. */
export function latestRate(history: RateHistory, name: string): number | undefined {
  return history.rates[name]?.at(-1) ?? undefined
}
