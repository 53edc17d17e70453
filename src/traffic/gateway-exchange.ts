import { AlthingError } from '../contracts/errors.ts'
import type {
  AttemptFailure,
  ExchangeEnd,
  ProxyExchange,
  ProxyRequest,
  ProxyStep,
} from '../contracts/http.ts'
import type { Clock, Logger } from '../contracts/world.ts'
import type { ServiceInstance } from '../coordination/discovery/discovery-types.ts'
import type { ClientIdentity } from './client-identity.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import type { GatewayCounters } from './gateway-metrics.ts'
import type { RoutingConfig } from './gateway-options.ts'
import type { GatewayPolicy, Route, RouteQuestion } from './gateway-policy.ts'
import type { RecentRoutes, RouteAttempt } from './recent-routes.ts'
import type { Session } from './session-table.ts'
import { isRetrySafe, refusalAfter } from './retry-verdict.ts'

export interface ExchangeContext {
  readonly policy: GatewayPolicy
  readonly config: RoutingConfig
  readonly counters: GatewayCounters
  readonly recent: RecentRoutes
  readonly clock: Clock
  readonly logger: Logger
  readonly service: string
}

interface Failed {
  readonly failure: AttemptFailure
  readonly instanceId: string
}

/** Statuses by which an instance says that it could not serve, though it replied. */
const failingStatuses: ReadonlySet<number> = new Set([502, 504])

/** One request on its way through the gateway: asks the policy, and tells it what came of each attempt. */
export class GatewayExchange implements ProxyExchange {
  readonly #context: ExchangeContext
  readonly #request: ProxyRequest
  readonly #identity: ClientIdentity
  readonly #begunMs: number
  readonly #failedIds = new Set<string>()
  readonly #attempts: RouteAttempt[] = []
  #last: Failed | undefined
  #instance: ServiceInstance | undefined
  /** What the instance is charged with for this exchange now. */
  #charged: 'requests' | 'tunnels' | undefined
  /** The session as it was when the tunnel opened. */
  #tunnelSession: Session | undefined
  #status = 0

  constructor(context: ExchangeContext, request: ProxyRequest) {
    this.#context = context
    this.#request = request
    this.#identity = context.policy.identify(request)
    this.#begunMs = context.clock.monotonicMs()
    context.counters.requests += 1
    context.counters.requestsOpen += 1
    context.policy.retries.deposit()
  }

  next(): ProxyStep {
    if (this.#last !== undefined) {
      const refusal = this.#refusalUnlessRetry(this.#last)
      if (refusal !== undefined) return refusal
    } else {
      const refusal = this.#refusalWhenOverloaded()
      if (refusal !== undefined) return refusal
    }
    const nowMs = this.#context.clock.monotonicMs()
    const question = this.#question()
    const route = this.#context.policy.route(question, nowMs)
    if (route.kind === 'none') return this.#refuseUnrouted(route)
    if (this.#last !== undefined) this.#context.counters.retries += 1
    if (route.movedFrom !== undefined) this.#context.counters.moves[route.movedFrom.cause] += 1
    this.#context.policy.commit(question, route, nowMs)
    return this.#forward(route)
  }

  failed(failure: AttemptFailure): void {
    const { policy, counters, clock } = this.#context
    const instance = this.#instance as ServiceInstance
    counters.failures[failure.kind] += 1
    this.#charge(undefined)
    this.#failedIds.add(instance.id)
    this.#last = { failure, instanceId: instance.id }
    const attempt = this.#attempts.at(-1) as RouteAttempt
    this.#attempts[this.#attempts.length - 1] = {
      ...attempt,
      failure: `${failure.phase}: ${failure.kind}: ${failure.message}`,
    }
    const outcome = failure.kind === 'refused' ? 'refused' : 'failure'
    if (policy.record(instance.id, outcome, failure.message, clock.monotonicMs()))
      this.#reportEjection(instance, failure.message)
  }

  answered(status: number): void {
    this.#status = status
    this.#context.counters.countReply(status)
    this.#recordReply(failingStatuses.has(status) ? `status ${status}` : undefined)
    if (status === 101) this.#openTunnel()
  }

