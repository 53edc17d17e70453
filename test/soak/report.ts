import { flatGrowthMax, type MemoryCourse } from './memory.ts'

export interface SoakReport {
  readonly seed: string
  readonly minutes: number
  /** What was upgraded, or why nothing was. */
  readonly upgrade: string
  readonly disk: string
  /** How often each was made. */
  readonly faults: Readonly<Record<string, number>>
  readonly calls: {
    readonly ok: number
    readonly failed: number
    readonly unknown: number
    readonly failuresByCode: Readonly<Record<string, number>>
  }
  /** Histories judged. */
  readonly windows: number
  readonly longestMsWithoutWrite: number
  /** At the end, as the leader says; absent when nobody leads any more. */
  readonly store?: { readonly keys: number; readonly revision: number; readonly compactRevision: number }
  readonly members: readonly number[]
  readonly memory: readonly (MemoryCourse & { readonly isVeteran: boolean })[]
  readonly problems: readonly string[]
  readonly isHeld: boolean
}

/** Memory that grew is no violation of a promise to a client, but a failure of the soak all the same. A node that was restarted began anew: it is shown, not judged. */
export function isPassed({ isHeld, memory }: SoakReport): boolean {
  return isHeld && memory.every(({ isFlat, isVeteran }) => !isVeteran || isFlat !== false)
}

export function formatReport(report: SoakReport): string {
  const { calls, store, problems } = report
  const codes = Object.entries(calls.failuresByCode).map(([code, count]) => `${code} ${count}`)
  return [
    `soak of ${report.minutes.toFixed(1)} minutes, seed ${report.seed}`,
    `upgrade   ${report.upgrade}`,
    `disk      ${report.disk}`,
    ...Object.entries(report.faults).map(([kind, count]) => `fault     ${kind.padEnd(20)} ${count}`),
    `calls     ${calls.ok} ok, ${calls.failed} failed, ${calls.unknown} unknown (${codes.join(', ') || 'none failed'})`,
    `longest time without a write: ${report.longestMsWithoutWrite} ms`,
    ...(store === undefined
      ? []
      : [`store     ${store.keys} keys, revision ${store.revision}, compacted to ${store.compactRevision}`]),
    `members   ${report.members.join(', ')}`,
    ...memoryTable(report),
    `flat: median resident memory of the last fifth of the time is at most ${flatGrowthMax} times that of the third fifth`,
    ...problems.map((problem) => `VIOLATION ${problem}`),
    problems.length === 0
      ? `every acknowledged write is there, and ${report.windows} windows are linearizable`
      : `${problems.length} violations in ${report.windows} windows`,
    '',
  ].join('\n')
}

function memoryTable({ memory }: SoakReport): string[] {
  const header = ['node', 'rss 10%', '50%', '100%', 'heap 10%', '50%', '100%', 'growth', 'verdict']
  const rows = memory.map(({ node, isVeteran, residentAt, heapAt, growth, isFlat }) => [
    `${node}${isVeteran ? ' (never restarted)' : ''}`,
    ...[residentAt.tenth, residentAt.half, residentAt.end].map(mebibytes),
    ...[heapAt.tenth, heapAt.half, heapAt.end].map(mebibytes),
    growth === undefined ? '-' : growth.toFixed(2),
    isVeteran ? verdictOn(isFlat) : 'restarted',
  ])
  return ['memory in MiB', ...[header, ...rows].map(line)]
}

function verdictOn(isFlat: boolean | undefined): string {
  if (isFlat === undefined) return 'too short'
  return isFlat ? 'flat' : 'GROWS'
}

function line([first = '', ...rest]: readonly string[]): string {
  return `  ${first.padEnd(20)}${rest.map((cell) => cell.padStart(10)).join('')}`
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? '-' : (bytes / 1024 ** 2).toFixed(0)
}
