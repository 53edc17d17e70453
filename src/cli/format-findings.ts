import type { Finding, Severity } from '../node/diagnosis/finding.ts'

export function formatFindings(findings: readonly Finding[]): string {
  const marks: Readonly<Record<Severity, string>> = { ok: 'ok     ', warning: 'WARNING', problem: 'PROBLEM' }
  return findings
    .map(
      ({ severity, message, advice }) =>
        `${marks[severity]}  ${message}\n${advice === undefined ? '' : `         -> ${advice}\n`}`,
    )
    .join('')
}