  ended(end: ExchangeEnd): void {
    const { counters, recent, clock } = this.#context
    if (end === 'broken') {
      counters.broken += 1
      this.#recordReply('broke off inside a reply')
    }
    if (end === 'abandoned') counters.abandoned += 1
    if (this.#charged === 'tunnels') this.#closeTunnel()
    else counters.requestsOpen -= 1
    this.#charge(undefined)
    recent.add({
      atMs: clock.wallMs(),
      method: this.#request.method,
      path: pathOf(this.#request.target),
      client: this.#identity.key,
      attempts: this.#attempts,
      status: this.#status,
      end,
      durationMs: clock.monotonicMs() - this.#begunMs,
    })
  }

  #question(): RouteQuestion {
    return {
      identity: this.#identity,
      isUpgrade: this.#request.isUpgrade,
      failedIds: this.#failedIds,
      keepSession: this.#last !== undefined && this.#last.failure.kind !== 'refused',
    }
  }

  #refusalWhenOverloaded(): ProxyStep | undefined {
    const { counters, config } = this.#context
    if (counters.requestsOpen > config.requestsMax)
      return this.#refuse(503, overloaded('requests under way', config.requestsMax))
    if (this.#request.isUpgrade && counters.tunnelsOpen >= config.tunnelsMax)
      return this.#refuse(503, overloaded('open WebSocket connections', config.tunnelsMax))
    return undefined
  }

  #refusalUnlessRetry({ failure, instanceId }: Failed): ProxyStep | undefined {
    const { policy, counters, config, clock } = this.#context
    const { status, error } = refusalAfter(this.#request.method, failure, instanceId)
    const isLast = this.#attempts.length >= config.attemptsMax
    if (isLast || !isRetrySafe(this.#request.method, failure)) return this.#refuse(status, error)
    if (policy.retries.tryWithdraw(clock.monotonicMs())) return undefined
    counters.retriesDenied += 1
    return this.#refuse(status, error)
  }

  #refuseUnrouted(route: Extract<Route, { kind: 'none' }>): ProxyStep {
    if (this.#last !== undefined) {
      const { status, error } = refusalAfter(this.#request.method, this.#last.failure, this.#last.instanceId)
      return this.#refuse(status, error)
    }
    const { service, config } = this.#context
    if (route.cause === 'all-full')
      return this.#refuse(
        503,
        overloaded('requests under way to each instance', config.requestsPerInstanceMax),
      )
    const known = this.#context.policy.size
    const message =
      route.cause === 'no-instances'
        ? `no instance of ${service} is registered`
        : `none of the ${known} instances of ${service} takes new work: all are draining, unhealthy or of weight 0`
    return this.#refuse(503, new AlthingError('unavailable', message, { outcome: 'none' }))
  }

  #refuse(status: number, error: AlthingError): ProxyStep {
    this.#status = status
    this.#context.counters.countRefusal(error.code)
    const replyHeaders: Record<string, string> = error.retryable ? { 'retry-after': '1' } : {}
    return { kind: 'refuse', status, error, replyHeaders }
  }

  #forward(route: Extract<Route, { kind: 'to' }>): ProxyStep {
    const { instance } = route
    const reason = this.#last === undefined ? route.reason : 'retry'
    this.#attempts.push({
      instanceId: instance.id,
      reason,
      ...(route.movedFrom === undefined ? {} : { movedFrom: route.movedFrom }),
    })
    this.#instance = instance
    this.#charge('requests')
    return {
      kind: 'forward',
      address: instance.address,
      requestHeaders: forwardedHeaders(this.#request, this.#context.config.identity.trustedProxies),
      replyHeaders: this.#routeHeaders(instance, reason, route.movedFrom),
    }
  }

  #routeHeaders(
    instance: ServiceInstance,
    reason: RouteAttempt['reason'],
    movedFrom: RouteAttempt['movedFrom'],
  ): Record<string, string> {
    const { routeHeaders, balancer } = this.#context.config
    if (routeHeaders === 'none') return {}
    if (routeHeaders === 'node') return { 'x-althing-node': instance.id }
    const moved = movedFrom === undefined ? '' : `; from=${movedFrom.instanceId}; cause=${movedFrom.cause}`
    const why = `identity=${this.#identity.kind}; balancer=${balancer}; reason=${reason}; attempt=${this.#attempts.length}`
    return { 'x-althing-node': instance.id, 'x-althing-route': why + moved }
  }

  /** `failure` undefined: the instance did well. */
  #recordReply(failure: string | undefined): void {
    const instance = this.#instance
    if (instance === undefined) return
    const nowMs = this.#context.clock.monotonicMs()
    const outcome = failure === undefined ? 'success' : 'failure'
    if (this.#context.policy.record(instance.id, outcome, failure ?? '', nowMs))
      this.#reportEjection(instance, failure ?? '')
  }

  #reportEjection(instance: ServiceInstance, cause: string): void {
    this.#context.counters.ejections += 1
    this.#context.logger.log('warn', 'instance ejected from the gateway', {
      service: this.#context.service,
      instance: instance.id,
      address: instance.address,
      cause,
    })
  }

  #openTunnel(): void {
    const { counters, policy } = this.#context
    counters.requestsOpen -= 1
    counters.tunnelsOpen += 1
    counters.tunnelsOpened += 1
    this.#charge('tunnels')
    const instance = this.#instance as ServiceInstance
    this.#tunnelSession = policy.sessions.tunnelOpened(this.#identity.key, instance.id)
  }

  #closeTunnel(): void {
    const { counters, policy, clock } = this.#context
    counters.tunnelsOpen -= 1
    policy.sessions.tunnelClosed(this.#tunnelSession, clock.monotonicMs())
  }

  #charge(what: 'requests' | 'tunnels' | undefined): void {
    if (this.#instance === undefined) return
    if (this.#charged !== undefined) this.#context.policy.count(this.#instance.id, this.#charged, -1)
    if (what !== undefined) this.#context.policy.count(this.#instance.id, what, 1)
    this.#charged = what
  }
}

function overloaded(what: string, max: number): AlthingError {
  return new AlthingError('overloaded', `the gateway is at its bound of ${max} ${what}`, {
    outcome: 'none',
    details: { max },
  })
}

function pathOf(target: string): string {
  const query = target.indexOf('?')
  return target.slice(0, Math.min(128, query < 0 ? target.length : query))
}
