import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import { storeBounds } from '../../engines/local/store-admission.ts'
import { type Finding, ok, problem, warning } from './finding.ts'
import { shownBytes } from './machine-findings.ts'
import { leaderAmong, type MemberAnswer } from './member-answer.ts'

const leasesShare = 0.8

/** How near the store is to its bounds. */
export function storeFindings(members: readonly MemberAnswer[]): Finding[] {
  const known = leaderAmong(members) ?? members.find(({ status }) => status !== undefined)?.status
  const watchers = members.flatMap(({ status }) => (status === undefined ? [] : watcherFinding(status)))
  return known === undefined ? watchers : [...quotaFinding(known), ...leaseFinding(known), ...watchers]
}

function quotaFinding({ operations }: NodeStatus): Finding[] {
  if (operations === undefined) return []
  const { bytes, historyBytes, quotaBytes, state } = operations.store
  const message = `the store has ${shownBytes(bytes)} of its quota of ${shownBytes(quotaBytes)}`
  const freed = `compaction frees up to ${shownBytes(historyBytes)}`
  if (state === 'ok') return [ok('quota', message)]
  if (state === 'nearly-full')
    return [
      warning('quota', `${message}: nearly full`, `delete what is not needed, or raise the quota; ${freed}`),
    ]
  return [
    problem(
      'quota',
      `${message}: it is full, and refuses what grows (no-space)`,
      `delete keys or raise the quota; ${freed}`,
    ),
  ]
}

function leaseFinding({ leases }: NodeStatus): Finding[] {
  const { leasesMax } = storeBounds
  if (leases < leasesShare * leasesMax) return []
  const message = `there are ${leases} leases, of ${leasesMax} allowed by default`
  return [warning('leases', message, 'see that clients share leases and end those they no longer need')]
}

function watcherFinding({ id, operations, watchers }: NodeStatus): Finding[] {
  const setAside = operations?.watchers.setAside ?? 0
  if (setAside === 0) return []
  const message = `${setAside} of ${watchers} watchers of node ${id} do not read what they are sent`
  const advice =
    'look for clients that are stuck: a watcher that falls behind a compaction is sent its whole range anew'
  return [warning('watchers', message, advice, id)]
}
