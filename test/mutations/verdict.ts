import type { Hunt } from './hunt.ts'

/** Whether the mistake was found by what is to find it: by something else it may have been luck. */
export function isFound({ mutation, invariant, failedTests }: Hunt): boolean {
  if (mutation.test !== undefined) return failedTests > 0
  return invariant !== undefined && mutation.expected?.includes(invariant) === true
}

export function verdictOf(hunt: Hunt): string {
  const { mutation, invariant, failedTests } = hunt
  if (mutation.test !== undefined) return failedTests > 0 ? `${failedTests} of its tests` : 'NOT FOUND'
  if (invariant === undefined) return 'NOT FOUND'
  return isFound(hunt) ? invariant : `${invariant} (UNEXPECTED)`
}

/** For the track record. */
export function table(hunts: readonly Hunt[]): string {
  return [
    '| mistake | file | source | first invariant to break | seeds | virtual time |',
    '| --- | --- | --- | --- | ---: | ---: |',
    ...hunts.map((hunt) => `| ${cells(hunt).join(' | ')} |`),
  ].join('\n')
}

function cells(hunt: Hunt): string[] {
  const { mutation, seeds, virtualMs } = hunt
  const { name, file, source, test } = mutation
  const found =
    test === undefined
      ? [verdictOf(hunt), String(seeds), `${(virtualMs / 60_000).toFixed(1)} min`]
      : [`${verdictOf(hunt)}: ${test}`, '', '']
  return [name, file, source, ...found]
}
