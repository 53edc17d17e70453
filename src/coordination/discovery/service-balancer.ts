import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { HashRing, hashRingDefaults } from '../../protocols/ring/hash-ring.ts'
import type { KeyHash } from '../../protocols/ring/key-hash.ts'
import {
  type Balancer,
  type BalancerName,
  type Candidate as WeightedCandidate,
  createBalancer,
} from './balancing-policies.ts'
import { isEligible, type LiveSet, type ServiceInstance } from './discovery-types.ts'
import { OutlierEjection } from './outlier-ejection.ts'

/** How the balancer of a service chooses, and what each is called among the policies that it shares with the gateway. */
const policies = {
  'round-robin': 'round-robin',
  weighted: 'round-robin',
  random: 'random',
  'least-connections': 'least-connections',
  'power-of-two': 'two-choices',
  'consistent-hash': 'consistent-hash',
} as const satisfies Readonly<Record<string, BalancerName>>

/**
 * `round-robin`: each in turn, whatever its weight. `weighted`: smooth weighted round robin, as in nginx. `random`: by weight. `least-connections`: the fewest picks under way
 * for its weight. `power-of-two`: the less loaded of two drawn at random. `consistent-hash`: by key, with bounded loads.
 */
export type BalancingPolicy = keyof typeof policies

export interface BalancerOptions {
  /** Default `'power-of-two'`. */
  readonly policy?: BalancingPolicy
  /** Instances of this zone are preferred while enough of them can be used ({@link BalancerOptions.zoneShareMin}). Default: none is. */
  readonly zone?: string
  /** Picks spill over to all zones when a smaller share of the zone's instances can be used: 0..1. Default 0.5. */
  readonly zoneShareMin?: number
  /** Only instances of this version, or of those for which the function says yes. Default: of any. */
  readonly version?: string | ((version: string) => boolean)
  /** Picks under way on one instance; past it the instance is no candidate. Default: no bound. */
  readonly picksPerInstanceMax?: number
  /** `consistent-hash`: no instance has more than this multiple of its share of the picks under way (> 1). Default 1.25. */
  readonly loadFactor?: number
  /** Failures in a row after which an instance is left alone for a while; `failed` with `isRefused` does so at once. Default 5. */
  readonly failuresMax?: number
}

/** One choice. Tell what came of it: load and ejection count on it. */
export interface Picked {
  readonly instance: ServiceInstance
  /** What was asked of the instance is over, and well. Idempotent; the first of `done` and `failed` counts. */
  done(): void
  /** It has failed through the instance's fault. `isRefused`: it could not be reached at all. */
  failed(cause?: string, options?: { readonly isRefused?: boolean }): void
}

interface Candidate extends WeightedCandidate {
  instance: ServiceInstance
  weight: number
  load: number
}

const ejectionDefaults = { failuresMax: 5, ejectMs: 5_000, ejectMsMax: 60_000, shareMax: 0.5 } as const

/**
 * Chooses among the instances of a service, in the process that calls them. It goes on with the last set that is known while the store cannot be reached. Made by
 * `Discovery.balancer`.
 */
export class ServiceBalancer {
  readonly service: string
  readonly #world: World
  readonly #liveSet: LiveSet
  readonly #options: BalancerOptions
  readonly #policy: BalancingPolicy
  readonly #balancer: Balancer
  readonly #ring: HashRing
  readonly #ejection: OutlierEjection
  readonly #candidates = new Map<string, Candidate>()
  /** Of those that may be used: in the preferred zone, and in all. */
  #near: readonly Candidate[] = []
  #all: readonly Candidate[] = []
  /** Instances of the preferred zone, usable or not. */
  #nearCount = 0

