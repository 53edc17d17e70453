import type { ByteString } from '../../base/bytes.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { followRange, type RangeState } from '../range-follower.ts'
import type { ServiceInstance } from './discovery-types.ts'
import { decodeInstance, serviceOfKey, servicesPrefix } from './instance-entry.ts'

export interface ServiceCatalogueOptions {
  readonly store: Store
  readonly world: World
  /** Whether what the store says now is more than this process's own memory: false, for instance, on a node without a leader. Default: always. */
  readonly isConnected?: () => boolean
  readonly onChange?: () => void
}

/** How well the catalogue is known. */
export interface Freshness {
  /** It has been read at least once. */
  readonly isKnown: boolean
  /** The store has not been heard from for longer than {@link staleAfterMs}, or is cut off. */
  readonly stale: boolean
  /** Since the store was heard from last. */
  readonly ageMs: number
  readonly revision: number
}

export const staleAfterMs = 10_000

interface Service {
  readonly instances: Map<ByteString, ServiceInstance>
  /** By id; made when asked for. */
  sorted: readonly ServiceInstance[] | undefined
}

/** A copy of the whole registry, for who answers for all services: kept when the store is silent, and told as stale then. */
export class ServiceCatalogue {
  readonly #options: ServiceCatalogueOptions
  readonly #closing = new AbortController()
  readonly #services = new Map<string, Service>()
  /** Names that differ only in case, which is all the same in DNS. */
  readonly #folded = new Map<string, string>()
  readonly #following: Promise<void>
  #checkedCount = 0
  #revision = 0
  #heardMs: number | undefined

  constructor(options: ServiceCatalogueOptions) {
    this.#options = options
    const { store, world } = options
    this.#following = followRange({
      store,
      world,
      range: prefixRange(servicesPrefix),
      signal: this.#closing.signal,
      progressMs: Math.ceil(staleAfterMs / 3),
      onHeard: (revision) => this.#onHeard(revision),
      onState: (state) => this.#onState(state),
    }).catch((error: unknown) => {
      if (this.#closing.signal.aborted) return
      world.logger.log('error', 'the registry of services cannot be followed any more', {
        error: String(error),
      })
    })
  }

  get freshness(): Freshness {
    const nowMs = this.#options.world.clock.monotonicMs()
    const ageMs = this.#heardMs === undefined ? 0 : nowMs - this.#heardMs
    const stale = this.#heardMs === undefined || ageMs > staleAfterMs || !this.#isConnected
    return { isKnown: this.#heardMs !== undefined, stale, ageMs, revision: this.#revision }
  }

  /** How many instances the cluster checks. */
  get checkedCount(): number {
    return this.#checkedCount
  }

  /** Sorted. */
  names(): readonly string[] {
    return [...this.#services.keys()].sort()
  }

  /** All instances, ordered by id; `undefined` when there is none. */
  instances(service: string): readonly ServiceInstance[] | undefined {
    const known = this.#services.get(service)
    if (known === undefined) return undefined
    known.sorted ??= [...known.instances.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    return known.sorted
  }

  /** As {@link instances}, by a name in which case makes no difference. */
  instancesFolded(service: string): readonly ServiceInstance[] | undefined {
    const name = this.#folded.get(service.toLowerCase())
    return name === undefined ? undefined : this.instances(name)
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#following
  }

  get #isConnected(): boolean {
    return this.#options.isConnected?.() ?? true
  }

  #onHeard(revision: number): void {
    if (this.#isConnected) this.#heardMs = this.#options.world.clock.monotonicMs()
    this.#revision = Math.max(this.#revision, revision)
  }

  #onState({ kvs, changed }: RangeState): void {
    this.#heardMs ??= this.#options.world.clock.monotonicMs()
    if (changed === undefined) {
      this.#services.clear()
      this.#folded.clear()
      this.#checkedCount = 0
      for (const [key, kv] of kvs) this.#take(key, kv)
    } else {
      for (const key of new Set(changed)) this.#take(key, kvs.get(key))
    }
    this.#options.onChange?.()
  }

  #take(key: ByteString, kv: KeyValue | undefined): void {
    const name = serviceOfKey(key)
    const instance = kv === undefined ? undefined : decodeInstance(kv)
    const service: Service = this.#services.get(name) ?? { instances: new Map(), sorted: undefined }
    if (service.instances.get(key)?.check?.by === 'cluster') this.#checkedCount--
    if (instance?.check?.by === 'cluster') this.#checkedCount++
    service.sorted = undefined
    if (instance === undefined) service.instances.delete(key)
    else service.instances.set(key, instance)
    if (service.instances.size > 0) {
      this.#services.set(name, service)
      this.#folded.set(name.toLowerCase(), name)
    } else {
      this.#services.delete(name)
      this.#folded.delete(name.toLowerCase())
    }
  }
}
