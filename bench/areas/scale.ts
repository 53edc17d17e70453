import type { Contender } from '../cluster.ts'
import type { BenchOptions } from '../options.ts'
import type { AreaResult } from '../report.ts'
import { benchIdleGroups } from './idle-groups.ts'
import { benchLeases } from './leases.ts'
import { benchMemory } from './memory.ts'
import { ownResult } from './ours-only.ts'
import { benchWatchers } from './watchers.ts'

const parts = {
  watchers: benchWatchers,
  leases: benchLeases,
  memory: benchMemory,
  'idle-groups': benchIdleGroups,
} as const

/** What one cluster carries: all of its areas, one after the other, each on a cluster of its own. */
export async function benchScale(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const results: Record<string, AreaResult> = {}
  for (const [area, run] of Object.entries(parts) as [keyof typeof parts, typeof benchMemory][]) {
    print(`\n${area}`)
    results[area] = await run(ours, peer, { ...options, area }, print)
  }
  const { watchers } = results
  return ownResult(options.area, {
    headline: watchers?.ours ?? null,
    unit: watchers?.unit ?? 'ms',
    setup: {
      headline: 'watchers',
      ours: watchers?.setup['ours'] ?? 'not available',
      peer: 'not asked for',
      results,
    },
  })
}
