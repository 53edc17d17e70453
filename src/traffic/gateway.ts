import { type Duration, parseDurationMs } from '../base/duration.ts'
import { invalidArgument } from '../contracts/errors.ts'
import type {
  HttpProxyHost,
  HttpProxyOptions,
  HttpProxyServer,
  ProxyExchange,
  ProxyHandler,
  ProxyRequest,
} from '../contracts/http.ts'
import type { World } from '../contracts/world.ts'
import type { LiveSet, ServiceDirectory } from '../coordination/discovery/discovery-types.ts'
import { createKeyHash } from '../protocols/ring/key-hash.ts'
import type { ClientIdentity } from './client-identity.ts'
import { type ExchangeContext, GatewayExchange } from './gateway-exchange.ts'
import { GatewayCounters, type GatewayMetrics } from './gateway-metrics.ts'
import { parseRoutingOptions, type RoutingOptions } from './gateway-options.ts'
import { GatewayPolicy, type InstanceView, type Route } from './gateway-policy.ts'
import { RecentRoutes, type RouteRecord } from './recent-routes.ts'

export interface GatewayDependencies {
  readonly world: Pick<World, 'clock' | 'random' | 'logger'>
  /** The data path: `NodeHttpProxyHost` in a real process. */
  readonly http: HttpProxyHost
  readonly directory: Pick<ServiceDirectory, 'watch'>
}

export interface GatewayOptions extends RoutingOptions {
  /** The service, as its instances registered it with discovery; their addresses are `host:port` of plain HTTP. */
  readonly service: string
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string
  /** Bounds and times of the data path. */
  readonly limits?: Omit<HttpProxyOptions, 'address'>
  /** How many routes {@link Gateway.recentRoutes} remembers: 0..10,000. Default 256. */
  readonly recentRoutesMax?: number
}

/** One client and what the gateway would do with its next request. */
export interface RouteExplanation {
  readonly identity: ClientIdentity
  readonly route: Route
  readonly instances: readonly InstanceView[]
}

/**
 * A reverse proxy for HTTP and WebSocket before the instances of one service, which discovery names. A client (its user id, else
 * device id, else address) stays on one instance while that lives; the death of an instance moves only its own clients.
 */
export interface Gateway extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string
  metrics(): GatewayMetrics
  /** Ordered by id. */
  instances(): readonly InstanceView[]
  /** Where the next request of this client would go, and why. Changes nothing. */
  why(client: WhyQuestion): RouteExplanation
  /** The routes that the last requests took, newest first. */
  recentRoutes(): readonly RouteRecord[]
  /** Takes no new connections and waits for what is under way; after `within` (default 30 s) the rest is cut. Idempotent. */
  drain(options?: { readonly within?: Duration }): Promise<void>
  /** Cuts everything. Idempotent. */
  close(): Promise<void>
}

/** The first that is given counts. */
export interface WhyQuestion {
  readonly userId?: string
  readonly deviceId?: string
  readonly address?: string
  readonly isUpgrade?: boolean
}

/** Rejects with `invalid-argument`, or `unavailable` when the address to listen on is taken. Until discovery has answered, requests get 503. */
export async function createGateway(
  dependencies: GatewayDependencies,
  options: GatewayOptions,
): Promise<Gateway> {
  const config = parseRoutingOptions(options)
  const recentRoutesMax = options.recentRoutesMax ?? 256
  if (!Number.isInteger(recentRoutesMax) || recentRoutesMax < 0 || recentRoutesMax > 10_000)
    throw invalidArgument('recentRoutesMax', recentRoutesMax, 'an integer in 0..10000')
  const { clock, random, logger } = dependencies.world
  const hash = await createKeyHash()
  const context: ExchangeContext = {
    policy: new GatewayPolicy(config, { hash, random, nowMs: clock.monotonicMs() }),
    config,
    counters: new GatewayCounters(),
    recent: new RecentRoutes(recentRoutesMax),
    clock,
    logger,
    service: options.service,
  }
  const handler: ProxyHandler = { begin: (request): ProxyExchange => new GatewayExchange(context, request) }
  const server = await dependencies.http.listen({ ...options.limits, address: options.listen }, handler)
  return new RunningGateway(context, server, dependencies.directory.watch(options.service))
}

class RunningGateway implements Gateway {
  readonly #context: ExchangeContext
  readonly #server: HttpProxyServer
  readonly #liveSet: LiveSet
  readonly #unsubscribe: () => void

  constructor(context: ExchangeContext, server: HttpProxyServer, liveSet: LiveSet) {
    this.#context = context
    this.#server = server
    this.#liveSet = liveSet
    this.#unsubscribe = liveSet.subscribe(({ instances }) => {
      context.policy.setInstances(instances)
      server.retain(new Set(instances.map(({ address }) => address)))
    })
  }

  get address(): string {
    return this.#server.address
  }

  metrics(): GatewayMetrics {
    return this.#context.counters.snapshot(this.#context.policy.sessions.size)
  }

  instances(): readonly InstanceView[] {
    return this.#context.policy.view(this.#context.clock.monotonicMs())
  }

  why(client: WhyQuestion): RouteExplanation {
    const { policy, config, clock } = this.#context
    const identity = policy.identify(requestOf(client, config.identity))
    const question = {
      identity,
      isUpgrade: client.isUpgrade ?? false,
      failedIds: new Set<string>(),
      keepSession: false,
    }
    return { identity, route: policy.route(question, clock.monotonicMs()), instances: this.instances() }
  }

  recentRoutes(): readonly RouteRecord[] {
    return this.#context.recent.list()
  }

  async drain(options: { readonly within?: Duration } = {}): Promise<void> {
    const withinMs = parseDurationMs(options.within ?? '30s')
    if (withinMs === undefined) throw invalidArgument('within', options.within, "a duration such as '30s'")
    await this.#server.drain(withinMs)
    this.#stopFollowing()
  }

  async close(): Promise<void> {
    this.#stopFollowing()
    await this.#server.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  #stopFollowing(): void {
    this.#unsubscribe()
    this.#liveSet.close()
  }
}

function requestOf(
  client: WhyQuestion,
  names: { readonly userHeader: string; readonly deviceHeader: string },
): ProxyRequest {
  return {
    method: 'GET',
    target: '/',
    headers: { [names.userHeader]: client.userId, [names.deviceHeader]: client.deviceId },
    remoteAddress: client.address ?? '',
    isUpgrade: client.isUpgrade ?? false,
  }
}
