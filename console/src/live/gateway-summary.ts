// What the counters of the gateways come to. Pure.
import type { GatewayEntry, GatewayStats, InstanceView, RouteRecord } from '../api/types.ts'

export interface GatewaySummary {
  readonly answering: number
  readonly sessions: number
  readonly tunnels: number
  readonly errors: number
  readonly requests: number
  /** Of the recent requests of clients that had a session, the share that went where it is; `undefined` when there were none. */
  readonly keptShare: number | undefined
  readonly latency: { readonly p50: number; readonly p99: number; readonly count: number } | undefined
  /** Newest first, of all gateways. */
  readonly routes: readonly RouteRecord[]
  /** By instance, over all gateways. */
  readonly upstreams: readonly InstanceView[]
}

const routesMax = 50

export function summarise(gateways: readonly GatewayEntry[]): GatewaySummary {
  const stats = gateways.flatMap((gateway) => gateway.stats ?? [])
  const routes = stats.flatMap(({ recentRoutes }) => recentRoutes)
  const sum = (count: (each: GatewayStats) => number) => stats.reduce((total, each) => total + count(each), 0)
  return {
    answering: stats.length,
    sessions: sum(({ metrics }) => metrics.sessions),
    tunnels: sum(({ metrics }) => metrics.tunnelsOpen),
    errors: sum(({ metrics }) => errorsIn(metrics)),
    requests: sum(({ metrics }) => metrics.requests),
    keptShare: keptShare(routes),
    latency: latencyOf(routes),
    routes: routes.toSorted((a, b) => b.atMs - a.atMs).slice(0, routesMax),
    upstreams: mergedUpstreams(stats),
  }
}

/** Replies with 5xx, refusals of the gateway itself, and replies that broke off. */
export function errorsIn(metrics: GatewayStats['metrics']): number {
  const refused = Object.values(metrics.refusals).reduce((total, count) => total + count, 0)
  return metrics.replies['5xx'] + refused + metrics.broken
}

function keptShare(routes: readonly RouteRecord[]): number | undefined {
  const first = routes.flatMap(({ attempts }) => attempts.slice(0, 1))
  const kept = first.filter(({ reason }) => reason === 'session').length
  const moved = first.filter(({ reason }) => reason === 'moved').length
  return kept + moved === 0 ? undefined : kept / (kept + moved)
}

/** Tunnels stay open as long as their clients like: their length says nothing of speed. */
function latencyOf(routes: readonly RouteRecord[]): GatewaySummary['latency'] {
  const sorted = routes
    .filter(({ status }) => status >= 200)
    .map(({ durationMs }) => durationMs)
    .toSorted((a, b) => a - b)
  if (sorted.length === 0) return undefined
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), count: sorted.length }
}

/** The smallest value that at least this share is not above. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

function mergedUpstreams(stats: readonly GatewayStats[]): InstanceView[] {
  const merged = new Map<string, InstanceView>()
  for (const view of stats.flatMap(({ instances }) => instances)) {
    const before = merged.get(view.id)
    merged.set(
      view.id,
      before === undefined
        ? view
        : {
            ...before,
            state: view.state === 'up' ? before.state : view.state,
            requests: before.requests + view.requests,
            tunnels: before.tunnels + view.tunnels,
            sessions: before.sessions + view.sessions,
          },
    )
  }
  return [...merged.values()].toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
}
