import { AlthingError } from '../../../contracts/errors.ts'
import type { StoreState } from '../../../models/store/snapshot.ts'
import { readSnapshot } from '../../../models/store/snapshot-reader.ts'
import type { BackupEnd, BackupGroup, BackupManifest } from './backup-format.ts'
import { readBackup } from './backup-reader.ts'

export interface VerifiedGroup extends BackupGroup {
  /** Of its data in the backup. */
  readonly bytes: number
  readonly state: StoreState
}

export interface VerifiedBackup {
  readonly manifest: BackupManifest
  readonly groups: readonly VerifiedGroup[]
  readonly end: BackupEnd
}

/**
 * Reads all of a backup, checks it, and builds each group's state from it: what this accepts can be restored. Holds the whole in memory. Rejects with `corrupt`, naming
 * `name` and the offset, or `incompatible-peer`.
 */
export async function verifyBackup(source: AsyncIterable<Uint8Array>, name: string): Promise<VerifiedBackup> {
  let manifest: BackupManifest | undefined
  let end: BackupEnd | undefined
  let open: BackupGroup | undefined
  let chunks: Uint8Array[] = []
  const groups: VerifiedGroup[] = []
  for await (const part of readBackup(source, name)) {
    if (part.type === 'manifest') manifest = part.manifest
    else if (part.type === 'group') open = part.group
    else if (part.type === 'data') chunks.push(part.data)
    else if (part.type === 'end') end = part.end
    else if (open !== undefined) {
      groups.push({ ...open, bytes: part.end.bytes, state: stateOf(open, chunks, name) })
      chunks = []
    }
  }
  if (manifest === undefined || end === undefined)
    throw new AlthingError('corrupt', `${name} ends before its end`)
  return { manifest, groups, end }
}

function stateOf(group: BackupGroup, chunks: readonly Uint8Array[], name: string): StoreState {
  let state: StoreState
  try {
    state = readSnapshot(chunks)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AlthingError('corrupt', `${name}: group ${group.group} cannot be read: ${why}`, { cause })
  }
  const { revision, current } = state.keys
  if (revision === group.revision && current.size === group.keys) return state
  throw new AlthingError(
    'corrupt',
    `${name}: group ${group.group} has revision ${revision} and ${current.size} keys, not ${group.revision} and ${group.keys}`,
  )
}
