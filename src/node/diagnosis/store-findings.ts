import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import type { CrowdedStore } from '../../engines/cluster/operations-status.ts'
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
  const { historyBytes, ...store } = operations.store
  const freed = `; compaction frees up to ${shownBytes(historyBytes)}`
  return [
    roomFinding({ name: undefined, ...store }, freed),
    ...operations.crowded.map((each) => roomFinding(each, '')),
  ]
}

function roomFinding(
  {
    name,
    bytes,
    quotaBytes,
    state,
  }: Omit<CrowdedStore, 'name' | 'state'> & {
    readonly name: string | undefined
    readonly state: 'ok' | CrowdedStore['state']
  },
  freed: string,
): Finding {
  const store = name === undefined ? 'the store' : `group ${name}`
  const message = `${store} has ${shownBytes(bytes)} of its quota of ${shownBytes(quotaBytes)}`
  const group = name === undefined ? '' : ` --group ${name}`
  const about = {
    command: `althing quota ${shownBytes(2 * quotaBytes).replace(' ', '')}${group}`,
    ...(name === undefined ? {} : { subject: name }),
  }
  if (state === 'ok') return ok('quota', message, name === undefined ? {} : { subject: name })
  if (state === 'nearly-full') {
    const advice = `delete what is not needed, or raise the quota${freed}`
    return warning('quota', `${message}: nearly full`, advice, about)
  }
  const full = `${message}: it is full, and refuses what grows (no-space)`
  return problem('quota', full, `delete keys or raise the quota${freed}`, about)
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
  return [warning('watchers', message, advice, { node: id })]
}
