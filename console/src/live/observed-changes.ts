// What happened between two snapshots, for the log of the fault panel. Pure.
import type { Snapshot } from '../api/types.ts'
import type { Phrase } from '../text/fill-in.ts'
import { isIsolated, leaderOf } from './cluster-health.ts'

export function observedChanges(before: Snapshot, after: Snapshot): Phrase[] {
  return [...memberChanges(before, after), ...leaderChanges(before, after), ...processChanges(before, after)]
}

function memberChanges(before: Snapshot, after: Snapshot): Phrase[] {
  return after.cluster.members.flatMap(({ id, status }): Phrase[] => {
    const earlier = before.cluster.members.find((member) => member.id === id)
    if (earlier === undefined) return []
    const values = { node: id }
    if (earlier.status !== null && status === null) return [{ key: 'seen.gone', values }]
    const changes: Phrase[] = []
    if (earlier.status === null && status !== null) changes.push({ key: 'seen.back', values })
    if (status?.isReady === true && earlier.status?.isReady === false)
      changes.push({ key: 'seen.ready', values })
    if (status?.isReady === false && earlier.status?.isReady === true)
      changes.push({ key: 'seen.notReady', values })
    const wasIsolated = isIsolated(id, before.cluster)
    if (wasIsolated !== isIsolated(id, after.cluster) && status !== null)
      changes.push({ key: wasIsolated ? 'seen.healed' : 'seen.isolated', values })
    return changes
  })
}

function leaderChanges(before: Snapshot, after: Snapshot): Phrase[] {
  const from = leaderOf(before.cluster)
  const to = leaderOf(after.cluster)
  if (from === to) return []
  if (to === undefined) return [{ key: 'seen.noLeader', values: { from: from as number } }]
  const term = after.cluster.members.find(({ id }) => id === to)?.status?.term ?? 0
  return [{ key: 'seen.leader', values: { to, term } }]
}

function processChanges(before: Snapshot, after: Snapshot): Phrase[] {
  return (after.processes ?? []).flatMap((process): Phrase[] => {
    const earlier = before.processes?.find(({ name }) => name === process.name)
    if (earlier === undefined || earlier.state === process.state) return []
    const values = { name: process.name, exit: process.lastExit ?? '?' }
    return [{ key: `seen.${process.state}` as const, values }]
  })
}
