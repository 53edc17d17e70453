import type { Cluster, Contender } from '../cluster.ts'

export type Side = 'ours' | 'peer'

/** The clusters that could be started, and what is to be said about each side. */
export interface Sides {
  readonly clusters: ReadonlyMap<Side, Cluster>
  readonly descriptions: Readonly<Record<Side, string>>
}

/** Starts both sides, or the one that is asked for. A side that cannot run here is left out and says why. */
export async function startSides(ours: Contender, peer: Contender, only: Side | undefined): Promise<Sides> {
  const clusters = new Map<Side, Cluster>()
  const descriptions: Record<Side, string> = { ours: 'not asked for', peer: 'not asked for' }
  for (const [side, contender] of [
    ['ours', ours],
    ['peer', peer],
  ] as const) {
    if (only !== undefined && only !== side) continue
    const reason = contender.unavailable()
    if (reason !== undefined) {
      descriptions[side] = `not available: ${reason}`
      continue
    }
    try {
      const cluster = await contender.start()
      clusters.set(side, cluster)
      descriptions[side] = cluster.description
    } catch (error) {
      await Promise.all([...clusters.values()].map((cluster) => cluster.stop()))
      throw error
    }
  }
  return { clusters, descriptions }
}

export async function stopSides({ clusters }: Sides): Promise<void> {
  await Promise.all([...clusters.values()].map((cluster) => cluster.stop()))
}

/** Both sides, the other one first in every second round, so that a drift of the machine hits both alike. */
export function inTurn(clusters: ReadonlyMap<Side, Cluster>, round: number): [Side, Cluster][] {
  const sides = [...clusters]
  return round % 2 === 0 ? sides : sides.toReversed()
}
