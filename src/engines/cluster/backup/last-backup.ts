import { bytesFromText, textFromBytes } from '../../../base/bytes.ts'
import { AlthingError } from '../../../contracts/errors.ts'
import { encodeCommand } from '../../../models/store/codec.ts'
import type { StoreModel } from '../../../models/store/store-model.ts'
import type { StoreCommand } from '../../../models/store/types.ts'
import type { Plain } from '../operator-calls.ts'
import type { BackupCallsOptions } from './backup-calls.ts'
import { fieldsOf } from './call-fields.ts'

/** The cluster's own key that tells of the last whole backup of its store. */
export const lastBackupKey = '\u0000settings/last-backup'

export interface LastBackup {
  /** Milliseconds since 1970, by the clock of the leader of that time. */
  readonly atMs: number
  readonly revision: number
  readonly bytes: number
}

/** `undefined`: none was ever taken. */
export function readLastBackup(model: StoreModel): LastBackup | undefined {
  const kv = model.range({ key: lastBackupKey }).kvs[0]
  return kv === undefined ? undefined : (JSON.parse(textFromBytes(kv.value)) as LastBackup)
}

/** Through the log of the cluster's own group, which this node must lead. */
export async function recordBackup(
  { world, groups }: Pick<BackupCallsOptions, 'world' | 'groups'>,
  argument: Plain,
): Promise<Plain> {
  const { revision, bytes } = fieldsOf(argument)
  const host = groups().find(({ group }) => group === 1)?.host
  if (host === undefined)
    throw new AlthingError('unavailable', 'this node has no copy of the store', { outcome: 'none' })
  const last: LastBackup = {
    atMs: Math.round(world.clock.wallMs()),
    revision: Number(revision),
    bytes: Number(bytes),
  }
  const put = { op: 'put', key: lastBackupKey, value: bytesFromText(JSON.stringify(last)) } as const
  const command: StoreCommand = {
    session: 0,
    sequence: 0,
    acknowledged: 0,
    type: 'txn',
    compare: [],
    then: [put],
    else: [],
  }
  await new Promise<void>((resolve, reject) => {
    host.mutate(encodeCommand(command), command, (error) => {
      if (error === undefined) resolve()
      else reject(error)
    })
  })
  return null
}
