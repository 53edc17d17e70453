import type { KeyRange } from '../../contracts/store.ts'
import { type EventLog, eventKey, isInRange, type RevisionEvents } from '../checkers/event-log.ts'
import { checkLeasesEnded } from '../invariants/lease-ends.ts'
import { ClientProcess } from './client-process.ts'
import { leaseTtlMsMax } from './lease-client.ts'
import { RecordedStore } from './recorded-store.ts'
import { isSettled } from '../../engines/cluster/groups/group-descriptor.ts'
import { isJoint, membersOf } from '../../protocols/raft/configuration.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { GroupUnderTest } from './group-under-test.ts'
import type { StoreRun } from './simulate-store.ts'
import { mustHold, within } from './within.ts'

/** Bounds on virtual time after the end of all faults. */
export const healingLimits = {
  /** Until a new client has written and read every kind of key. */
  servesMs: 20_000,
  /** Until every call of the clients that were at work has ended. */
  callsEndMs: 30_000,
  /** Until watchers have been told all. A node that went dark is noticed after the 25 s of silence that a watch bears. */
  watchesMs: 60_000,
  /** Until leases that nobody renews have ended. */
  leasesMs: 4 * leaseTtlMsMax,
  convergeMs: 30_000,
  /** Until nodes and groups that were removed are gone. */
  tidyMs: 40_000,
  /** Until every group has as many copies as it wants, and no node keeps back that it has given up one. */
  copiesMs: 60_000,
} as const

/** All faults end. The cluster must serve again, every call end, every watcher be told all, leases end, and all copies become equal. */
export async function heal(run: StoreRun): Promise<void> {
  run.injector.heal()
  run.clientFaults.heal()
  await mustServe(run)
  run.stop()
  await within(run.simulation, 'calls-end', 'every call has ended', healingLimits.callsEndMs, () =>
    run.clients.every(({ isDone }) => isDone),
  )
  await mustEndLeases(run)
  await within(run.simulation, 'watch-delivery', 'every watcher was told all', healingLimits.watchesMs, () =>
    [...run.cluster.groups.values()].every(hasToldAll),
  )
  await within(
    run.simulation,
    'replicas-converge',
    'all nodes have applied the same',
    healingLimits.convergeMs,
    () => haveConverged(run),
  )
  await within(run.simulation, 'removed-stays-out', 'what was removed is gone', healingLimits.tidyMs, () =>
    isTidy(run),
  )
  await within(run.simulation, 'groups-whole', 'every group has its copies', healingLimits.copiesMs, () =>
    areWhole(run),
  )
  mustHold(run.simulation, run.cluster.checkReplicas())
}

/** A client that comes only now writes and reads every kind of key. */
async function mustServe(run: StoreRun): Promise<void> {
  let isServed = false
  const probe = new ClientProcess(run.clientOptions, 'probe', async (context) => {
    const store = new RecordedStore(context, context.name)
    while (!(await store.put('k1')));
    while (!(await store.putMany(['m1'], ['m2'])));
    while ((await store.get('k1')) === undefined);
    isServed = true
  })
  const { servesMs } = healingLimits
  await within(
    run.simulation,
    'serves-after-healing',
    'a new client is served',
    servesMs,
    () => isServed && probe.isDone,
  )
}

async function mustEndLeases(run: StoreRun): Promise<void> {
  const { simulation, log } = run
  const startedMs = simulation.nowMs
  const endMs = startedMs + healingLimits.leasesMs
  await simulation.runUntil(() => log.model.leases().length === 0 || simulation.nowMs >= endMs)
  const { kvs } = log.model.range({ key: '', end: null })
  const hanging = kvs.filter(({ lease }) => lease !== 0)
  mustHold(run.simulation, checkLeasesEnded(log.model.leases(), hanging, simulation.nowMs - startedMs))
}

/** Who still listens has heard of the last event of its range. */
function hasToldAll({ observations, log }: GroupUnderTest): boolean {
  return observations.watches.every(
    (watch) => !watch.isLive || watch.toldUntil >= lastRevisionOf(log.events, watch.request),
  )
}

export function lastRevisionOf(events: EventLog, range: KeyRange): number {
  for (let i = events.revisions.length - 1; i >= 0; i--) {
    const { revision, events: changes } = events.revisions[i] as RevisionEvents
    if (changes.some((event) => isInRange(range, eventKey(event)))) return revision
  }
  return 0
}

/** Every member that is not out has applied the whole log of each group that it belongs to, and no change of the members is left half-way. */
function haveConverged({ cluster }: StoreRun): boolean {
  const existing = new Set([1, ...cluster.records.groups.map(({ id }) => id)])
  const nodes = new Map(cluster.nodes.map((node) => [node.id, node]))
  for (const [id, { configuration, log }] of cluster.groups) {
    if (!existing.has(id)) continue
    if (isJoint(configuration)) return false
    for (const member of membersOf(configuration)) {
      if (cluster.isOut(member)) continue
      const copy = nodes.get(member)?.groups.get(id)
      if (copy === undefined || copy.group.appliedIndex !== log.index) return false
    }
  }
  return true
}

/** Who was removed has ended, and groups that were removed are on no node any more. */
function isTidy({ cluster }: StoreRun): boolean {
  const members = membersOf(cluster.own.configuration)
  const groups = new Set([1, ...cluster.records.groups.map(({ id }) => id)])
  return cluster.nodes.every(
    (node) =>
      cluster.isOut(node.id) ||
      ((cluster.isInvited(node.id) || members.includes(node.id)) &&
        [...node.groups.keys()].every((id) => groups.has(id))),
  )
}

/**
 * Every group has as many copies as it wants and there are members for, all of them among its voters, and who gave up one has said so. A group that waits for a node
 * which is out cannot be helped.
 */
function areWhole({ cluster }: StoreRun): boolean {
  const members = cluster.own.configuration.voters.filter((id) => cluster.isInvited(id))
  const isAble = (id: NodeId): boolean => members.includes(id) && !cluster.isOut(id)
  return cluster.records.groups.every((group) => {
    const holders = [...new Set([...group.members, ...group.placed])]
    if (holders.some((id) => cluster.isOut(id))) return true
    const able = members.filter(isAble)
    const copies = group.members.filter(isAble).length
    return copies === Math.min(group.replicas, able.length) && isSettled(group) && !group.former.some(isAble)
  })
}
