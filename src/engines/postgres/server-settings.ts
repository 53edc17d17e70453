import { AlthingError } from '../../contracts/errors.ts'
import { type StoreCapabilities, storeLimits } from '../../contracts/store.ts'
import type { Row } from './library.ts'

const oldestVersion = 13

export const settingsQuery = `select
  current_setting('server_version_num')::int as version,
  current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as syncs,
  current_setting('synchronous_commit') as commit,
  current_setting('synchronous_standby_names') as standbys,
  current_setting('transaction_isolation') as isolation,
  pg_is_in_recovery() as standby`

/** An entry of an index of PostgreSQL has at most 2,704 bytes. */
export const limits = { ...storeLimits, keyBytesMax: 2_048 } as const

export const sweepMsMax = 500

/** What the server can be trusted with, by its own settings. Throws `incompatible-peer` for a server on which the engine would not be right. */
export function capabilitiesOf(settings: Row | undefined): StoreCapabilities {
  const version = Number(settings?.version)
  if (!(version >= oldestVersion * 10_000)) {
    throw unfit(`its version is ${version / 10_000}, but at least ${oldestVersion} is needed`)
  }
  if (settings?.isolation !== 'read committed') {
    throw unfit(
      `default_transaction_isolation is ${String(settings?.isolation)} here, but the engine works with 'read committed' (its writers queue by a lock): set that for the role, or for the pool`,
    )
  }
  return {
    linearizable: true,
    durability: durabilityOf(settings),
    leaseSurvivesFailover: true,
    timeAuthority: 'server',
    leaseExpiryResolutionMs: 2 * sweepMsMax,
    // A server that loses what it has acknowledged gives revisions a second time.
    fencing: durabilityOf(settings) !== 'memory',
    watchResume: true,
    exactlyOnce: true,
    limits,
  }
}

/**
 * Where a commit is when it is acknowledged. `synchronous_commit = off` is overruled by each command, so it counts as `on`. With `remote_write` and `local` a standby's disk is not waited for.
 */
function durabilityOf(settings: Row): StoreCapabilities['durability'] {
  if (settings.syncs !== true) return 'memory'
  const waitsForStandby = ['on', 'off', 'remote_apply'].includes(String(settings.commit))
  return settings.standbys !== '' && waitsForStandby ? 'quorum-disk' : 'disk'
}

function unfit(why: string): AlthingError {
  return new AlthingError('incompatible-peer', `this PostgreSQL server cannot carry a store: ${why}`, {
    outcome: 'none',
  })
}
