import type { ProxyRequest } from '../contracts/http.ts'
import type { Random } from '../contracts/world.ts'
import { isEligible, type ServiceInstance } from '../coordination/discovery/discovery-types.ts'
import { HashRing } from '../protocols/ring/hash-ring.ts'
import type { KeyHash } from '../protocols/ring/key-hash.ts'
import {
  type Balancer,
  type Candidate,
  createBalancer,
} from '../coordination/discovery/balancing-policies.ts'
import { type ClientIdentity, identifyClient, identityLengthMax } from './client-identity.ts'
import type { RoutingConfig } from './gateway-options.ts'
import { type OutcomeOfAttempt, OutlierEjection } from '../coordination/discovery/outlier-ejection.ts'
import { RetryBudget } from './retry-budget.ts'
import { SessionTable } from './session-table.ts'

/** Loads are bounded by their own means; so few points that ten thousand instances fit. */
const ringPoints = 150

/** Why a session is not where it was. */
export type MoveCause = 'gone' | 'ejected' | 'draining' | 'unhealthy' | 'full' | 'failed'

/**
 * `session`: the client's session is there. `balanced`: chosen for a new session, or sessions are off. `moved`: the session's instance could not be used.
 * `panic`: all instances are ejected, so ejection is not looked at.
 */
export type RouteReason = 'session' | 'balanced' | 'moved' | 'panic'

export type Route =
  | {
      readonly kind: 'to'
      readonly instance: ServiceInstance
      readonly reason: RouteReason
      readonly movedFrom?: { readonly instanceId: string; readonly cause: MoveCause }
    }
  | {
      readonly kind: 'none'
      readonly cause: 'no-instances' | 'all-draining-or-unhealthy' | 'all-full' | 'all-failed'
    }

export interface RouteQuestion {
  readonly identity: ClientIdentity
  readonly isUpgrade: boolean
  /** Instances that this request has been sent to in vain. */
  readonly failedIds: ReadonlySet<string>
  /** The last failure left open whether the instance is well: the session stays with it and only this request goes elsewhere. */
  readonly keepSession: boolean
}

/** An instance as the gateway sees it now. */
export interface InstanceView {
  readonly id: string
  readonly address: string
  readonly state: 'up' | 'draining' | 'unhealthy' | 'ejected' | 'standby'
  readonly requests: number
  readonly tunnels: number
  readonly sessions: number
  readonly ejectedForMs?: number
  readonly ejectionCause?: string
}

interface Load {
  requests: number
  tunnels: number
}

/** Everything that decides where a request goes. Does no I/O; time and randomness are given. */
export class GatewayPolicy {
  readonly sessions: SessionTable
  readonly retries: RetryBudget
  readonly #config: RoutingConfig
  readonly #ring: HashRing
  readonly #balancer: Balancer
  readonly #ejection: OutlierEjection
  readonly #loads = new Map<string, Load>()
  #instances = new Map<string, ServiceInstance>()

