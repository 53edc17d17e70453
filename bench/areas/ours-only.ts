import type { Cluster, Contender } from '../cluster.ts'
import type { BenchOptions } from '../options.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { startSides, stopSides } from './sides.ts'

/** Figures by their names, in the order in which they are shown. */
export type Figures = Readonly<Record<string, number>>

/** What an area without a peer has found. */
export interface OwnMeasurement {
  readonly headline: number | null
  readonly unit: string
  readonly setup: Readonly<Record<string, unknown>>
}

export type Area = (
  ours: Contender,
  peer: Contender,
  options: Pick<BenchOptions, 'area'>,
  print: (text: string) => void,
) => Promise<AreaResult>

/** An area that starts our cluster alone, has it measured, and ends it. Rejects when it cannot run here. */
export function ownArea(
  measure: (cluster: Cluster, print: (text: string) => void) => Promise<OwnMeasurement>,
): Area {
  return async (ours, peer, { area }, print) => {
    const sides = await startSides(ours, peer, 'ours')
    try {
      const cluster = sides.clusters.get('ours')
      if (cluster === undefined) throw new Error(sides.descriptions.ours)
      const found = await measure(cluster, print)
      return ownResult(area, { ...found, setup: { ...sides.descriptions, ...found.setup } })
    } finally {
      await stopSides(sides)
    }
  }
}

export function ownResult(area: string, { headline, unit, setup }: OwnMeasurement): AreaResult {
  const ours = headline === null ? null : rounded(headline)
  return { area, ours, peer: null, ratio: null, unit, setup: { peer: 'not asked for', ...setup } }
}

export function tableOfOwn(title: string, figures: Figures): string {
  return formatTable(
    [title, ''],
    Object.entries(figures).map(([name, value]) => [name, formatNumber(value)]),
  )
}

export function roundedFigures(figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]))
}
