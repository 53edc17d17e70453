import type { Duration } from '../../base/duration.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { CallOptions, KeyValue, LeaseId, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { fenceCompare } from '../fencing.ts'
import { leaseTtlMs, shortText } from '../names.ts'
import { checkSpec } from './check-plan.ts'
import type { ActiveCheck } from './check-types.ts'
import type { HealthState, InstanceHealth, RegisterOptions, ServiceInstance } from './discovery-types.ts'
import {
  decodeInstanceEntry,
  describeInstance,
  encodeInstanceEntry,
  type InstanceEntry,
  instanceKey,
  instanceOf,
} from './instance-entry.ts'

/** Where an instance is registered that cannot hold a lease itself: a script, or a program in another language. */
export interface HostedPlace {
  readonly service: string
  readonly id: string
}

export interface HostOptions
  extends HostedPlace,
    Pick<RegisterOptions, 'address' | 'zone' | 'version' | 'weight' | 'metadata' | 'takeOver'> {
  /** Without a renewal within this time the instance is gone. Absent: it stays until it is removed, and a check must say how it is. */
  readonly ttl?: Duration
  /** Run by the cluster, whatever its `by` says. */
  readonly check?: ActiveCheck
}

const attemptsMax = 5

/**
 * The registrations that others make for themselves through a node: each renewed by its owner within its own ttl, or checked by the cluster, or both. Every call
 * stands for itself, on any node.
 */
export class HostedRegistrations {
  readonly #store: Store
  readonly #world: World

  constructor(store: Store, world: World) {
    this.#store = store
    this.#world = world
  }

  /**
   * Registers, or changes what it was registered with: the same call again renews. An instance that stays the same keeps its health. Rejects with `conflict` when a process holds
   * the id itself and `takeOver` is not given.
   */
  async register(options: HostOptions, call: CallOptions = {}): Promise<ServiceInstance> {
    const { ttl, check } = options
    if (ttl === undefined && check === undefined) {
      throw invalidArgument(
        'ttl',
        ttl,
        'given, unless a check is: nothing else would tell that the instance is gone',
      )
    }
    const ttlMs = ttl === undefined ? undefined : leaseTtlMs('ttl', ttl)
    const spec = check === undefined ? undefined : checkSpec({ ...check, by: 'cluster' })
    const described = describeInstance(options)
    const key = instanceKey(options.service, options.id)
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const former = await this.#find(key, call)
      this.#assertMayReplace(options, former?.entry)
      if (former !== undefined && former.entry.registrar !== 'api') {
        // Made anew, never overwritten: so the process that had it is refused from then on.
        await this.#remove(former.kv, call)
        continue
      }
      const entry: InstanceEntry = {
        ...described,
        state: 'up',
        health: sameCheck(former?.entry, spec)
          ? (former?.entry.health as InstanceHealth)
          : newHealth(spec === undefined ? 'healthy' : 'unknown'),
        registeredAtMs: former?.entry.registeredAtMs ?? this.#world.clock.wallMs(),
        registrar: 'api',
        ...(spec === undefined ? {} : { check: spec }),
      }
      const lease = ttlMs === undefined ? 0 : (await this.#store.grantLease({ ttlMs }, call)).lease
      const written = await this.#write(key, former?.kv, entry, lease, call)
      if (written !== undefined) return instanceOf(options.service, options.id, entry, written)
    }
    throw new AlthingError('conflict', `${options.service}/${options.id} is being changed by others`, {
      outcome: 'none',
      retryable: true,
    })
  }

