import type { Cluster, LoadTarget, Operation } from '../cluster.ts'
import type { Figure } from '../figure.ts'
import { connectStore } from '../load/connect.ts'
import type { ClosedLoopReport } from '../load/load.ts'
import { runLoad } from '../load/run-load.ts'
import { putNatively } from '../peers/etcd-native.ts'
import { h2loadUnavailable } from '../peers/h2load.ts'
import { processorSeconds } from '../processor-time.ts'
import { inTurn, type Side } from './sides.ts'
import type { Measuring } from './store.ts'

export const warmupMs = 1_000
export const keysPerClient = 1_000
export const valueBytes = 256

/** Clients from which on the native client is asked too: with fewer it says nothing that the other does not. */
const nativeClientsMin = 64
const revokeDeadlineMs = 60_000

interface Round extends ClosedLoopReport {
  /** Processor time of all members for one operation. */
  readonly memberUs: number
  readonly clientUs: number
}

interface Rounds {
  readonly ours: Round[]
  readonly peer: Round[]
  /** Rates of the peer's native client. */
  readonly native: number[]
}

/** Rate, latency and processor time of one operation in closed loops. */
export async function measureRates(
  operation: Operation,
  measuring: Measuring,
  notes: string[],
): Promise<Figure[]> {
  const { clients, peer } = measuring
  const wantsNative = operation === 'put' && peer === 'etcd' && clients >= nativeClientsMin
  const problem = wantsNative && measuring.sides.clusters.has('peer') ? h2loadUnavailable() : undefined
  if (problem !== undefined)
    notes.push(`etcd through a native client, ${clients} clients: not tested, ${problem}`)
  const rounds = await measureRounds(operation, measuring, wantsNative && problem === undefined)
  for (const side of ['ours', 'peer'] as const) noteFailures(side, operation, clients, rounds[side], notes)
  return figuresOf(operation, clients, rounds)
}

async function measureRounds(
  operation: Operation,
  { sides, rounds, seconds, clients }: Measuring,
  isNative: boolean,
): Promise<Rounds> {
  const all: Rounds = { ours: [], peer: [], native: [] }
  for (let round = 0; round < rounds; round++) {
    for (const [side, cluster] of inTurn(sides.clusters, round)) {
      all[side].push(await measureRound(operation, cluster, clients, seconds))
      if (!isNative || side !== 'peer') continue
      const { addresses } = await cluster.target()
      const warmupSeconds = warmupMs / 1_000
      const native = await putNatively(addresses[0] as string, { clients, seconds, warmupSeconds })
      all.native.push(native.requestsPerSecond)
    }
  }
  return all
}

async function measureRound(
  operation: Operation,
  cluster: Cluster,
  clients: number,
  seconds: number,
): Promise<Round> {
  const target = await cluster.target()
  const measuredMs = seconds * 1_000
  const before = processorSeconds(cluster.pids)
  const request = { kind: 'closed-loop', target, operation, clients, warmupMs, measuredMs } as const
  const report = await runLoad({ ...request, keysPerClient, valueBytes })
  const used = processorSeconds(cluster.pids) - before
  if (operation === 'lease') await revokeLeases(target)
  return {
    ...report,
    memberUs: (used / report.completed) * 1e6,
    clientUs: (report.clientCores / report.operationsPerSecond) * 1e6,
  }
}

/** Not part of what is measured: the next round finds as few leases as this one, and none of the rounds reaches a bound on their number. */
async function revokeLeases(target: LoadTarget): Promise<void> {
  const driver = await connectStore(target)
  try {
    await driver.revokeLeases(revokeDeadlineMs)
  } finally {
    await driver.close()
  }
}

function noteFailures(
  side: Side,
  operation: Operation,
  clients: number,
  rounds: readonly Round[],
  notes: string[],
): void {
  const failures = rounds.reduce((sum, round) => sum + round.failures, 0)
  if (failures === 0) return
  const what = `${side}, ${operation} with ${clients} clients`
  const failure = rounds.find((round) => round.failure !== undefined)?.failure
  if (rounds.every((round) => round.operationsPerSecond === 0))
    throw new Error(`${what}: every operation failed: ${failure}`)
  notes.push(`${what}: ${failures} operations failed, such as: ${failure}`)
}

function figuresOf(operation: Operation, clients: number, { ours, peer, native }: Rounds): Figure[] {
  const name = `${operation}, ${clients} ${clients === 1 ? 'client' : 'clients'}`
  const both = (pick: (round: Round) => number) => ({ ours: ours.map(pick), peer: peer.map(pick) })
  const rate = (round: Round) => round.operationsPerSecond
  const figures: Figure[] = [
    { name, unit: 'op/s', better: 'more', ...both(rate) },
    { name: `${name}, p50`, unit: 'ms', better: 'less', ...both((round) => round.p50Ms) },
    { name: `${name}, p99`, unit: 'ms', better: 'less', ...both((round) => round.p99Ms) },
    {
      name: `${name}, CPU of all members`,
      unit: 'us/op',
      better: 'less',
      ...both((round) => round.memberUs),
    },
    { name: `${name}, CPU of the client`, unit: 'us/op', better: 'less', ...both((round) => round.clientUs) },
  ]
  if (native.length === 0) return figures
  const against = `${name}, against a native client`
  return [...figures, { name: against, unit: 'op/s', better: 'more', ours: ours.map(rate), peer: native }]
}
