// What is measured at one moment, over all members. Pure.
import type { ClusterReply } from '../api/types.ts'
import type { Counters } from './rate-history.ts'

/** The worst of the members that answer: one slow disk among the voters is felt by every write that needs it. */
export function gaugesOf({ members }: ClusterReply): Counters {
  const statuses = members.flatMap(({ status }) => status ?? [])
  const worst = (values: readonly (number | undefined)[]): number | undefined => {
    const known = values.filter((value) => value !== undefined)
    return known.length === 0 ? undefined : Math.max(...known)
  }
  return {
    diskMs: worst(statuses.map(({ vitals }) => vitals?.diskSyncP99Ms)),
    loopMs: worst(statuses.map(({ vitals }) => vitals?.loopDelay.p99Ms)),
    leaderChanges: worst(statuses.map(({ operations }) => operations?.leadership.changesLastHour)),
  }
}
