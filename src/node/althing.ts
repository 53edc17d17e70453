import { withoutCredentials } from '../base/url-text.ts'
import { hostname } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Duration } from '../base/duration.ts'
import { parseDurationMs } from '../base/duration.ts'
import { type AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { AcceptanceNotices } from '../coordination/accepted-weaknesses.ts'
import { cronRequirements, CronService } from '../coordination/cron/cron.ts'
import { configRequirements, ConfigService } from '../coordination/config/config.ts'
import type { MasterKey } from '../coordination/config/secret-box.ts'
import { Discovery, discoveryRequirements } from '../coordination/discovery/discovery.ts'
import { electionRequirements, ElectionService } from '../coordination/election/election.ts'
import {
  assertGuarantees,
  type Guarantee,
  missingGuarantees,
  type Requirements,
} from '../coordination/guarantees.ts'
import { LeaseKeeper } from '../coordination/leases/lease-keeper.ts'
import { lockRequirements, LockService } from '../coordination/locks/lock.ts'
import { idRequirements, IdService } from '../ids/id-service.ts'
import { semaphoreRequirements, SemaphoreService } from '../coordination/semaphores/semaphore.ts'
import { atomicRequirements, Atomics } from '../coordination/primitives/atomics.ts'
import { barrierRequirements, Barriers } from '../coordination/primitives/barriers.ts'
import { counterRequirements, Counters } from '../coordination/primitives/counters.ts'
import { Latches, latchRequirements } from '../coordination/primitives/latches.ts'
import { Tree, treeRequirements } from '../coordination/tree/tree.ts'
import { openClusterStore } from '../engines/cluster/cluster-store.ts'
import { openEtcdStore } from '../engines/etcd/etcd-store.ts'
import { openLocalStore } from '../engines/local/local-store.ts'
import { openNatsStore } from '../engines/nats/open-nats-store.ts'
import { openPostgresStore } from '../engines/postgres/open-postgres-store.ts'
import { openRedisStore } from '../engines/redis/open-redis-store.ts'
import { masterKeysOf } from './config-keys.ts'
import { type ClientSecurity, credentialsOf, tlsOf } from './client-security.ts'
import { etcdSecurityOf } from './etcd-security.ts'
import { natsSecurityOf } from './nats-security.ts'
import { plainCodec, TypedStore } from '../store/typed-store.ts'
import { NodeAesGcm } from '../world/aes-gcm.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'

export interface OpenOptions extends ClientSecurity {
  /** Where it runs. Default: this machine. It also says how connections are secured: `secret` and `tls` are for the default world. */
  readonly world?: World
  /** `althing://` only: the cluster's id, to be sure not to talk to another. */
  readonly clusterId?: string
  /** How long a call on a cluster waits when it does not say itself (default '5s'). */
  readonly timeout?: Duration
  /** A loop that hangs for longer loses its locks and registrations (default '30s'). */
  readonly maxStall?: Duration
  /**
   * Guarantees that the engine lacks (`store.capabilities`) and that locks, elections and discovery shall do without. Default none: what lacks one refuses to start.
   * What is accepted, and lacking, is told in the store for as long as this is open (`althing doctor` shows it), and logged as a warning.
   */
  readonly accept?: readonly Guarantee[]
  /**
   * Master keys for the secrets of configurations: a file with a line `ID:BASE64` for each, the one that seals first, or the keys themselves. Default: those of `ALTHING_CONFIG_KEYS`
   * (the lines) or `ALTHING_CONFIG_KEYS_FILE`, else none.
   */
  readonly configKeys?: string | readonly MasterKey[]
}

/**
 * Opens an engine by its URL:
 *
 * - `memory:` this process, nothing kept;
 * - `file:./data` (or `file:///var/lib/app`) this process, every acknowledged write on the disk; where a world is given, in a folder of its disk;
 * - `althing://host:port,host:port` a cluster; with `/name` the store of one of its groups;
 * - `etcd://host:port,host:port` an etcd, 3.4 or later; needs the package `@grpc/grpc-js`;
 * - `postgres://user:password@host:port/database` a PostgreSQL, 13 or later, with `?schema=name` where the store's is not `althing`; needs the package `pg`;
 * - `redis://user:password@host:port/database` (`rediss:` with TLS, `valkey:`, `valkeys:`) a Redis 7 or Valkey, with `?prefix=NAME` where the store is not named `althing`; needs the package `ioredis`;
 * - `nats://user:password@host:port,host:port/name` NATS with JetStream, 2.9 or later, with `?replicas=3` for streams on three servers; needs the packages `@nats-io/transport-node` and
 *   `@nats-io/jetstream`.
 *
 * Rejects with `invalid-argument` (the URL), `unavailable` (no node answers), `unauthenticated`, `not-found` (a package that the engine needs), `incompatible-peer`,
 * `corrupt` or `conflict` (the folder).
 */
export async function open(url: string, options: OpenOptions = {}): Promise<Althing> {
  if (typeof url !== 'string') throw invalidUrl(url)
  // Before anything is opened: what is open must be closed by someone.
  durationMs('maxStall', options.maxStall)
  const scheme = url.slice(0, url.indexOf(':') + 1)
  switch (scheme) {
    case 'memory:': {
      if (url !== scheme) throw invalidUrl(url)
      const world = options.world ?? quietWorld('.')
      return new Althing(await openLocalStore({ world }), world, options)
    }
    case 'file:': {
      const folder = folderOf(url)
      const place =
        options.world === undefined
          ? { world: quietWorld(folder), directory: 'store' }
          : { world: options.world, directory: join(folder, 'store') }
      return new Althing(await openLocalStore(place), place.world, options)
    }
    case 'althing:':
      return openCluster(url, options)
    case 'etcd:':
      return openEtcd(url, options)
    case 'postgres:':
    case 'postgresql:':
      return openPostgres(url, options)
    case 'redis:':
    case 'rediss:':
    case 'valkey:':
    case 'valkeys:':
      return openRedis(url, options)
    case 'nats:':
      return openNats(url, options)
    default:
      throw invalidUrl(url)
  }
}

function invalidUrl(url: unknown): AlthingError {
  const engines =
    "'memory:', 'file:FOLDER', 'althing://HOST:PORT,HOST:PORT', 'etcd://HOST:PORT,HOST:PORT', 'postgres://USER@HOST:PORT/DATABASE', 'redis://HOST:PORT' or 'nats://HOST:PORT,HOST:PORT'"
  return invalidArgument('url', typeof url === 'string' ? withoutCredentials(url) : url, engines)
}

async function openCluster(url: string, options: OpenOptions): Promise<Althing> {
  const { endpoints, group } = placeOf(url)
  const world = worldOf(options)
  const credentials = credentialsOf(options)
  const timeoutMs = durationMs('timeout', options.timeout)
  const store = openClusterStore(world, {
    endpoints,
    ...(group === undefined ? {} : { group }),
    ...(options.clusterId === undefined ? {} : { clusterId: options.clusterId }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(credentials === undefined ? {} : { credentials }),
  })
  try {
    await store.connect()
  } catch (error) {
    await store.close()
    throw error
  }
  return new Althing(store, world, options)
}

async function openEtcd(url: string, options: OpenOptions): Promise<Althing> {
  const endpoints = endpointsIn(/^etcd:\/\/([^/?#]+)\/?$/.exec(url)?.[1])
  if (endpoints === undefined)
    throw invalidArgument('url', withoutCredentials(url), "'etcd://HOST:PORT,HOST:PORT'")
  const world = options.world ?? quietWorld('.')
  const timeoutMs = durationMs('timeout', options.timeout)
  const store = await openEtcdStore(world, {
    endpoints,
    ...etcdSecurityOf(options),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  return new Althing(store, world, options)
}

async function openPostgres(url: string, options: OpenOptions): Promise<Althing> {
  const world = options.world ?? quietWorld('.')
  const timeoutMs = durationMs('timeout', options.timeout)
  const store = await openPostgresStore(world, { url, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  return new Althing(store, world, options)
}

async function openRedis(url: string, options: OpenOptions): Promise<Althing> {
  const world = options.world ?? quietWorld('.')
  const timeoutMs = durationMs('timeout', options.timeout)
  const store = await openRedisStore(world, { url, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  return new Althing(store, world, options)
}

async function openNats(url: string, options: OpenOptions): Promise<Althing> {
  const world = options.world ?? quietWorld('.')
  const timeoutMs = durationMs('timeout', options.timeout)
  const store = await openNatsStore(world, {
    url,
    connect: natsSecurityOf(url, options),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  return new Althing(store, world, options)
}

const thisProgram = `${hostname()}, process ${process.pid}`

interface RecipeParts {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly accept: readonly Guarantee[]
}

/** A store and the blocks above it, for one application process. Close it when done. */
export class Althing {
  /** JSON values under text keys. */
  readonly store: TypedStore
  /** The engine itself: byte keys, byte values. */
  readonly raw: Store
  readonly world: World
  readonly #keeper: LeaseKeeper
  readonly #accept: readonly Guarantee[]
  readonly #configKeys: OpenOptions['configKeys']
  /** The recipes used so far, by name, in the order of their first use. */
  readonly #recipes = new Map<string, { close(): Promise<void> }>()
  #notices: AcceptanceNotices | undefined
  #closing: Promise<void> | undefined

  constructor(
    raw: Store,
    world: World,
    options: Pick<OpenOptions, 'maxStall' | 'accept' | 'configKeys'> = {},
  ) {
    this.raw = raw
    this.world = world
    this.store = new TypedStore(raw, plainCodec, world.clock)
    const maxStallMs = durationMs('maxStall', options.maxStall)
    const keeper = new LeaseKeeper(raw, world, maxStallMs === undefined ? {} : { maxStall: maxStallMs })
    this.#keeper = keeper
    this.#accept = options.accept ?? []
    this.#configKeys = options.configKeys
  }

  /** Throws `missing-guarantee` where the engine lacks what locks need, unless that is accepted ({@link OpenOptions.accept}); so do the others. */
  get locks(): LockService {
    return this.#recipe(lockRequirements, (parts) => new LockService(parts))
  }

  get elections(): ElectionService {
    return this.#recipe(electionRequirements, (parts) => new ElectionService(parts))
  }

  get discovery(): Discovery {
    return this.#recipe(discoveryRequirements, (parts) => new Discovery(parts))
  }

  get cron(): CronService {
    return this.#recipe(cronRequirements, (parts) => new CronService({ ...parts, instance: thisProgram }))
  }

  /** Throws `invalid-argument` too where the keys for secrets are not of their form ({@link OpenOptions.configKeys}). */
  get config(): ConfigService {
    return this.#recipe(configRequirements, (parts) => {
      const keys = masterKeysOf(this.#configKeys)
      return new ConfigService({ ...parts, secrets: { cipher: new NodeAesGcm(), keys } })
    })
  }

  /** Snowflake and segment ids; needs `durable`, so on `memory:` only with that accepted. */
  get ids(): IdService {
    return this.#recipe(idRequirements, (parts) => new IdService({ ...parts, label: thisProgram }))
  }

  get semaphores(): SemaphoreService {
    return this.#recipe(semaphoreRequirements, (parts) => new SemaphoreService(parts))
  }

  get barriers(): Barriers {
    return this.#recipe(barrierRequirements, (parts) => new Barriers(parts))
  }

  get latches(): Latches {
    return this.#recipe(latchRequirements, (parts) => new Latches(parts))
  }

  get counters(): Counters {
    return this.#recipe(counterRequirements, (parts) => new Counters(parts))
  }

  get atomics(): Atomics {
    return this.#recipe(atomicRequirements, (parts) => new Atomics(parts))
  }

  get tree(): Tree {
    return this.#recipe(treeRequirements, (parts) => new Tree(parts))
  }

  /** One of each recipe, made at its first use and closed with the rest. */
  #recipe<T extends { close(): Promise<void> }>(needs: Requirements, make: (parts: RecipeParts) => T): T {
    const made = this.#recipes.get(needs.recipe) ?? make(this.#partsOf(needs))
    this.#recipes.set(needs.recipe, made)
    return made as T
  }

  #partsOf(recipe: Requirements): RecipeParts {
    const { raw: store, world } = this
    const parts = { store, world, keeper: this.#keeper, accept: this.#accept }
    assertGuarantees(store, recipe, parts)
    const missing = missingGuarantees(store.capabilities, recipe)
    if (missing.length > 0) {
      this.#notices ??= new AcceptanceNotices({ ...parts, program: thisProgram })
      this.#notices.publish(recipe.recipe, missing)
    }
    return parts
  }

  /** Gives up what is held (locks, leaderships, registrations), then closes the engine. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const recipes = [...this.#recipes.values()].reverse()
    await Promise.allSettled([...recipes, this.#notices].map(async (each) => each?.close()))
    try {
      await this.#keeper.close()
    } finally {
      await this.raw.close()
    }
  }
}

function worldOf(options: OpenOptions): World {
  const { world, secret, tls } = options
  if (world === undefined) {
    const secured = tlsOf(options)
    const quiet = { dataFolder: '.', logger: new NodeLogger('warn') }
    return createNodeWorld(secured === undefined ? quiet : { ...quiet, tls: secured })
  }
  if (secret === undefined && tls === undefined) return world
  throw invalidArgument('world', 'given', 'absent where `secret` or `tls` is given: the world has its own')
}

/** An application's own world: only what is wrong is worth a line in its log. */
function quietWorld(dataFolder: string): World {
  return createNodeWorld({ dataFolder, logger: new NodeLogger('warn') })
}

function folderOf(url: string): string {
  if (url.startsWith('file://')) {
    try {
      return fileURLToPath(url)
    } catch (cause) {
      throw invalidArgument(
        'url',
        url,
        `'file:./FOLDER' or 'file:///FOLDER' (${cause instanceof Error ? cause.message : String(cause)})`,
      )
    }
  }
  const path = url.slice('file:'.length)
  if (path === '') throw invalidArgument('url', url, "'file:' and a folder, such as 'file:./data'")
  return isAbsolute(path) ? path : `./${path}`
}

/** The nodes to ask, and the group whose store is wanted. */
function placeOf(url: string): { readonly endpoints: readonly string[]; readonly group?: string } {
  const match = /^althing:\/\/([^/?#]+)(?:\/([^/?#]*))?$/.exec(url)
  const endpoints = endpointsIn(match?.[1])
  if (endpoints === undefined)
    throw invalidArgument('url', url, "'althing://HOST:PORT,HOST:PORT' or 'althing://HOST:PORT/GROUP'")
  const group = match?.[2]
  return group === undefined || group === '' ? { endpoints } : { endpoints, group }
}

/** `undefined` where one is not of the form `host:port`. */
function endpointsIn(list: string | undefined): readonly string[] | undefined {
  const endpoints = list?.split(',') ?? []
  const isEndpoint = (text: string): boolean => {
    const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[^\s:[\]@]+):(\d{1,5})$/.exec(text)?.[1])
    return port >= 1 && port <= 65_535
  }
  return endpoints.length > 0 && endpoints.every(isEndpoint) ? endpoints : undefined
}

function durationMs(field: string, duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined
  const ms = parseDurationMs(duration)
  if (ms === undefined || ms <= 0)
    throw invalidArgument(field, duration, "milliseconds > 0, or a text like '30s'")
  return ms
}
