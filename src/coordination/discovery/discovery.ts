import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { createKeyHash } from '../../protocols/ring/key-hash.ts'
import { abortedError, untilAborted } from '../abortable.ts'
import type {
  LiveSet,
  RegisterOptions,
  Registration,
  ServiceDirectory,
  ServiceInstance,
  WatchServiceOptions,
} from './discovery-types.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { checkSpec, checkTiming } from './check-plan.ts'
import { HealthTracker } from './health-tracker.ts'
import {
  decodeInstance,
  describeInstance,
  type InstanceEntry,
  instanceDefaults,
  registryName,
  serviceOfKey,
  serviceRange,
  servicesPrefix,
} from './instance-entry.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { WatchedLiveSet } from './live-set.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { durationMs, leaseTtlMs, randomId } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { RegistrationHandle } from './registration.ts'
import { assertBalancerOptions, type BalancerOptions, ServiceBalancer } from './service-balancer.ts'
import { SharedLeases } from './shared-leases.ts'

export const discoveryRequirements: Requirements = {
  recipe: 'discovery',
  needs: ['linearizable', 'lease-survives-failover', 'fencing', 'watch-resume'],
}

export const discoveryDefaults = { staleAfter: '10s' } as const

export interface DiscoveryOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with this. */
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
}

/** Who serves what, and where: a registry of instances under leases, and live copies of it that outlast an outage of the store. */
export class Discovery implements ServiceDirectory {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #leases: SharedLeases
  readonly #registrations = new Set<RegistrationHandle>()
  readonly #liveSets = new Set<WatchedLiveSet>()
  #isClosed = false

  constructor(options: DiscoveryOptions) {
    assertGuarantees(options.store, discoveryRequirements, options)
    this.#store = options.store
    this.#world = options.world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
    this.#leases = new SharedLeases({ store: this.#store, world: this.#world, keeper: this.#keeper })
  }

  async register(options: RegisterOptions): Promise<Registration> {
    this.#assertOpen()
    const { check, signal } = options
    if (signal?.aborted === true) throw abortedError(signal)
    const spec = check === undefined ? undefined : checkSpec(check)
    const tracker = new HealthTracker(check === undefined ? 'healthy' : 'unknown', checkTiming(check ?? {}))
    const nonce = randomId(this.#world)
    const entry: InstanceEntry = {
      ...describeInstance(options),
      nonce,
      ...(spec === undefined ? {} : { check: spec }),
      state: 'up',
      health: tracker.health,
      registeredAtMs: this.#world.clock.wallMs(),
    }
    const registration = new RegistrationHandle({
      store: this.#store,
      world: this.#world,
      keeper: this.#keeper,
      leases: this.#leases,
      nonce,
      service: registryName('service', options.service),
      id: registryName('id', options.id ?? randomId(this.#world)),
      ttlMs: leaseTtlMs('ttl', options.ttl ?? instanceDefaults.ttl),
      entry,
      check: check !== undefined && 'run' in check ? check : undefined,
      tracker,
      reregister: options.reregister ?? true,
      onEnd: () => this.#registrations.delete(registration),
    })
    await registration.start({ takeOver: options.takeOver ?? false, signal })
    this.#registrations.add(registration)
    if (this.#isClosed) {
      await registration.deregister()
      this.#assertOpen()
    }
    return registration
  }

  async instances(
    service: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly ServiceInstance[]> {
    const { kvs } = await readWholeRange(this.#store, serviceRange(service), options)
    return kvs.flatMap((kv) => decodeInstance(kv) ?? [])
  }

  async services(options: { readonly signal?: AbortSignal } = {}): Promise<readonly string[]> {
    const range = { ...prefixRange(servicesPrefix), keysOnly: true }
    const { kvs } = await readWholeRange(this.#store, range, options)
    return [...new Set(kvs.map((kv) => serviceOfKey(kv.key)))]
  }

  watch(service: string, options: WatchServiceOptions = {}): LiveSet {
    this.#assertOpen()
    const staleAfterMs = durationMs('staleAfter', options.staleAfter ?? discoveryDefaults.staleAfter)
    if (staleAfterMs < 100) throw invalidArgument('staleAfter', options.staleAfter, '100 ms or more')
    const { signal } = options
    const onAbort = (): void => liveSet.close()
    const liveSet = new WatchedLiveSet({
      store: this.#store,
      world: this.#world,
      service,
      staleAfterMs,
      onClose: () => {
        this.#liveSets.delete(liveSet)
        signal?.removeEventListener('abort', onAbort)
      },
    })
    this.#liveSets.add(liveSet)
    if (signal?.aborted === true) liveSet.close()
    else signal?.addEventListener('abort', onAbort, { once: true })
    return liveSet
  }

  /**
   * Chooses among the instances of a service, by a live set of its own; close it when done. Resolves when the set has been read. Rejects with
   * `invalid-argument` and `aborted`.
   */
  async balancer(
    service: string,
    options: BalancerOptions & WatchServiceOptions = {},
  ): Promise<ServiceBalancer> {
    assertBalancerOptions(options)
    const liveSet = this.watch(service, options)
    try {
      await untilAborted(liveSet.ready, options.signal)
      return new ServiceBalancer(this.#world, liveSet, await createKeyHash(), options)
    } catch (error) {
      liveSet.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const liveSet of [...this.#liveSets]) liveSet.close()
    await Promise.allSettled([...this.#registrations].map((registration) => registration.deregister()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new AlthingError('closed', 'discovery is closed', { outcome: 'none' })
  }
}
