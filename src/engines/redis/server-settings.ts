import { AlthingError } from '../../contracts/errors.ts'
import type { StoreCapabilities } from '../../contracts/store.ts'
import type { Link } from './link.ts'
import { replyCodeOf } from './redis-errors.ts'
import { sweepMsMax } from './upkeep.ts'

const oldestVersion = 7

/** What is known of the set-up besides what the server says. */
export interface KnownSetUp {
  /** The client asks Sentinels for the primary, or knows a cluster: another server may take over. */
  readonly mayFailOver: boolean
  /** The user's word for what the server does not let be read. */
  readonly statedSyncedAlone: boolean
}

/** What the engine reads of a server. */
export interface ServerSettings {
  readonly version: string
  readonly mode: string
  readonly role: string
  readonly evictionPolicy: string
  readonly keepsLog: boolean
  /** `undefined` where the server does not let it be read. */
  readonly syncsAlways: boolean | undefined
  /** There are, or were, replicas: one of them may be promoted. */
  readonly hasReplicas: boolean
}

/** Rejects with whatever the library rejects with. */
export async function readSettings(link: Link): Promise<ServerSettings> {
  const info = fieldsOf(String(await link.command('info', [])))
  const config = await readConfig(link)
  return {
    version: info.get('redis_version') ?? '',
    mode: info.get('redis_mode') ?? info.get('server_mode') ?? '',
    role: info.get('role') ?? '',
    evictionPolicy: info.get('maxmemory_policy') ?? config?.get('maxmemory-policy') ?? '',
    keepsLog: info.get('aof_enabled') === '1',
    syncsAlways:
      config === undefined
        ? undefined
        : config.get('appendfsync') === 'always' && config.get('no-appendfsync-on-rewrite') === 'no',
    hasReplicas: hasReplicas(info),
  }
}

/** Many managed servers forbid it. */
async function readConfig(link: Link): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const wanted = ['appendfsync', 'no-appendfsync-on-rewrite', 'maxmemory-policy']
    const reply = (await link.command('config', ['get', ...wanted])) as readonly Buffer[]
    const config = new Map<string, string>()
    for (let i = 0; i + 1 < reply.length; i += 2) config.set(String(reply[i]), String(reply[i + 1]))
    return config.has('appendfsync') && config.has('no-appendfsync-on-rewrite') ? config : undefined
  } catch (error) {
    if (replyCodeOf(error) === undefined) throw error
    return undefined
  }
}

/** A replica that is away for a moment is one all the same: what was kept for it tells of it, and so does a change of primary in the past. */
function hasReplicas(info: ReadonlyMap<string, string>): boolean {
  return (
    info.get('connected_slaves') !== '0' ||
    info.get('repl_backlog_active') === '1' ||
    info.get('cluster_enabled') === '1' ||
    Number(info.get('second_repl_offset') ?? -1) >= 0
  )
}

/** Throws `incompatible-peer` for a server on which the engine would not be right, and `unavailable` for a replica. */
export function assertFit(settings: ServerSettings): void {
  const { version, mode, role, evictionPolicy } = settings
  if (mode === 'sentinel')
    throw unfit('it is a Sentinel: give its address as one of `sentinels`, and the name of the primary')
  if (!(Number.parseInt(version, 10) >= oldestVersion))
    throw unfit(`its version is ${version}, but at least ${oldestVersion} is needed`)
  if (evictionPolicy !== 'noeviction')
    throw unfit(
      `its maxmemory-policy is ${evictionPolicy}: it throws keys away when its memory is full, and so locks, leases and history. Set 'noeviction'`,
    )
  if (role !== 'master')
    throw new AlthingError('unavailable', 'this server is a replica: connect to the primary', {
      outcome: 'none',
    })
}

/** Every acknowledged write is on the disk first, and nobody without it can take the server's place. */
export function losesNothing(settings: ServerSettings, known: KnownSetUp): boolean {
  if (settings.hasReplicas || known.mayFailOver || !settings.keepsLog) return false
  return settings.syncsAlways ?? known.statedSyncedAlone
}

/** What the server can be trusted with. */
export function capabilitiesOf(settings: ServerSettings, known: KnownSetUp): StoreCapabilities {
  const keeps = losesNothing(settings, known)
  return {
    linearizable: keeps,
    durability: keeps ? 'disk' : 'memory',
    leaseSurvivesFailover: keeps,
    timeAuthority: 'server',
    leaseExpiryResolutionMs: 2 * sweepMsMax,
    fencing: keeps,
    watchResume: true,
    exactlyOnce: true,
  }
}

function fieldsOf(info: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of info.split('\r\n')) {
    const at = line.indexOf(':')
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1))
  }
  return fields
}

function unfit(why: string): AlthingError {
  return new AlthingError('incompatible-peer', `this server cannot carry a store: ${why}`, {
    outcome: 'none',
  })
}
