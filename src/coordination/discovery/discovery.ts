import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { abortedError } from '../abortable.ts'
import type {
  HealthCheck,
  LiveSet,
  RegisterOptions,
  Registration,
  ServiceDirectory,
  ServiceInstance,
  WatchServiceOptions,
} from './discovery-types.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { checkDefaults } from './health-checker.ts'
import { healthDefaults, HealthTracker, type HealthThresholds } from './health-tracker.ts'
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
import { durationMs, leaseTtlMs, randomId, wholeNumber } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { RegistrationHandle } from './registration.ts'

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
  readonly #registrations = new Set<RegistrationHandle>()
  readonly #liveSets = new Set<WatchedLiveSet>()
  #isClosed = false

  constructor(options: DiscoveryOptions) {
    assertGuarantees(options.store, discoveryRequirements, options)
    this.#store = options.store
    this.#world = options.world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
  }

  async register(options: RegisterOptions): Promise<Registration> {
    this.#assertOpen()
    const { check, signal } = options
    if (signal?.aborted === true) throw abortedError(signal)
    const tracker = new HealthTracker(check === undefined ? 'healthy' : 'unknown', thresholdsOf(check))
    const entry: InstanceEntry = {
      ...describeInstance(options),
      state: 'up',
      health: tracker.health,
      registeredAtMs: this.#world.clock.wallMs(),
    }
    const registration = new RegistrationHandle({
      store: this.#store,
      world: this.#world,
      keeper: this.#keeper,
      service: registryName('service', options.service),
      id: registryName('id', options.id ?? randomId(this.#world)),
      ttlMs: leaseTtlMs('ttl', options.ttl ?? instanceDefaults.ttl),
      entry,
      check,
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

function thresholdsOf(check: HealthCheck | undefined): HealthThresholds {
  if (check === undefined) return healthDefaults
  durationMs('check.interval', check.interval ?? checkDefaults.interval)
  durationMs('check.timeout', check.timeout ?? checkDefaults.timeout)
  return {
    unhealthyAfter: wholeNumber(
      'check.unhealthyAfter',
      check.unhealthyAfter ?? healthDefaults.unhealthyAfter,
      1,
      100,
    ),
    healthyAfter: wholeNumber(
      'check.healthyAfter',
      check.healthyAfter ?? healthDefaults.healthyAfter,
      1,
      100,
    ),
    flapChangesMax: wholeNumber(
      'check.flap.changesMax',
      check.flap?.changesMax ?? healthDefaults.flapChangesMax,
      1,
      100,
    ),
    flapWindowMs: durationMs('check.flap.window', check.flap?.window ?? healthDefaults.flapWindowMs),
  }
}
