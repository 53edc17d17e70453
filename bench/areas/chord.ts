import { createChordHash } from '../../src/protocols/chord/identifiers.ts'
import { loadFigures, lookupFigures } from '../../src/testing/machines/chord-figures.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { ownResult } from './ours-only.ts'

const nodes = 1_000
const successorsMax = 20
const failedShares = [0, 0.1, 0.2, 0.3, 0.4, 0.5]
const lookups = 10_000
/**
 * Nodes at even distances: each hop clears the highest bit of the distance that is left, of whose bits half are set; the list of successors saves the hops for
 * the lowest ones.
 */
const hopsDerived = Math.log2(nodes / successorsMax) / 2

/** Lookups in a ring of 1,000 Chord nodes in the simulator, beside what follows from the algorithm where none has failed. The same on every machine. */
export async function benchChord(print: (text: string) => void): Promise<AreaResult> {
  const hash = await createChordHash()
  const text = (value: number): string => formatNumber(rounded(value))
  const rows = failedShares.map((failedShare) =>
    lookupFigures(hash, { nodes, successorsMax, failedShare, lookups }),
  )
  print(
    formatTable(
      ['nodes failed', 'found', 'hops mean', 'derived', 'hops max', 'timeouts'],
      rows.map(({ failedShare, succeeded, hopsMean, hopsMax, timeoutsMean }) => [
        `${failedShare * 100} %`,
        `${succeeded} of ${lookups}`,
        text(hopsMean),
        failedShare === 0 ? text(hopsDerived) : '-',
        text(hopsMax),
        text(timeoutsMean),
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
  return ownResult('chord', {
    headline: (rows[0]?.hopsMean ?? 0) / hopsDerived,
    unit: 'mean hops / derived',
    setup: { ours: 'simulator', rows, loads },
  })
}
