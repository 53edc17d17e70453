import type { NodeId } from '../../protocols/election/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import { type ElectionAlgorithm, ElectionCluster } from './election-cluster.ts'

/** `crash` keeps to what the algorithms assume; the others break it. */
export const electionFaults = ['crash', 'loss', 'delay', 'partition'] as const
export type ElectionFault = (typeof electionFaults)[number]

export interface ElectionRunOptions {
  readonly algorithm: ElectionAlgorithm
  readonly seed: number
  readonly faults: readonly ElectionFault[]
  /** Default: drawn of 2 to 9. */
  readonly nodes?: number
  /** Virtual seconds under faults. Default: drawn of 20 to 60. */
  readonly seconds?: number
}

export interface ElectionRunReport {
  readonly seed: number
  readonly nodes: number
  /** What was broken; absent when all held. */
  readonly violation?: string
  readonly elections: number
  /** Virtual time during which more than one node led. Not a violation where the faults break the assumption of the algorithm. */
  readonly doubleMs: number
  readonly virtualMs: number
  readonly messages: number
}

const delayMsMax = 50
const heartbeatMs = 200

/**
 * Crashes, restarts and, if asked, lost and late messages and partitions, from one seed; then all faults end. Judged: while only crashes happen, at most one leader at a time; in any case that no two lead in one term, and
 * that after the end of all faults every node follows the greatest within the time that the algorithm states.
 */
export function simulateElection(options: ElectionRunOptions): ElectionRunReport {
  const random = new SeededRandom(options.seed)
  const size = options.nodes ?? random.integer(2, 9)
  const seconds = options.seconds ?? random.integer(20, 60)
  const members = random.shuffle(Array.from({ length: size }, (_, place) => place + 1))
  const cluster = new ElectionCluster({
    algorithm: options.algorithm,
    random: random.fork('network'),
    members,
    delayMsMax,
    heartbeatMs,
  })
  for (const member of members)
    if (random.chance(0.8)) cluster.network.after(random.integer(0, 300), () => cluster.start(member))
  injectFaults(cluster, members, options.faults, random.fork('faults'), seconds * 1_000)
  cluster.network.runUntil(seconds * 1_000)
  const faultsEndMs = cluster.network.nowMs
  cluster.network.part(new Map())
  cluster.network.conditions = { delayMsMin: 0, delayMsMax: delayMsMax * 0.99, lossShare: 0, doubleShare: 0 }
  for (const member of members) cluster.start(member)
  const limitMs = agreementMsMax(size)
  const agreed = cluster.network.runUntil(faultsEndMs + limitMs, () => cluster.hasAgreed)
  // What was late may have elected once more: the agreement must stay.
  if (agreed) cluster.network.runUntil(cluster.network.nowMs + limitMs)
  const { doubleMs, elections, firstDouble, firstShared } = judge(cluster)
  const isSynchronous = options.faults.every((fault) => fault === 'crash')
  const violation =
    firstShared ??
    (isSynchronous ? firstDouble : undefined) ??
    (agreed && cluster.hasAgreed
      ? undefined
      : `no agreement on the greatest within ${limitMs} ms of the end of all faults`)
  return {
    seed: options.seed,
    nodes: size,
    ...(violation === undefined ? {} : { violation }),
    elections,
    doubleMs,
    virtualMs: cluster.network.nowMs,
    messages: [...cluster.network.sent.values()].reduce((sum, count) => sum + count, 0),
  }
}

/** From the end of all faults: silence is noticed, then an election, and once more for what was under way. */
export function agreementMsMax(size: number): number {
  return 2 * (3 * heartbeatMs + (4 * size + 16) * delayMsMax) + 2 * heartbeatMs
}

function injectFaults(
  cluster: ElectionCluster,
  members: readonly NodeId[],
  faults: readonly ElectionFault[],
  random: SeededRandom,
  untilMs: number,
): void {
  const { network } = cluster
  const actions: Readonly<Record<ElectionFault, () => void>> = {
    crash: () => {
      const victim = random.chance(0.5) ? Math.max(...cluster.up) : random.pick(members)
      cluster.crash(victim)
      network.after(random.integer(1, 3_000), () => cluster.start(victim))
    },
    loss: () => {
      network.conditions = {
        ...network.conditions,
        lossShare: random.pick([0, 0.05, 0.3]),
        doubleShare: random.pick([0, 0.2]),
      }
    },
    delay: () => {
      network.conditions = { ...network.conditions, delayMsMax: delayMsMax * random.pick([0.99, 3, 10]) }
    },
    partition: () =>
      network.part(new Map(members.map((member) => [member, random.integer(0, random.integer(0, 2))]))),
  }
  for (const fault of faults) {
    const meanMs = random.pick([300, 1_000, 4_000])
    for (
      let atMs = random.exponential(meanMs);
      atMs < untilMs;
      atMs += Math.max(1, random.exponential(meanMs))
    )
      network.after(atMs, actions[fault])
  }
}

interface Judgement {
  readonly elections: number
  readonly doubleMs: number
  readonly firstDouble: string | undefined
  readonly firstShared: string | undefined
}

function judge(cluster: ElectionCluster): Judgement {
  const leading = new Set<NodeId>()
  const leaderOf = new Map<number, NodeId>()
  let [elections, doubleMs, sinceMs] = [0, 0, 0]
  let firstDouble: string | undefined
  let firstShared: string | undefined
  for (const { timeMs, node, isLeader, term } of cluster.changes) {
    if (leading.size > 1) doubleMs += timeMs - sinceMs
    sinceMs = timeMs
    if (!isLeader) {
      leading.delete(node)
      continue
    }
    elections += 1
    leading.add(node)
    const other = leaderOf.get(term)
    if (other !== undefined) firstShared ??= `${other} and ${node} have led in term ${term}, ${timeMs} ms`
    leaderOf.set(term, node)
    if (leading.size > 1) firstDouble ??= `${[...leading].join(' and ')} lead at the same time, ${timeMs} ms`
  }
  return { elections, doubleMs, firstDouble, firstShared }
}
