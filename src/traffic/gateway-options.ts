import { type Duration, parseDurationMs } from '../base/duration.ts'
import { invalidArgument } from '../contracts/errors.ts'
import type { ProxyRequest } from '../contracts/http.ts'
import { type BalancerName, balancerNames } from '../coordination/discovery/balancing-policies.ts'
import type { ClientIdentityOptions } from './client-identity.ts'
import { IpNetworks } from './ip-address.ts'
import type { OutlierEjectionOptions } from '../coordination/discovery/outlier-ejection.ts'
import type { RetryBudgetOptions } from './retry-budget.ts'
import type { SessionTableOptions } from './session-table.ts'

/** How requests are routed. All optional; the defaults stand in {@link gatewayDefaults}. */
export interface RoutingOptions {
  readonly balancer?: BalancerName
  /**
   * A client stays on the instance that it was given, while that lives. Default true with `consistent-hash`, which gives the
   * same instance in every gateway; with the others false, since each gateway would choose on its own.
   */
  readonly sticky?: boolean
  /** `consistent-hash`: no instance is given more than this multiple of its share of the sessions (> 1). Default: no bound. */
  readonly loadFactor?: number
  readonly userHeader?: string
  readonly deviceHeader?: string
  /** Finds the user's id where it can be believed, for instance in a verified token; asked before `userHeader`. Must not throw. */
  readonly userOf?: (request: ProxyRequest) => string | undefined
  /** Addresses and networks of the proxies before this one whose `X-Forwarded-For` is believed. Default none. */
  readonly trustedProxies?: readonly string[]
  /** Attempts for one request, the first included: 1..10. */
  readonly attemptsMax?: number
  /** Retries per request that came, over all requests. */
  readonly retryRatio?: number
  readonly retriesPerSecondMin?: number
  readonly failuresMax?: number
  readonly ejectFor?: Duration
  readonly ejectForMax?: Duration
  readonly ejectShareMax?: number
  readonly sessionsMax?: number
  readonly sessionIdle?: Duration
  /** Requests under way, over all instances; past it: 503 `overloaded`. */
  readonly requestsMax?: number
  /** Requests under way to one instance; past it the instance is no candidate. */
  readonly requestsPerInstanceMax?: number
  /** Open WebSocket connections; past it: 503 `overloaded`. */
  readonly tunnelsMax?: number
  /** `none`; `node`: replies name their instance in `x-althing-node`; `route`: and say why in `x-althing-route`. */
  readonly routeHeaders?: 'none' | 'node' | 'route'
}

export const gatewayDefaults = {
  balancer: 'consistent-hash',
  userHeader: 'x-user-id',
  deviceHeader: 'x-device-id',
  attemptsMax: 3,
  retryRatio: 0.2,
  retriesPerSecondMin: 5,
  failuresMax: 5,
  ejectFor: '5s',
  ejectForMax: '60s',
  ejectShareMax: 0.5,
  sessionsMax: 200_000,
  sessionIdle: '10m',
  requestsMax: 10_000,
  requestsPerInstanceMax: 2_000,
  tunnelsMax: 50_000,
  routeHeaders: 'node',
} as const satisfies RoutingOptions

/** Options as checked and completed. */
export interface RoutingConfig {
  readonly balancer: BalancerName
  readonly sticky: boolean
  readonly loadFactor: number | undefined
  readonly identity: ClientIdentityOptions
  readonly userOf: ((request: ProxyRequest) => string | undefined) | undefined
  readonly attemptsMax: number
  readonly retryBudget: RetryBudgetOptions
  readonly ejection: OutlierEjectionOptions
  readonly sessions: SessionTableOptions
  readonly requestsMax: number
  readonly requestsPerInstanceMax: number
  readonly tunnelsMax: number
  readonly routeHeaders: 'none' | 'node' | 'route'
}

export function parseRoutingOptions(options: RoutingOptions): RoutingConfig {
  const given = { ...gatewayDefaults, ...withoutUndefined(options) } as Required<
    Omit<RoutingOptions, 'sticky' | 'loadFactor' | 'userOf' | 'trustedProxies'>
  >
  if (!balancerNames.includes(given.balancer))
    throw invalidArgument('balancer', given.balancer, `one of ${balancerNames.join(', ')}`)
  if (!['none', 'node', 'route'].includes(given.routeHeaders))
    throw invalidArgument('routeHeaders', given.routeHeaders, 'one of none, node, route')
  if (options.loadFactor !== undefined && !(options.loadFactor > 1))
    throw invalidArgument('loadFactor', options.loadFactor, 'a number greater than 1')
  return {
    balancer: given.balancer,
    sticky: options.sticky ?? given.balancer === 'consistent-hash',
    loadFactor: options.loadFactor,
    userOf: options.userOf,
    identity: {
      userHeader: fieldName('userHeader', given.userHeader),
      deviceHeader: fieldName('deviceHeader', given.deviceHeader),
      trustedProxies: new IpNetworks(options.trustedProxies ?? []),
    },
    attemptsMax: within('attemptsMax', given.attemptsMax, 1, 10),
    retryBudget: {
      ratio: numberWithin('retryRatio', given.retryRatio, 0, 1),
      perSecondMin: numberWithin('retriesPerSecondMin', given.retriesPerSecondMin, 0, 1_000),
    },
    ejection: {
      failuresMax: within('failuresMax', given.failuresMax, 1, 1_000),
      ejectMs: milliseconds('ejectFor', given.ejectFor),
      ejectMsMax: milliseconds('ejectForMax', given.ejectForMax),
      shareMax: numberWithin('ejectShareMax', given.ejectShareMax, 0, 1),
    },
    sessions: {
      sessionsMax: within('sessionsMax', given.sessionsMax, 1, 10_000_000),
      idleMs: milliseconds('sessionIdle', given.sessionIdle),
    },
    requestsMax: within('requestsMax', given.requestsMax, 1, 1_000_000),
    requestsPerInstanceMax: within('requestsPerInstanceMax', given.requestsPerInstanceMax, 1, 1_000_000),
    tunnelsMax: within('tunnelsMax', given.tunnelsMax, 0, 1_000_000),
    routeHeaders: given.routeHeaders,
  }
}

function withoutUndefined(options: RoutingOptions): RoutingOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function within(field: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw invalidArgument(field, value, `an integer in ${min}..${max}`)
  return value
}

function numberWithin(field: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max)) throw invalidArgument(field, value, `a number in ${min}..${max}`)
  return value
}

function milliseconds(field: string, value: Duration): number {
  const ms = parseDurationMs(value)
  if (ms === undefined || ms < 1)
    throw invalidArgument(field, value, "a duration of 1 ms or more, such as 5000 or '5s'")
  return ms
}

function fieldName(field: string, value: string): string {
  if (!/^[a-z0-9-]{1,64}$/.test(value))
    throw invalidArgument(field, value, 'a lower-case name of a header field')
  return value
}
