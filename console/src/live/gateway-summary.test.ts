import { expect, test } from 'vitest'
import type { GatewayEntry, GatewayStats, InstanceView, RouteRecord } from '../api/types.ts'
import { percentile, summarise } from './gateway-summary.ts'

const metrics: GatewayStats['metrics'] = {
  requests: 100,
  replies: { '1xx': 1, '2xx': 95, '3xx': 0, '4xx': 1, '5xx': 2 },
  refusals: { unavailable: 1 },
  failures: { refused: 0, timeout: 0, reset: 0, malformed: 0 },
  retries: 0,
  retriesDenied: 0,
  broken: 3,
  abandoned: 5,
  ejections: 0,
  moves: { gone: 0, ejected: 0, draining: 0, unhealthy: 0, full: 0, failed: 0 },
  tunnelsOpened: 1,
  requestsOpen: 0,
  tunnelsOpen: 4,
  sessions: 7,
}

function route(
  atMs: number,
  reason: 'session' | 'balanced' | 'moved',
  durationMs = 5,
  status = 200,
): RouteRecord {
  const attempts = [{ instanceId: 'w1', reason }]
  return {
    atMs,
    method: 'GET',
    path: '/',
    client: 'user:1',
    attempts,
    status,
    end: 'complete' as RouteRecord['end'],
    durationMs,
  }
}

function upstream(id: string, sessions: number, state: InstanceView['state'] = 'up'): InstanceView {
  return { id, address: `${id}:80`, state, requests: 1, tunnels: 2, sessions }
}

function gateway(id: string, stats: Partial<GatewayStats> | null): GatewayEntry {
  if (stats === null) return { id, address: id, stats, problem: 'silent' }
  return {
    id,
    address: id,
    stats: { address: id, service: 'agora', metrics, instances: [], recentRoutes: [], ...stats },
  }
}

test('counts are added over the gateways that answer', () => {
  const summary = summarise([gateway('a', {}), gateway('b', {}), gateway('c', null)])
  expect(summary).toMatchObject({ answering: 2, sessions: 14, tunnels: 8, errors: 12, requests: 200 })
})

test('the kept share looks only at clients that had a session', () => {
  const recentRoutes = [route(4, 'session'), route(3, 'session'), route(2, 'moved'), route(1, 'balanced')]
  expect(summarise([gateway('a', { recentRoutes })]).keptShare).toBeCloseTo(2 / 3)
  expect(summarise([gateway('a', { recentRoutes: [route(1, 'balanced')] })]).keptShare).toBeUndefined()
})

test('tunnels and abandoned requests do not count as latency', () => {
  const recentRoutes = [route(3, 'session', 8), route(2, 'session', 90_000, 101), route(1, 'session', 4, 0)]
  expect(summarise([gateway('a', { recentRoutes })]).latency).toEqual({ p50: 8, p99: 8, count: 1 })
  expect(summarise([gateway('a', {})]).latency).toBeUndefined()
})

test('routes of several gateways stand newest first', () => {
  const summary = summarise([
    gateway('a', { recentRoutes: [route(5, 'session'), route(1, 'session')] }),
    gateway('b', { recentRoutes: [route(3, 'session')] }),
  ])
  expect(summary.routes.map(({ atMs }) => atMs)).toEqual([5, 3, 1])
})

test('an instance that two gateways know is one, in the worse of its states', () => {
  const summary = summarise([
    gateway('a', { instances: [upstream('w10', 1), upstream('w2', 1)] }),
    gateway('b', { instances: [upstream('w2', 4, 'ejected')] }),
  ])
  expect(summary.upstreams).toMatchObject([
    { id: 'w2', sessions: 5, state: 'ejected', tunnels: 4 },
    { id: 'w10', sessions: 1, state: 'up' },
  ])
})

test('percentiles are values that occurred', () => {
  const sorted = Array.from({ length: 100 }, (_, i) => i + 1)
  expect([percentile(sorted, 0.5), percentile(sorted, 0.99), percentile([7], 0.99)]).toEqual([50, 99, 7])
})
