import { withoutCredentials } from '../../base/url-text.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import { defaultTimeoutMs } from '../local/deadline.ts'
import type { RedisClient, RedisOptions } from './library.ts'
import { defaultName, type Place, placeOf } from './place.ts'
import type { HistoryBounds } from './upkeep.ts'

export interface RedisStoreOptions {
  /** `redis://USER:PASSWORD@HOST:PORT/DATABASE` (`rediss://` with TLS, `valkey://`, `valkeys://` alike), with `?prefix=NAME` where the store is not named `althing`. */
  readonly url?: string
  /** In place of `url`: options of `ioredis`, for Sentinel and TLS too. */
  readonly config?: RedisOptions
  /** In place of `url`: a client of `ioredis`, `Redis` or `Cluster`. The store makes connections like it (`duplicate`), and leaves it itself alone. Its leases have no thread. */
  readonly client?: RedisClient
  /** The name of the store (default `althing`), with which its keys begin. Several stores may lie in one database. */
  readonly prefix?: string
  /** How long a call waits, when it does not say itself (default 5000). */
  readonly timeoutMs?: number
  /** Events of about so many revisions are kept (default 25,000; 0: no bound by number). */
  readonly keepRevisions?: number
  /** Events are kept for about so long (default 1 hour; 0: no bound by age). */
  readonly keepMs?: number
  /** Another server may take this one's place (default false, unless the server or the client shows it): then nothing is promised that a failover could break. */
  readonly mayFailOver?: boolean
  /**
   * Where the server does not let `CONFIG GET` be called: you state that it has `appendonly yes`, `appendfsync always` and `no-appendfsync-on-rewrite no`, and that no other server ever takes its place (default
   * false). Locks are only as safe as this is true.
   */
  readonly iStateThatItSyncsEveryWriteAndNeverFailsOver?: boolean
}

export interface CheckedOptions {
  readonly place: Place
  readonly source: { readonly client: RedisClient } | { readonly config: RedisOptions }
  readonly timeoutMs: number
  readonly history: HistoryBounds
  readonly mayFailOver: boolean
  readonly statedSyncedAlone: boolean
}

const schemes: Readonly<Record<string, { readonly tls: boolean }>> = {
  'redis:': { tls: false },
  'rediss:': { tls: true },
  'valkey:': { tls: false },
  'valkeys:': { tls: true },
}

/** Throws `invalid-argument`. */
export function checkOptions(options: RedisStoreOptions): CheckedOptions {
  const given = [options.url, options.config, options.client].filter((each) => each !== undefined)
  if (given.length !== 1)
    throw invalidArgument('options', Object.keys(options), "one of 'url', 'config' and 'client'")
  const url = options.url === undefined ? undefined : partsOf(options.url)
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0))
    throw invalidArgument('timeoutMs', timeoutMs, 'milliseconds > 0')
  const { client } = options
  const config = url?.config ?? options.config ?? {}
  const isWatched = client?.isCluster === true || sentinelsOf(client?.options ?? config)
  return {
    place: placeOf(options.prefix ?? url?.prefix ?? defaultName),
    source: client === undefined ? { config } : { client },
    timeoutMs,
    mayFailOver: (options.mayFailOver ?? false) || isWatched,
    statedSyncedAlone: options.iStateThatItSyncsEveryWriteAndNeverFailsOver ?? false,
    history: {
      keepRevisions: wholeNumber('keepRevisions', options.keepRevisions ?? 25_000),
      keepMs: wholeNumber('keepMs', options.keepMs ?? 3_600_000),
    },
  }
}

function sentinelsOf(options: RedisOptions): boolean {
  const { sentinels } = options
  return Array.isArray(sentinels) && sentinels.length > 0
}

function partsOf(text: string): { readonly config: RedisOptions; readonly prefix: string | undefined } {
  const allowed = "'redis://USER:PASSWORD@HOST:PORT/DATABASE', or the same with '?prefix=NAME'"
  const refused = invalidArgument('url', withoutCredentials(text), allowed)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw refused
  }
  const scheme = schemes[url.protocol]
  const database = /^\/?(\d*)$/.exec(url.pathname)?.[1]
  const unknown = [...url.searchParams.keys()].some((name) => name !== 'prefix')
  if (scheme === undefined || url.hostname === '' || database === undefined || unknown || url.hash !== '')
    throw refused
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    prefix: url.searchParams.get('prefix') ?? undefined,
    config: {
      host,
      port: url.port === '' ? 6379 : Number(url.port),
      db: Number(database),
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      ...(scheme.tls ? { tls: { servername: host } } : {}),
    },
  }
}

function wholeNumber(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw invalidArgument(field, value, 'a whole number >= 0')
}
