// Numbers, sizes and times as people read them. Pure: the locale is an argument.

export const none = '–'

export function formatCount(value: number, locale: string): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }).format(value)
}

/** At most three digits that count: `0`, `0.4`, `12.5`, `1,240`, `1.2M`. */
export function formatRate(value: number, locale: string): string {
  if (value >= 100_000) {
    return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value)
  }
  return new Intl.NumberFormat(locale, { maximumFractionDigits: value < 100 ? 1 : 0 }).format(value)
}

export function formatPercent(share: number, locale: string): string {
  // Rounded down: 100 % is only said when it is all.
  const floored = Math.floor(share * 1_000) / 1_000
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 }).format(floored)
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB'] as const

export function formatBytes(bytes: number, locale: string): string {
  const step = Math.min(byteUnits.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** step
  const digits = step === 0 || value >= 100 ? 0 : 1
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)} ${byteUnits[step]}`
}

/** A latency: `0.8 ms`, `14 ms`, `1.20 s`. */
export function formatLatency(ms: number, locale: string): string {
  const number = (value: number, digits: number) =>
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
      value,
    )
  if (ms >= 1_000) return `${number(ms / 1_000, 2)} s`
  return `${number(ms, ms < 10 ? 1 : 0)} ms`
}

const durationUnits = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const

/** A length of time in its two largest units: `2 hr 5 min`, `14 sec`. Never negative. */
export function formatDuration(ms: number, locale: string): string {
  const clamped = Math.max(0, ms)
  const first = durationUnits.findIndex(([, length]) => clamped >= length)
  const start = first === -1 ? durationUnits.length - 1 : first
  let rest = clamped
  const parts: string[] = []
  for (const [unit, length] of durationUnits.slice(start, start + 2)) {
    const amount = Math.floor(rest / length)
    rest -= amount * length
    if (amount > 0 || parts.length === 0) {
      const format = new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' })
      parts.push(format.format(amount))
    }
  }
  return parts.join(' ')
}

export function formatClock(wallMs: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: 'medium', hourCycle: 'h23' }).format(wallMs)
}

export function formatMoment(wallMs: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'medium',
    hourCycle: 'h23',
  }).format(wallMs)
}
