import type { Figure } from '../figure.ts'
import type { FanOutReport } from '../load/load.ts'
import { runLoad } from '../load/run-load.ts'
import { valueBytes } from './rates.ts'
import { inTurn, type Side } from './sides.ts'
import type { Measuring } from './store.ts'

const watchers = 100
const warmupPuts = 200
const putsPerSecondOfBudget = 150

/** Time from a put until the last of a hundred watchers of one client has seen it. */
export async function measureFanOut({ sides, rounds, seconds }: Measuring): Promise<Figure[]> {
  const reports: Record<Side, FanOutReport[]> = { ours: [], peer: [] }
  for (let round = 0; round < rounds; round++) {
    for (const [side, cluster] of inTurn(sides.clusters, round)) {
      const target = await cluster.target()
      const puts = seconds * putsPerSecondOfBudget
      const request = { kind: 'fan-out', target, watchers, warmupPuts, puts, valueBytes } as const
      reports[side].push(await runLoad(request))
    }
  }
  const name = `put seen by ${watchers} watchers`
  const both = (pick: (report: FanOutReport) => number) => ({
    ours: reports.ours.map(pick),
    peer: reports.peer.map(pick),
  })
  return [
    { name: `${name}, p50`, unit: 'ms', better: 'less', ...both((report) => report.p50Ms) },
    { name: `${name}, p99`, unit: 'ms', better: 'less', ...both((report) => report.p99Ms) },
  ]
}
