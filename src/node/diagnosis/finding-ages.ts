import type { Finding } from './finding.ts'

/** Findings remembered; there are some for each member, and a few for each group that is in trouble. */
const findingsMax = 2_000

/** Remembers since when each thing has been wrong, from one examination to the next. */
export class FindingAges {
  readonly #sinceMs = new Map<string, number>()

  /** The same findings, each that is wrong with the time for which it has been: measured where the finding itself says so, else since it was first found. */
  add(findings: readonly Finding[], nowMs: number): Finding[] {
    const wrong = findings.filter(({ severity }) => severity !== 'ok').slice(0, findingsMax)
    const present = new Set(wrong.map(keyOf))
    for (const key of this.#sinceMs.keys()) if (!present.has(key)) this.#sinceMs.delete(key)
    for (const key of present) if (!this.#sinceMs.has(key)) this.#sinceMs.set(key, nowMs)
    return findings.map((finding) => {
      const sinceMs = this.#sinceMs.get(keyOf(finding))
      if (finding.severity === 'ok' || finding.forMs !== undefined || sinceMs === undefined) return finding
      return { ...finding, forMs: Math.round(nowMs - sinceMs) }
    })
  }
}

/** The findings with the ages that others, who have looked for longer, know of the same ones. */
export function withKnownAges(findings: readonly Finding[], others: readonly Finding[]): Finding[] {
  const ages = new Map<string, number>()
  for (const other of others) {
    const { forMs = 0, severity } = other
    if (severity !== 'ok') ages.set(keyOf(other), Math.max(forMs, ages.get(keyOf(other)) ?? 0))
  }
  return findings.map((finding) => {
    const forMs = ages.get(keyOf(finding))
    return finding.severity === 'ok' || finding.forMs !== undefined || forMs === undefined
      ? finding
      : { ...finding, forMs }
  })
}

/** One thing that can be wrong, however bad it is at the moment. */
function keyOf({ check, node, subject }: Finding): string {
  return JSON.stringify([check, node, subject])
}
