import { loadOptionalPackage } from '../optional-package.ts'

/** What the engine needs of a client of the package `ioredis`: `Redis` or `Cluster`. */
export interface RedisClient {
  readonly status: string
  /** `true` for `Cluster`. */
  readonly isCluster?: boolean
  /** Of `Redis`. */
  readonly options?: RedisOptions
  /** Of `Redis`: the connection. */
  readonly stream?: { readonly bytesRead?: number } | null
  connect(): Promise<void>
  disconnect(): void
  callBuffer(command: string, args: readonly RedisArgument[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  duplicate(...args: unknown[]): RedisClient
}

export type RedisArgument = string | Buffer

/** The options of `ioredis`: host, port, username, password, db, tls, sentinels, ... */
export type RedisOptions = Readonly<Record<string, unknown>>

interface Library {
  readonly Redis: new (options: RedisOptions) => RedisClient
}

/** Rejects with `not-found` and how to install the package. */
export async function loadRedisLibrary(): Promise<Library> {
  return await loadOptionalPackage<Library>(
    'ioredis',
    '6.0.0',
    'the engine of Redis',
    async () => (await import('ioredis')) as unknown as Library,
  )
}

/** A new client that is not connected yet. */
export type ClientFactory = () => RedisClient

/**
 * What the engine decides by itself, whatever a user's client does: a connection is used until it breaks, and no command is sent twice behind the engine's back. Replies are to have the form
 * that the engine reads.
 */
function ownOptions(connectMs: number): RedisOptions {
  return {
    lazyConnect: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    maxLoadingRetryTime: 200,
    maxRetriesPerRequest: 0,
    connectTimeout: connectMs,
    commandTimeout: undefined,
    socketTimeout: undefined,
    keyPrefix: '',
    readOnly: false,
    stringNumbers: false,
    replyMapping: 'legacy',
    himportFieldsets: undefined,
    monitor: false,
  }
}

export async function factoryOfOptions(options: RedisOptions, connectMs: number): Promise<ClientFactory> {
  const { Redis } = await loadRedisLibrary()
  return () => new Redis({ connectionName: 'althing', ...options, ...ownOptions(connectMs) })
}

/** Clients like the user's, which itself is left alone. */
export function factoryOfClient(client: RedisClient, connectMs: number): ClientFactory {
  if (client.isCluster !== true) return () => client.duplicate(ownOptions(connectMs))
  // The connections to its nodes are made when they are needed: what waits for one of them waits in its queue.
  const { lazyConnect, enableOfflineQueue, ...each } = ownOptions(connectMs)
  const redisOptions = { ...(client.options?.['redisOptions'] as RedisOptions | undefined), ...each }
  return () =>
    client.duplicate([], {
      lazyConnect,
      clusterRetryStrategy: () => null,
      enableOfflineQueue,
      enableAutoPipelining: false,
      keyPrefix: '',
      scaleReads: 'master',
      redisOptions,
    })
}
