import { createChordHash } from '../../src/protocols/chord/identifiers.ts'
import { loadFigures, lookupFigures } from '../../src/testing/machines/chord-figures.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { ownResult } from './ours-only.ts'

/** Stoica et al. 2003, table II: mean path length and timeouts of a lookup, 1,000 nodes, successor lists of 20. */
const published = [
  { failedShare: 0, hops: 3.84, timeouts: 0 },
  { failedShare: 0.1, hops: 4.03, timeouts: 0.6 },
  { failedShare: 0.2, hops: 4.22, timeouts: 1.17 },
  { failedShare: 0.3, hops: 4.44, timeouts: 2.02 },
  { failedShare: 0.4, hops: 4.69, timeouts: 3.23 },
  { failedShare: 0.5, hops: 5.09, timeouts: 5.1 },
]
const lookups = 10_000

/** Lookups in a ring of 1,000 Chord nodes in the simulator, beside the paper's table. The same on every machine. */
export async function benchChord(print: (text: string) => void): Promise<AreaResult> {
  const hash = await createChordHash()
  const text = (value: number): string => formatNumber(rounded(value))
  const rows = published.map((paper) => {
    const { failedShare } = paper
    const ours = lookupFigures(hash, { nodes: 1_000, successorsMax: 20, failedShare, lookups })
    return { paper, ours }
  })
  print(
    formatTable(
      ['nodes failed', 'found', 'hops mean', 'published', 'hops max', 'timeouts', 'published'],
      rows.map(({ paper, ours }) => [
        `${paper.failedShare * 100} %`,
        `${ours.succeeded} of ${lookups}`,
        text(ours.hopsMean),
        text(paper.hops),
        text(ours.hopsMax),
        text(ours.timeoutsMean),
        text(paper.timeouts),
      ]),
    ),
  )
  const loads = [1, 2, 5, 10, 20].map((virtualNodes) => loadFigures(10_000, 1_000_000, virtualNodes))
  print(
    formatTable(
      ['virtual nodes', '1st percentile / mean', '99th percentile / mean'],
      loads.map(({ virtualNodes, first, last }) => [String(virtualNodes), text(first), text(last)]),
    ),
  )
  const headline = (rows[0]?.ours.hopsMean ?? 0) / (published[0]?.hops ?? 1)
  return ownResult('chord', {
    headline,
    unit: 'mean hops / published',
    setup: { ours: 'simulator', rows, loads },
  })
}
