import { withoutCredentials } from '../../base/url-text.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import { defaultTimeoutMs } from '../local/deadline.ts'
import type { PostgresConfig, PostgresPool } from './library.ts'
import { defaultSchema, type Place, placeOf } from './place.ts'
import type { HistoryBounds } from './upkeep.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`, with `?schema=name` where it is not `althing`. */
  readonly url?: string
  /** In place of `url`: a configuration of `pg`. */
  readonly config?: PostgresConfig
  /** In place of `url`: a pool of `pg` of the application's own, of at least 3 connections. It is not ended by `close`. Its leases have no thread. */
  readonly pool?: PostgresPool
  /** The schema in which the store lies (default `althing`). Several stores may lie in one database. */
  readonly schema?: string
  /** Makes the tables, or brings them to this version (default true). Without it they must be there: see `migratePostgres`. */
  readonly migrate?: boolean
  /** How long a call waits, when it does not say itself (default 5000). */
  readonly timeoutMs?: number
  /** Connections at most (default 6; 3..100). For `url` and `config`. */
  readonly connectionsMax?: number
  /** Statements are prepared once a connection (default true). Not with a pooler that gives each statement another session and does not know prepared ones. */
  readonly prepare?: boolean
  /** Events of about so many revisions are kept (default 25,000; 0: no bound by number). */
  readonly keepRevisions?: number
  /** Events are kept for about so long (default 1 hour; 0: no bound by age). */
  readonly keepMs?: number
}

export interface CheckedOptions {
  readonly place: Place
  readonly source: { readonly pool: PostgresPool } | { readonly config: PostgresConfig }
  readonly mayMigrate: boolean
  readonly timeoutMs: number
  readonly usesNames: boolean
  readonly history: HistoryBounds
}

const connectionsMin = 3

/** Throws `invalid-argument`. */
export function checkOptions(options: PostgresStoreOptions): CheckedOptions {
  const given = [options.url, options.config, options.pool].filter((each) => each !== undefined)
  if (given.length !== 1)
    throw invalidArgument('options', Object.keys(options), "one of 'url', 'config' and 'pool'")
  const url = options.url === undefined ? undefined : partsOf(options.url)
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0))
    throw invalidArgument('timeoutMs', timeoutMs, 'milliseconds > 0')
  return {
    place: placeOf(options.schema ?? url?.schema ?? defaultSchema),
    source: sourceOf(options, url?.connectionString, timeoutMs),
    mayMigrate: options.migrate ?? true,
    timeoutMs,
    usesNames: options.prepare ?? true,
    history: {
      keepRevisions: wholeNumber('keepRevisions', options.keepRevisions ?? 25_000),
      keepMs: wholeNumber('keepMs', options.keepMs ?? 3_600_000),
    },
  }
}

function sourceOf(
  options: PostgresStoreOptions,
  connectionString: string | undefined,
  timeoutMs: number,
): CheckedOptions['source'] {
  const { pool, config, connectionsMax = 6 } = options
  if (pool !== undefined) {
    const max = pool.options?.max
    if (max !== undefined && max < connectionsMin)
      throw invalidArgument('pool', `a pool of ${max}`, `one of at least ${connectionsMin} connections`)
    return { pool }
  }
  if (!(Number.isSafeInteger(connectionsMax) && connectionsMax >= connectionsMin && connectionsMax <= 100))
    throw invalidArgument('connectionsMax', connectionsMax, `a whole number from ${connectionsMin} to 100`)
  return {
    config: {
      application_name: 'althing',
      max: connectionsMax,
      keepAlive: true,
      connectionTimeoutMillis: Math.max(100, Math.round(timeoutMs / 2)),
      // A statement that nobody waits for any more ends in the server too.
      statement_timeout: Math.round(timeoutMs * 2),
      options: '-c default_transaction_isolation=read\\ committed',
      ...(connectionString === undefined ? config : { connectionString }),
    },
  }
}

function partsOf(text: string): { readonly connectionString: string; readonly schema: string | undefined } {
  const allowed = "'postgres://USER:PASSWORD@HOST:PORT/DATABASE' or the same with '?schema=NAME'"
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalidArgument('url', withoutCredentials(text), allowed)
  }
  if ((url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') || url.hostname === '')
    throw invalidArgument('url', withoutCredentials(text), allowed)
  const schema = url.searchParams.get('schema') ?? undefined
  url.searchParams.delete('schema')
  return { connectionString: url.toString(), schema }
}

function wholeNumber(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw invalidArgument(field, value, 'a whole number >= 0')
}