  constructor(world: World, liveSet: LiveSet, hash: KeyHash, options: BalancerOptions) {
    this.service = liveSet.service
    this.#world = world
    this.#liveSet = liveSet
    this.#options = options
    this.#policy = options.policy ?? 'power-of-two'
    this.#ring = new HashRing(hash)
    this.#ejection = new OutlierEjection({
      ...ejectionDefaults,
      failuresMax: options.failuresMax ?? ejectionDefaults.failuresMax,
    })
    this.#balancer = createBalancer(policies[this.#policy], {
      random: world.random,
      ring: this.#ring,
      sessionsOn: (id) => this.#candidates.get(id)?.load ?? 0,
      loadFactor: options.loadFactor ?? hashRingDefaults.loadFactor,
    })
    liveSet.subscribe(({ instances }) => this.#take(instances))
  }

  /** The set that is chosen from is the last known one, and the store has been silent. */
  get isStale(): boolean {
    return this.#liveSet.current.stale
  }

  /** How many instances can be picked from now. */
  get size(): number {
    return this.#all.length
  }

  /**
   * An instance for new work; with `consistent-hash` the one of `key` (default: a random one). Throws `unavailable` (nothing was done) when none is there, or all are full: `details.instances` is
   * how many the service has.
   */
  pick(key?: string): Picked {
    const nowMs = this.#world.clock.monotonicMs()
    const candidates = this.#usable(nowMs)
    const hashed = key ?? (this.#policy === 'consistent-hash' ? String(this.#world.random.float()) : '')
    const chosen = this.#balancer.pick(candidates, hashed) as Candidate | undefined
    if (chosen === undefined) throw this.#nobody()
    return this.#pickOf(chosen)
  }

  /** Idempotent. Picks under way may still be ended. */
  close(): void {
    this.#liveSet.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #take(instances: readonly ServiceInstance[]): void {
    const present = new Set(instances.map(({ id }) => id))
    for (const id of this.#candidates.keys()) if (!present.has(id)) this.#candidates.delete(id)
    const usable: Candidate[] = []
    const { zone } = this.#options
    this.#nearCount = 0
    for (const instance of instances) {
      if (!this.#hasVersion(instance)) continue
      if (zone !== undefined && instance.zone === zone) this.#nearCount++
      const candidate = this.#candidateOf(instance)
      if (isEligible(instance)) usable.push(candidate)
    }
    this.#all = usable
    this.#near = zone === undefined ? [] : usable.filter(({ instance }) => instance.zone === zone)
    this.#ejection.retain(new Set(usable.map(({ id }) => id)))
    if (this.#policy === 'consistent-hash') this.#placeOnRing()
  }

  #candidateOf(instance: ServiceInstance): Candidate {
    const { id } = instance
    const weight = this.#policy === 'round-robin' ? 100 : instance.weight
    const known = this.#candidates.get(id)
    if (known?.instance.registrationRevision === instance.registrationRevision) {
      known.instance = instance
      known.weight = weight
      return known
    }
    // Another process: what the one before did is not held against it.
    this.#ejection.forget(id)
    const candidate = { id, weight, load: 0, instance }
    this.#candidates.set(id, candidate)
    return candidate
  }

  #placeOnRing(): void {
    const weights = new Map(this.#all.map(({ id, weight }) => [id, weight]))
    for (const id of this.#ring.members().keys()) if (!weights.has(id)) this.#ring.remove(id)
    for (const [id, weight] of weights) this.#ring.add(id, Math.max(0.01, weight / 100))
  }

  #hasVersion({ version }: ServiceInstance): boolean {
    const wanted = this.#options.version
    if (wanted === undefined) return true
    return typeof wanted === 'string' ? version === wanted : wanted(version)
  }

  /** Near ones while enough of the zone can be used; ejected ones only when there are no others. */
  #usable(nowMs: number): readonly Candidate[] {
    const near = this.#sound(this.#near, nowMs)
    const share = this.#nearCount === 0 ? 0 : near.length / this.#nearCount
    if (near.length > 0 && share >= (this.#options.zoneShareMin ?? 0.5)) return near
    const sound = this.#sound(this.#all, nowMs)
    return sound.length > 0 ? sound : this.#all.filter((candidate) => this.#hasRoom(candidate))
  }

  #sound(candidates: readonly Candidate[], nowMs: number): readonly Candidate[] {
    return candidates.filter(
      (candidate) => !this.#ejection.isEjected(candidate.id, nowMs) && this.#hasRoom(candidate),
    )
  }

  #hasRoom({ load }: Candidate): boolean {
    return load < (this.#options.picksPerInstanceMax ?? Number.POSITIVE_INFINITY)
  }

  #pickOf(candidate: Candidate): Picked {
    candidate.load++
    let isOver = false
    const end = (outcome: 'success' | 'failure' | 'refused', cause: string): void => {
      if (isOver) return
      isOver = true
      candidate.load--
      // Of a process that is gone nothing is to be learnt about the one that has its name now.
      if (this.#candidates.get(candidate.id) !== candidate) return
      this.#ejection.record(candidate.id, outcome, cause, this.#world.clock.monotonicMs())
    }
    return {
      instance: candidate.instance,
      done: () => end('success', ''),
      failed: (cause = 'failed', { isRefused = false } = {}) => end(isRefused ? 'refused' : 'failure', cause),
    }
  }

  #nobody(): AlthingError {
    const { instances, stale } = this.#liveSet.current
    const why =
      instances.length === 0
        ? 'it has none'
        : this.#all.length === 0
          ? 'none is up, healthy, of the version asked for and of a weight above 0'
          : 'all have as many picks under way as they may (picksPerInstanceMax)'
    return new AlthingError('unavailable', `no instance of service "${this.service}" can be picked: ${why}`, {
      outcome: 'none',
      details: { instances: instances.length, stale },
    })
  }
}

/** Throws `invalid-argument`. */
export function assertBalancerOptions(options: BalancerOptions): void {
  const { policy = 'random', zoneShareMin = 0, loadFactor = 2 } = options
  if (!Object.hasOwn(policies, policy)) {
    throw invalidArgument('policy', policy, `one of ${Object.keys(policies).join(', ')}`)
  }
  if (!(zoneShareMin >= 0 && zoneShareMin <= 1)) {
    throw invalidArgument('zoneShareMin', zoneShareMin, 'a number from 0 to 1')
  }
  if (!(loadFactor > 1)) throw invalidArgument('loadFactor', loadFactor, 'a number greater than 1')
  for (const field of ['picksPerInstanceMax', 'failuresMax'] as const) {
    const value = options[field] ?? 1
    if (!Number.isInteger(value) || value < 1) throw invalidArgument(field, value, 'a whole number from 1 on')
  }
}
