import { withoutCredentials } from '../../base/url-text.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import type { HistoryBounds } from '../local/history-policy.ts'
import type { StoreBounds } from '../local/store-admission.ts'
import type { WatchHubBounds } from '../local/watch-hub.ts'
import { defaultTimeoutMs } from '../local/deadline.ts'
import type { NatsConnection, NatsConnectionOptions } from './nats-library.ts'
import { type StoreStreams, streamsOf } from './nats-streams.ts'
import type { SnapshotBounds } from './snapshot-keeper.ts'

export interface NatsStoreOptions
  extends Partial<HistoryBounds>,
    Partial<WatchHubBounds>,
    Partial<SnapshotBounds> {
  /** `nats://user:password@host:port,host:port/store`, with `?replicas=3` and `?sync=always`. */
  readonly url?: string
  /** In place of `url`, or beside it: options of `connect` of `@nats-io/transport-node` (servers, credentials, TLS). */
  readonly connect?: NatsConnectionOptions
  /** In place of both: a connection of the application's own. It is not closed by `close`. Its leases have no thread. */
  readonly connection?: NatsConnection
  /** The store's name (default `althing`): several may lie in one account. */
  readonly store?: string
  /** Servers that keep the streams, where they are made: 1 (default), 3 or 5. */
  readonly replicas?: number
  /** Makes the streams when they are missing (default true). */
  readonly create?: boolean
  /**
   * The user's word that the servers write to their disks before they acknowledge (`sync_interval: always`, nats-server 2.10 or later). The engine cannot ask them, and takes them not to.
   */
  readonly syncAlways?: boolean
  /** The domain of JetStream. */
  readonly domain?: string
  /** How long a call waits, when it does not say itself (default 5000). */
  readonly timeoutMs?: number
  /** Bounds that this process keeps to in what it writes; the quota is 512 MiB here by default, since each process holds the whole store. */
  readonly bounds?: Partial<StoreBounds>
}

export interface CheckedNatsOptions {
  readonly source: { readonly connection: NatsConnection } | { readonly connect: NatsConnectionOptions }
  readonly streams: StoreStreams
  readonly replicas: number
  readonly create: boolean
  readonly syncAlways: boolean
  readonly domain: string | undefined
  readonly timeoutMs: number
}

const form = "'nats://HOST:PORT,HOST:PORT' or 'nats://USER:PASSWORD@HOST:PORT/STORE?replicas=3'"

/** Throws `invalid-argument`. */
export function checkNatsOptions(options: NatsStoreOptions): CheckedNatsOptions {
  const { url, connect, connection, domain, timeoutMs = defaultTimeoutMs } = options
  if ((connection === undefined) === (url === undefined && connect === undefined))
    throw invalidArgument('options', Object.keys(options), "'url' or 'connect' or both, or 'connection'")
  const place = url === undefined ? undefined : placeOf(url)
  if (!(Number.isFinite(timeoutMs) && timeoutMs > 0))
    throw invalidArgument('timeoutMs', timeoutMs, 'milliseconds > 0')
  const replicas = options.replicas ?? place?.replicas ?? 1
  if (![1, 3, 5].includes(replicas)) throw invalidArgument('replicas', replicas, '1, 3 or 5')
  return {
    source: connection === undefined ? { connect: { ...place?.connect, ...connect } } : { connection },
    streams: streamsOf(options.store ?? place?.store ?? 'althing'),
    replicas,
    create: options.create ?? true,
    syncAlways: options.syncAlways ?? place?.syncAlways ?? false,
    domain,
    timeoutMs,
  }
}

interface Place {
  readonly connect: NatsConnectionOptions
  readonly store: string | undefined
  readonly replicas: number | undefined
  readonly syncAlways: boolean | undefined
}

function placeOf(url: string): Place {
  const match = /^nats:\/\/(?:([^/?#@]*)@)?([^/?#@]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/.exec(url)
  if (match === null) throw invalidArgument('url', withoutCredentials(url), form)
  const [, user, hosts = '', path = '', query = ''] = match
  const search = new URLSearchParams(query)
  const known = ['store', 'replicas', 'sync']
  for (const name of search.keys())
    if (!known.includes(name)) throw invalidArgument('url', `?${name}`, `one of ?${known.join(', ?')}`)
  const sync = search.get('sync')
  if (sync !== null && sync !== 'always' && sync !== 'interval')
    throw invalidArgument('url', `?sync=${sync}`, "'always' or 'interval'")
  const replicas = search.get('replicas')
  return {
    connect: { servers: hosts.split(','), ...credentialsIn(user, url) },
    store: search.get('store') ?? (path === '' ? undefined : decoded(path, url)),
    replicas: replicas === null ? undefined : Number(replicas),
    syncAlways: sync === null ? undefined : sync === 'always',
  }
}

/** One name alone is a token, as NATS has it. */
function credentialsIn(text: string | undefined, url: string): NatsConnectionOptions {
  if (text === undefined) return {}
  const at = text.indexOf(':')
  if (at < 0) return { token: decoded(text, url) }
  return { user: decoded(text.slice(0, at), url), pass: decoded(text.slice(at + 1), url) }
}

function decoded(text: string, url: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidArgument('url', withoutCredentials(url), form)
  }
}
