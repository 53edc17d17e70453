/** A length of time: a number of milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | string

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Milliseconds of `duration`; `undefined` when it is neither a finite number >= 0 nor a text of the stated form. */
export function parseDurationMs(duration: Duration): number | undefined {
  if (typeof duration === 'number') return Number.isFinite(duration) && duration >= 0 ? duration : undefined
  const match = pattern.exec(duration)
  const factor = unitMs[match?.[2] ?? '']
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor
}

/** A short text for people: `850ms`, `1.5s`, `3m 20s`, `2h 5m`, `4d 1h`. */
export function formatDurationMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${Math.round(ms / 100) / 10}s`
  const units = Object.entries(unitMs).reverse()
  for (let i = 0; i < units.length - 1; i++) {
    const [name, size] = units[i] as [string, number]
    const [nextName, nextSize] = units[i + 1] as [string, number]
    if (ms < size) continue
    const rest = Math.floor((ms % size) / nextSize)
    return `${Math.floor(ms / size)}${name}${rest > 0 ? ` ${rest}${nextName}` : ''}`
  }
  return `${Math.round(ms)}ms`
}
