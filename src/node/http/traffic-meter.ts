import type { ClusterView } from './cluster-view.ts'

/** What the store does, as the member that has got furthest shows it. */
export interface TrafficView {
  /** Changes of the store (revisions) a second since the last snapshot; null on the first. */
  readonly changesPerSecond: number | null
  /** Committed log entries a second, lease and session traffic included. */
  readonly entriesPerSecond: number | null
  readonly revision: number
  readonly keys: number
  readonly leases: number
  /** Over all members. */
  readonly watchers: number
  readonly clients: number
}

interface Sample {
  readonly atMs: number
  readonly revision: number
  readonly commitIndex: number
}

/** Rates from the difference between two looks at the cluster. */
export class TrafficMeter {
  #last: Sample | undefined

  measure(cluster: ClusterView, nowMs: number): TrafficView {
    const statuses = cluster.members.flatMap(({ status }) => status ?? [])
    const newest = statuses.reduce(
      (best, status) => (best === undefined || status.revision > best.revision ? status : best),
      statuses[0],
    )
    const sample: Sample = {
      atMs: nowMs,
      revision: newest?.revision ?? 0,
      commitIndex: Math.max(0, ...statuses.map(({ commitIndex }) => commitIndex)),
    }
    const last = this.#last
    // A look that found fewer members than the last may have found only ones that are behind.
    if (last === undefined || sample.revision >= last.revision) this.#last = sample
    return {
      changesPerSecond: rate(last, sample, 'revision'),
      entriesPerSecond: rate(last, sample, 'commitIndex'),
      revision: sample.revision,
      keys: newest?.keys ?? 0,
      leases: newest?.leases ?? 0,
      watchers: statuses.reduce((sum, { watchers }) => sum + watchers, 0),
      clients: statuses.reduce((sum, { clients }) => sum + clients, 0),
    }
  }
}

function rate(last: Sample | undefined, now: Sample, field: 'revision' | 'commitIndex'): number | null {
  if (last === undefined || now.atMs <= last.atMs) return null
  return (Math.max(0, now[field] - last[field]) * 1_000) / (now.atMs - last.atMs)
}
