/** `unknown`: a bound was reached before an answer was found. It is not `ok`. */
export type Verdict = 'ok' | 'violation' | 'unknown'

/** Something that a history should not hold, for people and for programs. */
export interface Finding {
  /** Name of the guarantee that is broken. */
  readonly guarantee: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Findings kept of one check; the rest are counted. */
export const findingsMax = 100

/** The answer of a checker that looks for broken guarantees one by one. */
export interface FindingsResult {
  readonly verdict: 'ok' | 'violation'
  /** Up to {@link findingsMax}. */
  readonly findings: readonly Finding[]
  /** All of them. */
  readonly findingsCount: number
}

export class FindingsCollector {
  readonly #findings: Finding[] = []
  #count = 0

  add(guarantee: string, message: string, details?: Readonly<Record<string, unknown>>): void {
    this.#count += 1
    if (this.#findings.length >= findingsMax) return
    this.#findings.push({ guarantee, message, ...(details === undefined ? {} : { details }) })
  }

  result(): FindingsResult {
    return {
      verdict: this.#count === 0 ? 'ok' : 'violation',
      findings: this.#findings,
      findingsCount: this.#count,
    }
  }
}
