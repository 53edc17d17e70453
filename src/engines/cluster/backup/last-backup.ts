import { AlthingError } from '../../../contracts/errors.ts'
import { settingsPrefix } from '../../../models/store/system-keys.ts'
import type { Plain } from '../operator-calls.ts'
import { SystemStore } from '../system-store.ts'
import type { StoreHost } from '../../local/store-host.ts'
import type { BackupCallsOptions } from './backup-calls.ts'
import { fieldsOf, requiredWhole } from '../call-fields.ts'

/** The cluster's own key that tells of the last whole backup of its store. */
export const lastBackupKey = `${settingsPrefix}last-backup`

export interface LastBackup {
  /** Milliseconds since 1970, by the clock of the leader of that time. */
  readonly atMs: number
  readonly revision: number
  readonly bytes: number
}

/** `undefined`: none was ever taken. `host` is that of group 1. */
export function readLastBackup(host: StoreHost): LastBackup | undefined {
  return new SystemStore(host).get<LastBackup>(lastBackupKey)?.value
}

/** Through the log of the cluster's own group, which this node must lead. */
export async function recordBackup(
  { world, groups }: Pick<BackupCallsOptions, 'world' | 'groups'>,
  argument: Plain,
): Promise<Plain> {
  const fields = fieldsOf(argument, ['revision', 'bytes'])
  const host = groups().find(({ group }) => group === 1)?.host
  if (host === undefined)
    throw new AlthingError('unavailable', 'this node has no copy of the store', { outcome: 'none' })
  const atMs = Math.round(world.clock.wallMs())
  const revision = requiredWhole(fields, 'revision')
  const value: LastBackup = { atMs, revision, bytes: requiredWhole(fields, 'bytes') }
  await new SystemStore(host).change([{ key: lastBackupKey, value }])
  return null
}
