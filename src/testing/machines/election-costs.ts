import { SeededRandom } from '../world/seeded-random.ts'
import { type ElectionAlgorithm, ElectionCluster } from './election-cluster.ts'

/** What one election costs. Heartbeats and, in the ring, acknowledgements are not counted: they are no part of the algorithm. */
export interface ElectionCost {
  readonly messages: number
  /** From the beginning to the moment when all follow the new leader, in the longest time that one message may take. */
  readonly delays: number
}

const delayMsMax = 10
/** So long that nobody misses a leader by itself while one election runs. */
const heartbeatMs = 1_000_000

const notCounted = new Set(['alive', 'passed', 'probe'])

/** The greatest of n nodes has crashed, and the greatest or the least of the others is the one that notices. */
export function bullyCost(nodes: number, notices: 'greatest' | 'least', seed = 1): ElectionCost {
  const members = Array.from({ length: nodes }, (_, place) => place + 1)
  const cluster = createCluster('bully', members, seed)
  for (const member of members) cluster.start(member, { electsAtStart: false })
  cluster.suspect(nodes)
  cluster.network.runUntil(1_000)
  cluster.crash(nodes)
  return costOf(cluster, [notices === 'greatest' ? nodes - 1 : 1])
}

/**
 * A ring without a leader and without crashes. `members` stand in the order of the ring; those in `begin` (default all) begin at the same time.
 */
export function ringCost(
  members: readonly number[],
  begin: readonly number[] = members,
  seed = 1,
): ElectionCost {
  const cluster = createCluster('ring', members, seed)
  for (const member of members) cluster.start(member, { electsAtStart: false })
  cluster.network.runUntil(100)
  return costOf(cluster, begin)
}

function createCluster(
  algorithm: ElectionAlgorithm,
  members: readonly number[],
  seed: number,
): ElectionCluster {
  const random = new SeededRandom(seed)
  return new ElectionCluster({
    algorithm,
    random,
    members,
    delayMsMax,
    heartbeatMs,
    delayMsMin: delayMsMax / 2,
  })
}

function costOf(cluster: ElectionCluster, begin: readonly number[]): ElectionCost {
  const { network } = cluster
  network.clearCounts()
  const beginMs = network.nowMs
  for (const member of begin) cluster.suspect(member)
  if (!network.runUntil(beginMs + heartbeatMs / 2, () => cluster.hasAgreed))
    throw new Error('nobody was elected')
  const delays = (network.nowMs - beginMs) / delayMsMax
  // What is still under way counts too.
  network.runUntil(network.nowMs + 10_000)
  let messages = 0
  for (const [kind, count] of network.sent) if (!notCounted.has(kind)) messages += count
  return { messages, delays }
}
