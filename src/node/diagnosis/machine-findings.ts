import { formatDurationMs } from '../../base/duration.ts'
import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import { type Examination, type Finding, ok, problem, shownMs, warning } from './finding.ts'
import type { MemberAnswer } from './member-answer.ts'

/** Clocks further apart than this make the times in locks, logs and traces misleading. No decision of Althing rests on them. */
const clockSkewMsMax = 500
const loopDelayMsWarning = 50
const loopDelayMsProblem = 500
const diskSyncMsWarning = 10
const diskSyncMsProblem = 100
/** A snapshot and some log segments of a middling store. */
const freeBytesWarning = 1024 ** 3

/** How the machines of the members do. */
export function machineFindings({ members, disk }: Examination): Finding[] {
  const own =
    disk === undefined ? [] : [latencyFinding(`disk of ${disk.folder}, measured now`, disk.p99Ms, disk.p50Ms)]
  const each = members.flatMap(({ status }) =>
    status === undefined
      ? []
      : [
          ...diskFindings(status),
          ...loopFinding(status),
          ...spaceFinding(status),
          ...leadershipFinding(status),
        ],
  )
  return [...clockFindings(members), ...own, ...each]
}

function clockFindings(members: readonly MemberAnswer[]): Finding[] {
  const measured = members.flatMap(({ id, clockAheadMs, roundTripMs = 0 }) =>
    clockAheadMs === undefined ? [] : [{ id, clockAheadMs, boundMs: roundTripMs / 2 }],
  )
  const sorted = measured.sort((a, b) => a.clockAheadMs - b.clockAheadMs)
  const slow = sorted[0]
  const fast = sorted.at(-1)
  if (slow === undefined || fast === undefined || slow === fast) return []
  const skewMs = fast.clockAheadMs - slow.clockAheadMs
  // Each clock was read somewhere between the question and its answer.
  const bound = shownMs(slow.boundMs + fast.boundMs)
  if (skewMs <= clockSkewMsMax)
    return [ok('clock', `the clocks agree to ${formatDurationMs(skewMs)} (measured to ${bound})`)]
  const message = `the clock of node ${fast.id} is ${formatDurationMs(skewMs)} ahead of that of node ${slow.id} (measured to ${bound})`
  const advice =
    'run NTP or chrony on every machine: the times in locks, logs and traces mislead (nothing is decided by them)'
  return [warning('clock', message, advice)]
}

function loopFinding({ id, vitals }: NodeStatus): Finding[] {
  const delay = vitals?.loopDelay
  if (delay === undefined) return []
  const message = `event loop of node ${id}: delay p99 ${shownMs(delay.p99Ms)}, longest ${shownMs(delay.maxMs)}`
  const worst = Math.max(delay.p99Ms * (loopDelayMsProblem / loopDelayMsWarning), delay.maxMs)
  if (worst < loopDelayMsProblem) return [ok('event-loop', message, { node: id })]
  const advice =
    'give the machine more CPU, or the node fewer neighbours: elections start when a loop is held up for the election timeout'
  return [
    (delay.maxMs >= loopDelayMsProblem ? problem : warning)('event-loop', message, advice, { node: id }),
  ]
}

function diskFindings({ id, vitals }: NodeStatus): Finding[] {
  const { diskSyncP99Ms, diskSyncP50Ms } = vitals ?? {}
  return diskSyncP99Ms === undefined
    ? []
    : [latencyFinding(`disk of node ${id}`, diskSyncP99Ms, diskSyncP50Ms, id)]
}

function latencyFinding(name: string, p99Ms: number, p50Ms?: number, node?: number): Finding {
  const median = p50Ms === undefined ? '' : `median ${shownMs(p50Ms)}, `
  const message = `${name}: a durable write takes ${median}p99 ${shownMs(p99Ms)}`
  const about = node === undefined ? { subject: name } : { node }
  if (p99Ms < diskSyncMsWarning) return ok('disk', message, about)
  const advice = 'every write waits for it: use a local SSD, and one that nothing else writes to'
  return (p99Ms >= diskSyncMsProblem ? problem : warning)('disk', message, advice, about)
}

function spaceFinding({ id, operations }: NodeStatus): Finding[] {
  if (operations === undefined) return []
  const { freeBytes, isLow } = operations.disk
  const left = freeBytes === undefined ? '' : `: ${shownBytes(freeBytes)} are free`
  if (isLow) {
    const message = `the disk of node ${id} is all but full${left}; it does not lead, and refuses what grows`
    const advice = 'make room on it now: a node whose log cannot grow stops'
    return [problem('disk-space', message, advice, { node: id })]
  }
  if (freeBytes === undefined) return []
  if (freeBytes >= freeBytesWarning) return [ok('disk-space', `disk of node ${id}${left}`, { node: id })]
  const message = `the disk of node ${id} fills up${left}`
  return [warning('disk-space', message, 'make room: the log and two snapshots must fit', { node: id })]
}

function leadershipFinding({ id, operations }: NodeStatus): Finding[] {
  if (operations === undefined || operations.isEligible || operations.disk.isLow) return []
  if (operations.hindrances.includes('draining')) {
    const advice = 'stop it, or take the drain back'
    const command = `althing drain ${id} --undo`
    return [warning('leadership', `node ${id} drains: it leads nothing`, advice, { node: id, command })]
  }
  const message = `node ${id} does not lead: a write to its disk took longer than an election timeout`
  const advice = 'look at what else writes to its disk, and at the disk itself'
  return [warning('leadership', message, advice, { node: id })]
}

export function shownBytes(bytes: number): string {
  const mib = bytes / 1024 ** 2
  return mib >= 1024 ? `${Math.round(mib / 102.4) / 10} GiB` : `${Math.round(mib * 10) / 10} MiB`
}
