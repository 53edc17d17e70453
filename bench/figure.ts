import type { Goal } from './goals.ts'
import { formatNumber, formatTable } from './report.ts'
import { rounded, type Spread, roundedSpread, spreadOf } from './statistics.ts'

/** One thing that was measured on both sides, in the same rounds. */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** Whether a larger number is the better one. */
  readonly better: 'more' | 'less'
  /** One value a round, in the order of the rounds; empty when that side was not measured. */
  readonly ours: readonly number[]
  readonly peer: readonly number[]
  readonly goal?: Goal | undefined
}

export type Verdict = 'aim' | 'must' | 'no' | ''

/**
 * Ours divided by the peer's: the median of the rounds' own ratios, because both sides of one round saw the same machine. `null` when a side is
 * missing.
 */
export function ratioOf({ ours, peer }: Figure): number | null {
  const rounds = Math.min(ours.length, peer.length)
  const ratios = Array.from({ length: rounds }, (_, i) => (ours[i] as number) / (peer[i] as number))
  const usable = ratios.filter((ratio) => Number.isFinite(ratio))
  return usable.length === 0 ? null : rounded(spreadOf(usable).median)
}

/** Which of its goals the figure meets; empty when it has none, or was not measured against the peer. */
export function verdictOf(figure: Figure): Verdict {
  const ratio = ratioOf(figure)
  const { goal, better } = figure
  if (goal === undefined || ratio === null) return ''
  const meets = (bound: number): boolean => (better === 'more' ? ratio >= bound : ratio <= bound)
  if (goal.aim !== undefined && meets(goal.aim)) return 'aim'
  return meets(goal.must) ? 'must' : 'no'
}

/** What the JSON report holds of a figure. */
export function reportOf(figure: Figure): Readonly<Record<string, unknown>> {
  const { name, unit, better, ours, peer, goal } = figure
  return {
    name,
    unit,
    better,
    ours: spreadOrNull(ours),
    peer: spreadOrNull(peer),
    ratio: ratioOf(figure),
    ...(goal === undefined ? {} : { must: goal.must, aim: goal.aim ?? null, met: verdictOf(figure) || null }),
    rounds: { ours: ours.map(rounded), peer: peer.map(rounded) },
  }
}

export function tableOfFigures(figures: readonly Figure[]): string {
  const head = ['', 'unit', 'ours', 'peer', 'ours/peer', 'must', 'aim', 'met']
  return formatTable(head, figures.map(rowOf))
}

function rowOf(figure: Figure): string[] {
  const { name, unit, better, ours, peer, goal } = figure
  const ratio = ratioOf(figure)
  const sign = better === 'more' ? '>=' : '<='
  const verdict = verdictOf(figure)
  return [
    name,
    unit,
    formatSide(ours),
    formatSide(peer),
    ratio === null ? '' : ratio.toFixed(2),
    goal === undefined ? '' : `${sign} ${goal.must}`,
    goal?.aim === undefined ? '' : `${sign} ${goal.aim}`,
    verdict === '' ? '' : verdict === 'no' ? 'NO' : `yes (${verdict})`,
  ]
}

function formatSide(values: readonly number[]): string {
  const spread = spreadOrNull(values)
  if (spread === null) return '-'
  const { median, min, max } = spread
  return `${formatNumber(median)} (${formatNumber(min)} .. ${formatNumber(max)})`
}

function spreadOrNull(values: readonly number[]): Spread | null {
  const finite = values.filter((value) => Number.isFinite(value))
  return finite.length === 0 ? null : roundedSpread(spreadOf(finite))
}
