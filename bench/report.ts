import type { Spread } from './statistics.ts'

/** The object on the last line of a run with `--json`. */
export interface AreaResult {
  readonly area: string
  /** Median; `null` when ours could not run. */
  readonly ours: number | null
  /** Median; `null` when the peer could not run. */
  readonly peer: number | null
  /** Over 1 means that ours is better, whether more or less is better. */
  readonly ratio: number | null
  readonly unit: string
  /** How it was measured, with every figure behind the medians. */
  readonly setup: Readonly<Record<string, unknown>>
}

/** Columns of equal width, numbers to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(lineOf).join('\n')
}

export function formatSpread({ median, min, max }: Spread): string {
  return `${formatNumber(median)} (${formatNumber(min)} .. ${formatNumber(max)})`
}

export function formatNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
