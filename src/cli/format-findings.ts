import { formatDurationMs } from '../base/duration.ts'
import type { Finding, Severity } from '../node/diagnosis/finding.ts'

const marks: Readonly<Record<Severity, string>> = { ok: 'ok     ', warning: 'WARNING', problem: 'PROBLEM' }
const indent = '         '
/** What has just begun needs no age. */
const shownMs = 5_000

/** What is wrong, since when, what to do, and the command that does it. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map(formatFinding).join('')
}

function formatFinding({ severity, message, advice, command, forMs }: Finding): string {
  const age = forMs === undefined || forMs < shownMs ? '' : ` (for ${formatDurationMs(forMs)})`
  const lines = [`${marks[severity]}  ${message}${age}`]
  if (advice !== undefined) lines.push(`${indent}-> ${advice}`)
  if (severity !== 'ok' && command !== undefined) lines.push(`${indent}   ${command}`)
  return lines.map((line) => `${line}\n`).join('')
}
