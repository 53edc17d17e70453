import type { ConformanceBed } from './bed.ts'
import type { ConformanceCase } from './conformance-case.ts'

export interface ConformanceResult {
  readonly case: ConformanceCase
  /** `absent`: the case does not apply, for the reason that it states. */
  readonly status: 'passed' | 'failed' | 'absent'
  readonly error?: unknown
}

export interface ConformanceReport {
  readonly passed: readonly ConformanceResult[]
  readonly failed: readonly ConformanceResult[]
  readonly absent: readonly ConformanceResult[]
}

/** Runs the cases one after the other, for programs that have no test runner. Never rejects because of a case. */
export async function runConformance(
  cases: readonly ConformanceCase[],
  bed: ConformanceBed,
  onResult: (result: ConformanceResult) => void = () => {},
): Promise<ConformanceReport> {
  const results: ConformanceResult[] = []
  for (const each of cases) {
    const result = await runCase(each, bed)
    results.push(result)
    onResult(result)
  }
  const having = (status: ConformanceResult['status']): ConformanceResult[] =>
    results.filter((result) => result.status === status)
  return { passed: having('passed'), failed: having('failed'), absent: having('absent') }
}

async function runCase(each: ConformanceCase, bed: ConformanceBed): Promise<ConformanceResult> {
  if (each.absence !== undefined) return { case: each, status: 'absent' }
  try {
    await each.run(bed)
    return { case: each, status: 'passed' }
  } catch (error) {
    return { case: each, status: 'failed', error }
  }
}
