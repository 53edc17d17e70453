import { type FaultClass } from '../world/fault-classes.ts'
import { drawFaultPlan, type FaultPlan, type FaultRate } from '../world/fault-plan.ts'
import type { SeededRandom } from '../world/seeded-random.ts'

export interface StoreSimulationOptions {
  readonly seed: number
  /** Classes of faults that may happen; which do, and how often, is drawn. */
  readonly faults: readonly FaultClass[]
  /** Default: drawn. */
  readonly nodes?: 3 | 5
  /** Length of the safety phase in virtual seconds. Default: drawn of 8 to 20. */
  readonly seconds?: number
  /** Takes the place of what was drawn: for runs that are to show one thing. */
  readonly shape?: Partial<Omit<StoreConfiguration, 'seed' | 'faultPlan'>>
}

/** Everything that one seed decides beforehand. */
export interface StoreConfiguration {
  readonly seed: number
  readonly nodes: number
  readonly seconds: number
  readonly faultPlan: FaultPlan
  /** Network faults part clients from nodes too, not only nodes from nodes. */
  readonly partsClients: boolean
  /** Mean virtual time between two faults of the clients' own processes; 0 for none. */
  readonly clientFaultMsMean: number
  readonly electionTimeoutMs: number
  readonly heartbeatMs: number
  readonly inflightMessagesMax: number
  readonly messageBytesMax: number
  readonly snapshotEntries: number
  readonly snapshotAgeMs: number
  readonly keepEntries: number
  readonly segmentBytes: number
  readonly snapshotBlockBytes: number
  readonly keyClients: number
  readonly watchClients: number
  readonly leaseClients: number
  readonly lockClients: number
  /** Mean time between two orders to hand the leadership over; 0 for none. */
  readonly transferMsMean: number
  /** Keys that the key clients contend for. */
  readonly keys: number
  readonly locks: number
  /** Mean time that a client thinks between two calls, in ms. */
  readonly thinkMsMean: number
  /** Calls of a key client one after the other, before it rests for a while. */
  readonly burstCalls: number
  readonly restMsMean: number
  /** Calls of a key client at the same time. */
  readonly concurrency: number
  /** Bytes by which some values are made longer; 0 for none. */
  readonly paddingBytes: number
  readonly callTimeoutMs: number
  /** Probability that a key client's next call compacts the store. */
  readonly compactRate: number
  /** See `RaftOptions`: 0, or well above what clocks may drift apart. */
  readonly leaseDriftMax: number
  /** Revisions of history that the cluster keeps by itself. */
  readonly keepRevisions: number
  /** How often nodes compare their copies; 0 for never. */
  readonly replicaCheckMs: number
  /** Mean time between two changes of the members, or of the groups; 0 for none. */
  readonly membersMsMean: number
  readonly groupsMsMean: number
  /** Mean time between two backups; 0 for none. */
  readonly backupMsMean: number
  /** Access control is on, and some try what they may not. */
  readonly hasAccess: boolean
  /** The store has the smallest quota that there is, and a client fills it. */
  readonly hasQuota: boolean
}

/** Two clocks, each of which may be one percent fast or slow, and as much again. */
const leaseDriftMax = 0.04

/** Draws the shape of a run: swarm testing (Groce et al., ISSTA 2012) over sizes and timings as well as faults. */
export function drawConfiguration(random: SeededRandom, options: StoreSimulationOptions): StoreConfiguration {
  const [electionTimeoutMs, heartbeatMs] = random.pick([
    [1_000, 100],
    [600, 150],
    [400, 100],
  ]) as [number, number]
  const isLarge = random.chance(0.06)
  return {
    seed: options.seed,
    nodes: options.nodes ?? random.pick([3, 3, 5]),
    seconds: options.seconds ?? random.pick([8, 10, 15, 20]),
    faultPlan: calm(drawFaultPlan(random, options.faults), random.pick([1, 2, 4, 8])),
    partsClients: random.chance(0.5),
    clientFaultMsMean: options.faults.length === 0 ? 0 : random.pick([0, 1_500, 5_000]),
    electionTimeoutMs,
    heartbeatMs,
    inflightMessagesMax: random.pick([2, 8, 64]),
    messageBytesMax: random.pick([256, 4_096, 1024 * 1024]),
    snapshotEntries: random.pick([8, 20, 60, 1_000]),
    snapshotAgeMs: random.fork('snapshot-age').pick([500, 3_000, 10_000, 60_000]),
    keepEntries: random.pick([0, 0, 5, 40]),
    segmentBytes: random.pick([8, 16, 64]) * 1024,
    snapshotBlockBytes: random.pick([1_024, 8_192]),
    keyClients: random.integer(1, 3),
    watchClients: random.integer(1, 2),
    leaseClients: random.integer(0, 2),
    lockClients: random.pick([0, 2, 3]),
    transferMsMean: random.pick([0, 0, 1_500, 5_000]),
    keys: random.integer(2, 6),
    locks: random.integer(1, 2),
    ...drawPace(random),
    paddingBytes: isLarge ? random.pick([20_000, 80_000]) : 0,
    callTimeoutMs: random.pick([1_000, 2_500, 5_000]),
    compactRate: random.pick([0, 0.01, 0.05]),
    leaseDriftMax: random.pick([0, 0, leaseDriftMax]),
    keepRevisions: random.pick([100_000, 100_000, 40]),
    replicaCheckMs: random.pick([0, 0, 3_000]),
    membersMsMean: random.pick([0, 0, 500, 1_500]),
    groupsMsMean: random.pick([0, 0, 700, 1_500]),
    backupMsMean: random.pick([0, 0, 0, 2_000]),
    hasAccess: random.chance(0.15),
    hasQuota: !isLarge && random.chance(0.02),
    ...options.shape,
  }
}

/** Bursts, or a steady trickle: about as many calls in either case. */
function drawPace(
  random: SeededRandom,
): Pick<StoreConfiguration, 'thinkMsMean' | 'burstCalls' | 'restMsMean' | 'concurrency'> {
  const concurrency = random.integer(1, 3)
  if (random.chance(0.4)) {
    return {
      thinkMsMean: random.pick([2, 10]),
      burstCalls: random.pick([8, 30]),
      restMsMean: 2_500,
      concurrency,
    }
  }
  return { thinkMsMean: random.pick([100, 250, 500]), burstCalls: 10, restMsMean: 200, concurrency }
}

/** The same faults, so many times rarer: a cluster that never comes to itself commits little that could be lost. */
export function calm(plan: FaultPlan, factor: number): FaultPlan {
  const rarer = new Map<FaultClass, FaultRate>()
  for (const [name, rate] of plan) {
    // A node with a damaged disk stays out: one in a run is enough.
    const more = name === 'bit-flip' ? 4 : 1
    rarer.set(name, { ...rate, intervalMsMean: rate.intervalMsMean * factor * more })
  }
  return rarer
}