  constructor(
    config: RoutingConfig,
    dependencies: { readonly hash: KeyHash; readonly random: Random; readonly nowMs: number },
  ) {
    this.#config = config
    this.#ring = new HashRing(dependencies.hash, { virtualNodes: ringPoints })
    this.#ejection = new OutlierEjection(config.ejection)
    this.sessions = new SessionTable(config.sessions)
    this.retries = new RetryBudget(config.retryBudget, dependencies.nowMs)
    this.#balancer = createBalancer(config.balancer, {
      random: dependencies.random,
      ring: this.#ring,
      sessionsOn: (id) => this.sessions.countOn(id),
      ...(config.loadFactor === undefined ? {} : { loadFactor: config.loadFactor }),
    })
  }

  get size(): number {
    return this.#instances.size
  }

  /** The service's instances now, in place of those before. */
  setInstances(instances: readonly ServiceInstance[]): void {
    for (const { id, registrationRevision } of instances) {
      const before = this.#instances.get(id)
      if (before !== undefined && before.registrationRevision !== registrationRevision)
        this.#ejection.forget(id)
    }
    this.#instances = new Map(instances.map((instance) => [instance.id, instance]))
    this.#ejection.retain(new Set(this.#instances.keys()))
    for (const id of this.#ring.members().keys()) {
      if ((this.#instances.get(id)?.weight ?? 0) === 0) this.#ring.remove(id)
    }
    for (const { id, weight } of instances) if (weight > 0) this.#ring.add(id, weight / 100)
    for (const [id, load] of this.#loads) {
      if (!this.#instances.has(id) && load.requests + load.tunnels === 0) this.#loads.delete(id)
    }
  }

  identify(request: ProxyRequest): ClientIdentity {
    const identity = identifyClient(request, this.#config.identity)
    const user = this.#config.userOf?.(request)
    if (user === undefined || user === '' || user.length > identityLengthMax) return identity
    return { kind: 'user', key: `user:${user}`, address: identity.address }
  }

  /** Where this request goes. Changes nothing: {@link commit} does. */
  route(question: RouteQuestion, nowMs: number): Route {
    const own = this.#config.sticky ? this.sessions.find(question.identity.key, nowMs) : undefined
    if (own === undefined) return this.#choose(question, nowMs)
    const obstacle = this.#obstacleTo(own, question, nowMs)
    if (obstacle === undefined)
      return {
        kind: 'to',
        instance: this.#instances.get(own.instanceId) as ServiceInstance,
        reason: 'session',
      }
    const chosen = this.#choose(question, nowMs)
    if (chosen.kind === 'none') return chosen
    if (chosen.instance.id === own.instanceId) return chosen
    return {
      ...chosen,
      reason: chosen.reason === 'panic' ? 'panic' : 'moved',
      movedFrom: { instanceId: own.instanceId, cause: obstacle },
    }
  }

  /** The request is being sent along `route`: the session is there from now on, unless it only steps aside for this request. */
  commit(question: RouteQuestion, route: Route, nowMs: number): void {
    if (!this.#config.sticky || route.kind === 'none') return
    const { key } = question.identity
    const cause = route.movedFrom?.cause
    const isDetour = cause === 'full' || (cause === 'failed' && question.keepSession)
    if (route.reason === 'session' || isDetour) this.sessions.touch(key, nowMs)
    else this.sessions.bind(key, route.instance.id, nowMs)
  }

  /** What came of an attempt on the instance. True when it has been ejected for it. */
  record(instanceId: string, outcome: OutcomeOfAttempt, cause: string, nowMs: number): boolean {
    return this.#ejection.record(instanceId, outcome, cause, nowMs)
  }

  /** Requests or tunnels that began (+1) or ended (-1) on the instance. */
  count(instanceId: string, what: keyof Load, change: 1 | -1): void {
    const load = this.#loads.get(instanceId) ?? { requests: 0, tunnels: 0 }
    load[what] += change
    if (load.requests + load.tunnels === 0 && !this.#instances.has(instanceId)) this.#loads.delete(instanceId)
    else this.#loads.set(instanceId, load)
  }

  /** Ordered by id. */
  view(nowMs: number): InstanceView[] {
    const views = [...this.#instances.values()].map((instance) => this.#viewOf(instance, nowMs))
    return views.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  #choose(question: RouteQuestion, nowMs: number): Route {
    if (this.#instances.size === 0) return { kind: 'none', cause: 'no-instances' }
    const eligible = [...this.#instances.values()].filter(isEligible)
    if (eligible.length === 0) return { kind: 'none', cause: 'all-draining-or-unhealthy' }
    const untried = eligible.filter(({ id }) => !question.failedIds.has(id))
    if (untried.length === 0) return { kind: 'none', cause: 'all-failed' }
    const open = untried.filter(({ id }) => !this.#isFull(id))
    if (open.length === 0) return { kind: 'none', cause: 'all-full' }
    const sound = open.filter(({ id }) => !this.#ejection.isEjected(id, nowMs))
    const candidates = (sound.length > 0 ? sound : open).map((instance) => this.#candidate(instance))
    const picked = this.#balancer.pick(candidates, question.identity.key) as Candidate
    return {
      kind: 'to',
      instance: this.#instances.get(picked.id) as ServiceInstance,
      reason: sound.length > 0 ? 'balanced' : 'panic',
    }
  }

  /**
   * What keeps the session from staying where it is. A draining instance keeps a session while it holds a tunnel of it, but is given no new
   * tunnel; so a client that is told to go away comes back elsewhere.
   */
  #obstacleTo(
    session: { readonly instanceId: string; readonly tunnels: number },
    question: RouteQuestion,
    nowMs: number,
  ): MoveCause | undefined {
    const instance = this.#instances.get(session.instanceId)
    if (instance === undefined) return 'gone'
    if (question.failedIds.has(instance.id)) return 'failed'
    if (this.#ejection.isEjected(instance.id, nowMs)) return 'ejected'
    if (instance.health.state === 'unhealthy') return 'unhealthy'
    if (instance.state === 'draining' && (question.isUpgrade || session.tunnels === 0)) return 'draining'
    if (this.#isFull(instance.id)) return 'full'
    return undefined
  }

  #isFull(instanceId: string): boolean {
    return (this.#loads.get(instanceId)?.requests ?? 0) >= this.#config.requestsPerInstanceMax
  }

  #candidate(instance: ServiceInstance): Candidate {
    const load = this.#loads.get(instance.id)
    return {
      id: instance.id,
      weight: instance.weight,
      load: load === undefined ? 0 : load.requests + load.tunnels,
    }
  }

  #viewOf(instance: ServiceInstance, nowMs: number): InstanceView {
    const ejection = this.#ejection.ejection(instance.id, nowMs)
    const load = this.#loads.get(instance.id)
    return {
      id: instance.id,
      address: instance.address,
      state: stateOf(instance, ejection !== undefined),
      requests: load?.requests ?? 0,
      tunnels: load?.tunnels ?? 0,
      sessions: this.sessions.countOn(instance.id),
      ...(ejection === undefined
        ? {}
        : { ejectedForMs: ejection.untilMs - nowMs, ejectionCause: ejection.cause }),
    }
  }
}

function stateOf(instance: ServiceInstance, isEjected: boolean): InstanceView['state'] {
  if (instance.state === 'draining') return 'draining'
  if (isEjected) return 'ejected'
  if (instance.health.state !== 'healthy') return 'unhealthy'
  return instance.weight > 0 ? 'up' : 'standby'
}
