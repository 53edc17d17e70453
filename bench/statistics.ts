/** What several rounds of one measurement gave. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('spreadOf needs at least one value')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] as number
  const lower = sorted[Math.ceil(middle) - 1] as number
  return { median: (lower + upper) / 2, min: sorted[0] as number, max: sorted.at(-1) as number }
}

/** `value` with three significant digits, as a number. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

export function roundedSpread({ median, min, max }: Spread): Spread {
  return { median: rounded(median), min: rounded(min), max: rounded(max) }
}
