import type { CommittedLog } from '../invariants/committed-log.ts'
import type { GroupUnderTest } from './group-under-test.ts'
import type { StoreRun } from './simulate-store.ts'
import type { StoreCluster } from './store-cluster.ts'

export function sumOver({ groups }: StoreCluster, count: (group: GroupUnderTest) => number): number {
  let sum = 0
  for (const group of groups.values()) sum += count(group)
  return sum
}

/** How often things happened that should happen in some runs: what did not happen has shown nothing. */
export function reachedIn(run: StoreRun): Record<string, number> {
  const { observations, cluster, log, administrator, extras, configuration } = run
  const { watches, locks, answers } = observations
  return {
    restarts: sumOver(cluster, ({ view }) =>
      [...view.members.values()].reduce((sum, { life }) => sum + Math.max(0, life - 1), 0),
    ),
    refusals: cluster.refusals,
    resyncs: watches.filter(({ batches }) => batches.some(({ kind }) => kind === 'resync')).length,
    tenures: locks.tenures.length,
    expiries: log.commands.filter(({ command }) => command.type === 'expireLeases').length,
    unknownWrites: answers.filter((answer) => answer.kind === 'write' && answer.outcome === 'unknown').length,
    repeats: countRepeats(log),
    snapshotsInstalled: sumOver(cluster, ({ counts }) => counts.snapshotsInstalled),
    copiesReturned: sumOver(cluster, ({ counts }) => counts.copiesReturned),
    jointChanges: sumOver(cluster, ({ counts }) => counts.jointChanges),
    learners: cluster.own.counts.learnersAdded,
    votersRemoved: cluster.own.counts.votersRemoved,
    groups: cluster.groups.size - 1,
    groupCalls: sumOver(cluster, ({ id, observations: { keys } }) => (id === 1 ? 0 : keys.calls)),
    checkpoints: log.commands.filter(({ command }) => command.type === 'checkpoint').length,
    compactions: sumOver(
      cluster,
      (group) => group.log.commands.filter(({ command }) => command.type === 'compact').length,
    ),
    givenUpFull: sumOver(cluster, ({ counts }) => counts.givenUpFull),
    givenUpSlow: sumOver(cluster, ({ counts }) => counts.givenUpSlow),
    leaseReads: sumOver(cluster, ({ counts }) => counts.leaseReads),
    withAccess: configuration.hasAccess ? 1 : 0,
    ...extras.backups.counts,
    ...extras.outsiders,
    ...extras.filler,
    ...administrator.counts,
  }
}

/** Commands that are in the log more than once: retries whose first attempt had arrived. */
function countRepeats(log: CommittedLog): number {
  const seen = new Set<string>()
  let count = 0
  for (const { command } of log.commands) {
    if (!('session' in command) || command.session === 0) continue
    const stamp = `${command.session}/${command.sequence}`
    if (seen.has(stamp)) count++
    seen.add(stamp)
  }
  return count
}