  /** Starts the ttl anew. Rejects with `not-found` when the instance is not registered (any more): register it again. */
  async renew(place: HostedPlace, call: CallOptions = {}): Promise<{ readonly ttlMs: number | undefined }> {
    const { kv } = await this.#own(place, call)
    if (kv.lease === 0) return { ttlMs: undefined }
    return { ttlMs: (await this.#store.keepLeaseAlive(kv.lease, call)).ttlMs }
  }

  /** The owner's word on its own health, where the cluster does not check it: it counts at once. */
  async report(place: HostedPlace, ok: boolean, note?: string, call: CallOptions = {}): Promise<void> {
    const text = shortText('note', note, 256)
    await this.#change(place, call, (entry) => {
      if (entry.check !== undefined) {
        throw new AlthingError(
          'conflict',
          'the cluster checks this instance: its health is not for it to report',
          {
            outcome: 'none',
          },
        )
      }
      const result = { ok, atMs: this.#world.clock.wallMs(), ...(text === undefined ? {} : { note: text }) }
      const results = [result, ...entry.health.results].slice(0, 8)
      return { ...entry, health: { state: ok ? 'healthy' : 'unhealthy', flapping: false, results } }
    })
  }

  async drain(place: HostedPlace, call: CallOptions = {}): Promise<void> {
    await this.#change(place, call, (entry) => ({ ...entry, state: 'draining' }))
  }

  /** Whether it was there. Rejects with `conflict` for an instance that a process holds itself. */
  async deregister(place: HostedPlace, call: CallOptions = {}): Promise<boolean> {
    const key = instanceKey(place.service, place.id)
    const former = await this.#find(key, call)
    if (former === undefined) return false
    this.#assertMayReplace({ ...place, takeOver: false }, former.entry)
    const isRemoved = await this.#remove(former.kv, call)
    this.#dropLease(former.kv.lease)
    return isRemoved
  }

  async #remove({ key, createRevision }: KeyValue, call: CallOptions): Promise<boolean> {
    const reply = await this.#store.txn(
      { compare: [fenceCompare({ key, token: createRevision })], then: [{ op: 'delete', key }] },
      call,
    )
    return reply.succeeded
  }

  async #change(
    place: HostedPlace,
    call: CallOptions,
    change: (entry: InstanceEntry) => InstanceEntry,
  ): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { kv, entry } = await this.#own(place, call)
      const { key, modRevision } = kv
      const value = encodeInstanceEntry(change(entry))
      const reply = await this.#store.txn(
        {
          compare: [{ target: 'modRevision', key, op: '=', value: modRevision }],
          then: [{ op: 'put', key, value, lease: 'keep' }],
        },
        call,
      )
      if (reply.succeeded) return
    }
    throw new AlthingError('conflict', `${place.service}/${place.id} is being changed by others`, {
      outcome: 'none',
      retryable: true,
    })
  }

  async #own(place: HostedPlace, call: CallOptions): Promise<{ kv: KeyValue; entry: InstanceEntry }> {
    const found = await this.#find(instanceKey(place.service, place.id), call)
    if (found === undefined) {
      throw new AlthingError('not-found', `${place.service}/${place.id} is not registered`, {
        outcome: 'none',
      })
    }
    this.#assertMayReplace({ ...place, takeOver: false }, found.entry)
    return found
  }

  async #find(
    key: string,
    call: CallOptions,
  ): Promise<{ readonly kv: KeyValue; readonly entry: InstanceEntry } | undefined> {
    const [kv] = (await this.#store.range({ key }, call)).kvs
    const entry = kv === undefined ? undefined : decodeInstanceEntry(kv.value)
    return kv === undefined || entry === undefined ? undefined : { kv, entry }
  }

  #assertMayReplace(
    { service, id, takeOver = false }: HostedPlace & { readonly takeOver?: boolean },
    former: InstanceEntry | undefined,
  ): void {
    if (former === undefined || former.registrar === 'api' || takeOver) return
    throw new AlthingError(
      'conflict',
      `${service}/${id} was registered by a process, which keeps it itself`,
      {
        outcome: 'none',
        details: { service, id },
      },
    )
  }

  /** `undefined` when the entry has changed meanwhile. */
  async #write(
    key: string,
    former: KeyValue | undefined,
    entry: InstanceEntry,
    lease: LeaseId,
    call: CallOptions,
  ): Promise<{ readonly createRevision: number; readonly modRevision: number } | undefined> {
    try {
      const reply = await this.#store.txn(
        {
          compare: [{ target: 'modRevision', key, op: '=', value: former?.modRevision ?? 0 }],
          then: [{ op: 'put', key, value: encodeInstanceEntry(entry), ...(lease === 0 ? {} : { lease }) }],
        },
        call,
      )
      if (!reply.succeeded) this.#dropLease(lease)
      else if (former !== undefined) this.#dropLease(former.lease)
      const { revision } = reply
      const createRevision = former?.createRevision ?? revision
      return reply.succeeded ? { createRevision, modRevision: revision } : undefined
    } catch (error) {
      this.#dropLease(lease)
      throw error
    }
  }

  /** Nobody waits for it: what is left ends by itself. */
  #dropLease(lease: LeaseId): void {
    if (lease === 0) return
    this.#store.revokeLease(lease).catch((error: unknown) => {
      this.#world.logger.log('debug', 'a lease that nobody wants ends by itself', {
        lease,
        error: String(error),
      })
    })
  }
}

function newHealth(state: HealthState): InstanceHealth {
  return { state, flapping: false, results: [] }
}

function sameCheck(former: InstanceEntry | undefined, spec: InstanceEntry['check']): boolean {
  return former?.registrar === 'api' && JSON.stringify(former.check) === JSON.stringify(spec)
}
