import { bullyCost, type ElectionCost, ringCost } from '../../src/testing/machines/election-costs.ts'
import { SeededRandom } from '../../src/testing/world/seeded-random.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { ownResult } from './ours-only.ts'

const sizes = [5, 16, 64]
const ringsDrawn = 1_000

interface Row {
  readonly name: string
  readonly published: number
  readonly cost: ElectionCost
}

/** Messages and time of one bully or ring election in the simulator, beside what the papers say. The same on every machine. */
export function benchElections(print: (text: string) => void): AreaResult {
  const rows = sizes.flatMap(rowsOf)
  const header = ['election', 'messages', 'published', 'longest message times to agreement']
  print(
    formatTable(
      header,
      rows.map(({ name, published, cost }) => [
        name,
        formatNumber(rounded(cost.messages)),
        formatNumber(rounded(published)),
        formatNumber(rounded(cost.delays)),
      ]),
    ),
  )
  const mean = rows.find(({ name }) => name === nameOf(64, 'ring, all begin, mean'))
  const headline = mean === undefined ? null : mean.cost.messages / mean.published
  return ownResult('elections', {
    headline,
    unit: 'mean messages of a ring of 64 / published',
    setup: { ours: 'simulator', rows },
  })
}

function rowsOf(n: number): Row[] {
  const members = Array.from({ length: n }, (_, place) => place + 1)
  const harmonic = members.reduce((sum, member) => sum + 1 / member, 0)
  const row = (name: string, published: number, cost: ElectionCost): Row => ({
    name: nameOf(n, name),
    published,
    cost,
  })
  return [
    row('bully, the greatest notices', n - 2, bullyCost(n, 'greatest')),
    row('bully, the least notices', n * n, bullyCost(n, 'least')),
    row('ring, one begins, worst', 3 * n - 1, ringCost(members, [1])),
    row('ring, all begin, mean', n * harmonic + n, meanRing(members)),
    row('ring, all begin, worst', (n * (n + 1)) / 2 + n, ringCost([...members].reverse())),
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

function nameOf(n: number, name: string): string {
  return `n = ${n}: ${name}`
}
