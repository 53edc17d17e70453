import { bullyCost, type ElectionCost, ringCost } from '../../src/testing/machines/election-costs.ts'
import { electorAlgorithms, type ElectorAlgorithm } from '../../src/coordination/electors/elector-types.ts'
import { raftCost } from '../../src/testing/machines/raft-election-cost.ts'
import { SeededRandom } from '../../src/testing/world/seeded-random.ts'
import { type Failover, leaderFailover } from '../elections/elector-failover.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { ownResult } from './ours-only.ts'

const sizes = [5, 16, 64]
const ringsDrawn = 1_000
const raftsDrawn = 100
const failovers = 40

interface Row {
  readonly name: string
  /** What follows by counting the messages of the algorithm. */
  readonly derived: number
  readonly cost: ElectionCost
}

/** Messages and time of one election in the simulator, beside what follows from the algorithm; and how long each elector is without a leader. The same on every machine. */
export async function benchElections(print: (text: string) => void): Promise<AreaResult> {
  const rows = sizes.flatMap(rowsOf)
  const header = ['election', 'messages', 'derived', 'longest message times to agreement']
  print(
    formatTable(
      header,
      rows.map(({ name, derived, cost }) => [
        name,
        formatNumber(rounded(cost.messages)),
        formatNumber(rounded(derived)),
        formatNumber(rounded(cost.delays)),
      ]),
    ),
  )
  const failed = await measureFailovers()
  print(`\n${tableOfFailovers(failed)}`)
  const mean = rows.find(({ name }) => name === nameOf(64, 'ring, all begin, mean'))
  const headline = mean === undefined ? null : mean.cost.messages / mean.derived
  return ownResult('elections', {
    headline,
    unit: 'mean messages of a ring of 64 / derived',
    setup: { ours: 'simulator', rows, failovers: Object.fromEntries(failed) },
  })
}

function rowsOf(n: number): Row[] {
  const members = Array.from({ length: n }, (_, place) => place + 1)
  const harmonic = members.reduce((sum, member) => sum + 1 / member, 0)
  const row = (name: string, derived: number, cost: ElectionCost): Row => ({
    name: nameOf(n, name),
    derived,
    cost,
  })
  return [
    row('bully, the greatest notices', 3 * (n - 2) + 1, bullyCost(n, 'greatest')),
    row('bully, the least notices', n * n, bullyCost(n, 'least')),
    row('ring, one begins, worst', 3 * n - 1, ringCost(members, [1])),
    row('ring, all begin, mean', n * harmonic + n, meanRing(members)),
    row('ring, all begin, worst', (n * (n + 1)) / 2 + n, ringCost([...members].reverse())),
    row('raft, all know that the leader is gone, mean', 6 * n - 9 + 2 * Math.floor(n / 2), meanRaft(n)),
  ]
}

function meanRing(members: readonly number[]): ElectionCost {
  let [messages, delays] = [0, 0]
  for (let seed = 1; seed <= ringsDrawn; seed++) {
    const cost = ringCost(new SeededRandom(seed).shuffle(members), members, seed)
    messages += cost.messages / ringsDrawn
    delays += cost.delays / ringsDrawn
  }
  return { messages, delays }
}

function meanRaft(n: number): ElectionCost {
  let [messages, delays] = [0, 0]
  for (let seed = 1; seed <= raftsDrawn; seed++) {
    const cost = raftCost(n, seed)
    messages += cost.messages / raftsDrawn
    delays += cost.delays / raftsDrawn
  }
  return { messages, delays }
}

async function measureFailovers(): Promise<ReadonlyMap<ElectorAlgorithm, readonly Failover[]>> {
  const measured = new Map<ElectorAlgorithm, readonly Failover[]>()
  for (const algorithm of electorAlgorithms) {
    const runs: Failover[] = []
    for (let seed = 1; seed <= failovers; seed++) runs.push(await leaderFailover(algorithm, seed))
    measured.set(algorithm, runs)
  }
  return measured
}

function tableOfFailovers(measured: ReadonlyMap<ElectorAlgorithm, readonly Failover[]>): string {
  const rows = [...measured].map(([algorithm, runs]) => {
    const sorted = runs.map(({ ms }) => ms).sort((a, b) => a - b)
    const at = (share: number): string => formatNumber(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
    const mean = (pick: (run: Failover) => number): string =>
      formatNumber(runs.reduce((sum, run) => sum + pick(run), 0) / runs.length)
    return [algorithm, at(0), at(0.5), at(1), mean(({ writes }) => writes), mean(({ reads }) => reads)]
  })
  const head = ['5 machines, the leader dies', 'min ms', 'p50', 'max', 'writes of the store', 'reads']
  return formatTable(head, rows)
}

function nameOf(n: number, name: string): string {
  return `n = ${n}: ${name}`
}
