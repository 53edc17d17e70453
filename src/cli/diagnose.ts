import { formatDurationMs } from '../base/duration.ts'
import { leaderAmong, type MemberAnswer } from './ask-members.ts'
import { statusProblems } from './format-status.ts'

export type Severity = 'ok' | 'warning' | 'problem'

/** One thing that the doctor looked at. */
export interface Finding {
  readonly check: 'cluster' | 'quorum' | 'clock' | 'disk' | 'event-loop' | 'version' | 'lag'
  readonly severity: Severity
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
}

export interface Examination {
  readonly members: readonly MemberAnswer[]
  /** Measured here, in the data folder. */
  readonly disk?: { readonly folder: string; readonly p50Ms: number; readonly p99Ms: number }
}

/** Clocks further apart than this make the times in locks, logs and traces misleading. No decision of Althing rests on them. */
const clockSkewMsMax = 500
const loopDelayMsWarning = 50
const loopDelayMsProblem = 500
const diskSyncMsWarning = 10
const diskSyncMsProblem = 100
const lagEntriesMax = 10_000

/** What the figures say, most serious first. */
export function diagnose(examination: Examination): Finding[] {
  const { members } = examination
  const findings = [
    ...clusterFindings(members),
    quorumFinding(members),
    ...clockFindings(members),
    ...loopFindings(members),
    ...diskFindings(examination),
    ...versionFindings(members),
    ...lagFindings(members),
  ]
  const order: readonly Severity[] = ['problem', 'warning', 'ok']
  return findings.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}

function clusterFindings(members: readonly MemberAnswer[]): Finding[] {
  const problems = statusProblems(members)
  const leader = leaderAmong(members)
  if (problems.length === 0 && leader !== undefined) {
    return [
      {
        check: 'cluster',
        severity: 'ok',
        message: `${members.length} of ${members.length} nodes answer; node ${leader.id} leads`,
      },
    ]
  }
  const advice = 'start what does not run, read its log, and see that the members reach each other'
  return problems.map((message) => ({ check: 'cluster', severity: 'problem', message, advice }))
}

function quorumFinding(members: readonly MemberAnswer[]): Finding {
  const total = members.length
  const alive = members.filter(({ status }) => status !== undefined).length
  const spare = alive - (Math.floor(total / 2) + 1)
  const check = 'quorum'
  if (spare < 0)
    return {
      check,
      severity: 'problem',
      message: 'there is no quorum',
      advice: 'bring nodes back; reads work with --serializable',
    }
  if (spare === 0) {
    const message = 'the next node that fails stops all writes'
    const advice =
      alive < total
        ? 'bring the missing nodes back'
        : 'run three nodes, or five: one node survives no failure, and two survive none either'
    return { check, severity: 'warning', message, advice }
  }
  if (total % 2 === 0) {
    const message = `${total} nodes bear no more failures than ${total - 1}`
    return { check, severity: 'warning', message, advice: 'run an odd number of nodes' }
  }
  return { check, severity: 'ok', message: `${spare} more ${spare === 1 ? 'node' : 'nodes'} may fail` }
}

function clockFindings(members: readonly MemberAnswer[]): Finding[] {
  const ahead = members.flatMap(({ id, clockAheadMs }) =>
    clockAheadMs === undefined ? [] : [{ id, clockAheadMs }],
  )
  const sorted = ahead.sort((a, b) => a.clockAheadMs - b.clockAheadMs)
  const slow = sorted[0]
  const fast = sorted.at(-1)
  if (slow === undefined || fast === undefined || slow === fast) return []
  const skewMs = fast.clockAheadMs - slow.clockAheadMs
  if (skewMs <= clockSkewMsMax)
    return [{ check: 'clock', severity: 'ok', message: `the clocks agree to ${formatDurationMs(skewMs)}` }]
  return [
    {
      check: 'clock',
      severity: 'warning',
      message: `the clock of node ${fast.id} is ${formatDurationMs(skewMs)} ahead of that of node ${slow.id}`,
      advice:
        'run NTP or chrony on every machine: the times in locks, logs and traces mislead (nothing is decided by them)',
    },
  ]
}

