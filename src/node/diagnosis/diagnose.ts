import { clusterCapabilities } from '../../engines/cluster/cluster-capabilities.ts'
import { clusterFindings } from './cluster-findings.ts'
import type { Examination, Finding, Severity } from './finding.ts'
import { guaranteeFindings } from './guarantee-findings.ts'
import { machineFindings } from './machine-findings.ts'
import { safetyFindings } from './safety-findings.ts'
import { storeFindings } from './store-findings.ts'

const order: readonly Severity[] = ['problem', 'warning', 'ok']

/** What the figures say, most serious first: for `althing doctor`, the health page and its API alike. */
export function diagnose(examination: Examination): Finding[] {
  const { members, accepted, nowMs } = examination
  const findings = [
    ...clusterFindings(members),
    ...storeFindings(members),
    ...(accepted === undefined ? [] : guaranteeFindings(clusterCapabilities, accepted, nowMs)),
    ...safetyFindings(examination),
    ...machineFindings(examination),
  ]
  return bySeverity(findings)
}

/** Most serious first. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}
