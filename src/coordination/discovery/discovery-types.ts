import type { Duration } from '../../base/duration.ts'
import type { CheckSpec, HealthCheck } from './check-types.ts'

/** Where an instance stands in its life. `draining`: it still serves what it has, and must be given nothing new. */
export type InstanceState = 'up' | 'draining'

/** `unknown` until the first verdict of a registration that brought a check; without a check always `healthy`. */
export type HealthState = 'healthy' | 'unhealthy' | 'unknown'

/** One run of a check, or one report. */
export interface HealthResult {
  readonly ok: boolean
  /** Wall time of the instance's machine, milliseconds since 1970: for people, never for a decision. */
  readonly atMs: number
  /** What was seen, at most 256 characters. */
  readonly note?: string
}

export interface InstanceHealth {
  readonly state: HealthState
  /** The verdict changed too often of late: the instance is held at `unhealthy` until it has been quiet. */
  readonly flapping: boolean
  /** The last results, newest first, at most 8, as of the last change of the verdict. */
  readonly results: readonly HealthResult[]
}

/** One instance of a service, as the others see it. */
export interface ServiceInstance {
  readonly service: string
  /** Unique within the service. */
  readonly id: string
  /** As registered, usually `host:port`. */
  readonly address: string
  /** Default `''`. */
  readonly zone: string
  /** Default `''`. */
  readonly version: string
  /** 0..10000, default 100. 0 means: send nothing. */
  readonly weight: number
  /** At most 64 entries. */
  readonly metadata: Readonly<Record<string, string>>
  readonly state: InstanceState
  readonly health: InstanceHealth
  /** The active check; absent where a function, or nothing, checks. */
  readonly check?: CheckSpec
  /** `'process'`: it registered itself. `'api'`: it was registered over HTTP, by a script or a program in another language. */
  readonly registrar: 'process' | 'api'
  /** Wall time of the instance's machine at registration, milliseconds since 1970. */
  readonly registeredAtMs: number
  /** Grows with each registration of this id: the later of two registrations has the larger one. */
  readonly registrationRevision: number
  /** Store revision of the last change of this entry. */
  readonly revision: number
}

/** True for an instance to which new work may be sent: up, not known to be unhealthy, weight above 0. */
export function isEligible(instance: ServiceInstance): boolean {
  return instance.state === 'up' && instance.health.state === 'healthy' && instance.weight > 0
}

export interface RegisterOptions {
  /** 1..128 characters of `A-Z a-z 0-9 . _ -`. */
  readonly service: string
  /** Same form as `service`. Default: drawn at random. A live registration with the same id rejects with `conflict`. */
  readonly id?: string
  /** 1..1024 characters. */
  readonly address: string
  readonly zone?: string
  readonly version?: string
  readonly weight?: number
  readonly metadata?: Readonly<Record<string, string>>
  /** After the instance's death it is in the live sets for at most this long. Default 15 s. */
  readonly ttl?: Duration
  /** Default: none; the instance is healthy as long as it is registered. */
  readonly check?: HealthCheck
  /** Replace a live registration of the same id, which is then lost: for a fixed id after a restart. Default false. */
  readonly takeOver?: boolean
  /** Register again, under a new lease, when the registration was lost. Default true. */
  readonly reregister?: boolean
  /** For the registration call itself. */
  readonly signal?: AbortSignal
}

export type InstanceUpdate = Partial<
  Pick<RegisterOptions, 'address' | 'zone' | 'version' | 'weight' | 'metadata'>
>

/** An own entry in the registry, kept alive until `deregister`. */
export interface Registration {
  readonly service: string
  readonly id: string
  /** The entry as last written. */
  readonly instance: ServiceInstance
  /** Computed at each reading: the entry is surely in the store now. False between a loss and the next registration. */
  readonly isRegistered: boolean
  /** Fires with `lost` when the entry was lost and is not registered again: `reregister` is false, or another took the id over. */
  readonly lost: AbortSignal
  /** Changes what is given. */
  update(changes: InstanceUpdate): Promise<void>
  /** A health result from elsewhere than the check function; counts like one run of it. */
  reportHealth(ok: boolean, note?: string): Promise<void>
  /** Marks the instance as draining. Idempotent. */
  drain(): Promise<void>
  /** Removes the entry and its lease. With `drainFor`, marks it as draining and waits that long first. Idempotent. */
  deregister(options?: { readonly drainFor?: Duration }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A service's instances as known now. A new object with each change. */
export interface LiveSetState {
  /** Ordered by id. */
  readonly instances: readonly ServiceInstance[]
  /** The store has not been heard from for longer than `staleAfter`; this is the last that was known. */
  readonly stale: boolean
  /** The store revision that the set reflects. */
  readonly revision: number
}

export interface WatchServiceOptions {
  readonly signal?: AbortSignal
  /** Silence of the store after which the set is marked stale. Default 10 s. */
  readonly staleAfter?: Duration
}

/** Follows a service until closed. Never forgets what it knows because the store cannot be reached. */
export interface LiveSet {
  readonly service: string
  /** Before the first answer of the store: no instances, stale, revision 0. */
  readonly current: LiveSetState
  /** Resolves once the set has been read for the first time; rejects with `closed` when it is closed before. */
  readonly ready: Promise<void>
  /** The state now, then each later one. A slow reader skips to the newest: nothing is queued. Ends on `close`. */
  readonly changes: AsyncIterable<LiveSetState>
  /** Calls `listener` at once with the state and again with each later one, synchronously. Returns the way to stop. */
  subscribe(listener: (state: LiveSetState) => void): () => void
  /** Idempotent. */
  close(): void
}

/** What `new Discovery({ store, world })` gives. */
export interface ServiceDirectory {
  register(options: RegisterOptions): Promise<Registration>
  /** The instances now, read from the store, whatever their state and health. Ordered by id. */
  instances(service: string, options?: { readonly signal?: AbortSignal }): Promise<readonly ServiceInstance[]>
  /** Names of the services that have an instance. Sorted. */
  services(options?: { readonly signal?: AbortSignal }): Promise<readonly string[]>
  watch(service: string, options?: WatchServiceOptions): LiveSet
  /** Closes the live sets and deregisters all registrations made here. Idempotent. */
  close(): Promise<void>
}