function loopFindings(members: readonly MemberAnswer[]): Finding[] {
  return members.flatMap(({ id, status }): Finding[] => {
    const delay = status?.vitals?.loopDelay
    if (delay === undefined) return []
    const message = `event loop of node ${id}: delay p99 ${ms(delay.p99Ms)}, longest ${ms(delay.maxMs)}`
    const worst = Math.max(delay.p99Ms * (loopDelayMsProblem / loopDelayMsWarning), delay.maxMs)
    if (worst < loopDelayMsProblem) return [{ check: 'event-loop', severity: 'ok', message }]
    const advice =
      'give the machine more CPU, or the node fewer neighbours: elections start when a loop is held up for the election timeout'
    return [
      {
        check: 'event-loop',
        severity: delay.maxMs >= loopDelayMsProblem ? 'problem' : 'warning',
        message,
        advice,
      },
    ]
  })
}

function diskFindings({ members, disk }: Examination): Finding[] {
  const own =
    disk === undefined ? [] : [diskFinding(`disk of ${disk.folder}, measured now`, disk.p99Ms, disk.p50Ms)]
  const nodes = members.flatMap(({ id, status }) => {
    const p99Ms = status?.vitals?.diskSyncP99Ms
    return p99Ms === undefined ? [] : [diskFinding(`disk of node ${id}`, p99Ms)]
  })
  return [...own, ...nodes]
}

function diskFinding(name: string, p99Ms: number, p50Ms?: number): Finding {
  const median = p50Ms === undefined ? '' : `median ${ms(p50Ms)}, `
  const message = `${name}: a durable write takes ${median}p99 ${ms(p99Ms)}`
  if (p99Ms < diskSyncMsWarning) return { check: 'disk', severity: 'ok', message }
  const advice = 'every write waits for it: use a local SSD, and one that nothing else writes to'
  return { check: 'disk', severity: p99Ms >= diskSyncMsProblem ? 'problem' : 'warning', message, advice }
}

function versionFindings(members: readonly MemberAnswer[]): Finding[] {
  const versions = new Map<string, number[]>()
  for (const { id, status } of members) {
    if (status !== undefined) versions.set(status.version, [...(versions.get(status.version) ?? []), id])
  }
  const [first] = versions.keys()
  if (versions.size <= 1)
    return [{ check: 'version', severity: 'ok', message: `every node runs version ${first}` }]
  const list = [...versions].map(([version, ids]) => `${version} on ${ids.join(', ')}`).join('; ')
  const advice = 'finish the upgrade: run the same version everywhere'
  return [
    { check: 'version', severity: 'warning', message: `the nodes run different versions: ${list}`, advice },
  ]
}

function lagFindings(members: readonly MemberAnswer[]): Finding[] {
  const leader = leaderAmong(members)
  if (leader === undefined) return []
  return leader.members.flatMap(({ id, matchIndex, state }) => {
    if (matchIndex === undefined) return []
    const lag = leader.lastIndex - matchIndex
    if (lag <= lagEntriesMax && state !== 'snapshot') return []
    const message = `node ${id} is ${lag} entries behind${state === 'snapshot' ? ' and is being sent a snapshot' : ''}`
    return [
      {
        check: 'lag',
        severity: 'warning',
        message,
        advice: 'wait; when the lag grows, look at its disk and network',
      },
    ]
  })
}

function ms(value: number): string {
  return value < 10 ? `${Math.round(value * 100) / 100} ms` : `${Math.round(value)} ms`
}

export function formatFindings(findings: readonly Finding[]): string {
  const marks: Readonly<Record<Severity, string>> = { ok: 'ok     ', warning: 'WARNING', problem: 'PROBLEM' }
  return findings
    .map(
      ({ severity, message, advice }) =>
        `${marks[severity]}  ${message}\n${advice === undefined ? '' : `         -> ${advice}\n`}`,
    )
    .join('')
}
