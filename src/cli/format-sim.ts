import type { RunReport } from '../testing/store-simulation/run-report.ts'
import type { Sweep, SweepSummary } from '../testing/store-simulation/sweep.ts'

export function describeProgress(sweep: Sweep, total: number, elapsedMs: number): string {
  const pace = `${perSecond(sweep.seeds, elapsedMs)} seeds/s, ${hours(sweep.virtualMs)} simulated hours`
  return `${sweep.seeds} of ${total} seeds, ${pace}${sweep.hasFailed ? ', FAILED' : ''}\n`
}

export function describeFailure({ seed, violation, configuration }: RunReport, replay: string): string {
  if (violation === undefined) return ''
  const lines = [
    `seed ${seed} breaks ${violation.invariant}`,
    `  ${violation.message}`,
    `  ${configuration.nodes} ${configuration.nodes === 1 ? 'node' : 'nodes'}; faults: ${configuration.faults.join(', ') || 'none'}`,
    `  replay: ${replay}`,
  ]
  const more = violation.explanation.trimEnd()
  return `${lines.join('\n')}\n${more === '' ? '' : `${more}\n`}\n`
}

export function describeSummary(summary: SweepSummary, elapsedMs: number): string {
  const { seeds, failed, unknown, virtualMs, steps, calls, entries } = summary
  const lines = [
    `${seeds} seeds in ${(elapsedMs / 1000).toFixed(1)} s: ${perSecond(seeds, elapsedMs)} seeds/s, ${hours(virtualMs)} simulated hours`,
    `${calls} calls of clients, ${entries} entries committed, ${steps} steps judged`,
    `faults that happened: ${describeCounts(summary.faults)}`,
    `reached: ${describeCounts(summary.reached)}`,
  ]
  if (unknown.length > 0) lines.push(`not judged within their bounds: seeds ${unknown.join(', ')}`)
  lines.push(
    failed.length === 0
      ? 'every invariant held'
      : `${failed.length} seeds broke an invariant: ${failed.map(({ seed }) => seed).join(', ')}`,
  )
  return `${lines.join('\n')}\n`
}

function describeCounts(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

function perSecond(count: number, elapsedMs: number): string {
  return (count / Math.max(0.001, elapsedMs / 1000)).toFixed(1)
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(2)
}
