import { runToEnd } from '../../../base/run-to-end.ts'
import { AlthingError } from '../../../contracts/errors.ts'
import type { StoreState } from '../../../models/store/snapshot.ts'
import { SnapshotReader } from '../../../models/store/snapshot-reader.ts'
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
  let open: OpenGroup | undefined
  const groups: VerifiedGroup[] = []
  for await (const part of readBackup(source, name)) {
    if (part.type === 'manifest') manifest = part.manifest
    else if (part.type === 'group') open = new OpenGroup(part.group, name)
    else if (part.type === 'data') open?.add(part.data)
    else if (part.type === 'end') end = part.end
    else if (open !== undefined) groups.push(open.finish(part.end.bytes))
  }
  if (manifest === undefined || end === undefined)
    throw new AlthingError('corrupt', `${name} ends before its end`)
  return { manifest, groups, end }
}

class OpenGroup {
  readonly #group: BackupGroup
  readonly #name: string
  readonly #reader = new SnapshotReader()

  constructor(group: BackupGroup, name: string) {
    this.#group = group
    this.#name = name
  }

  add(data: Uint8Array): void {
    this.#read(() => runToEnd(this.#reader.add(data)))
  }

  finish(bytes: number): VerifiedGroup {
    const { group, revision, keys } = this.#group
    const state = this.#read(() => runToEnd(this.#reader.finish()))
    const { revision: found, current } = state.keys
    if (found === revision && current.size === keys) return { ...this.#group, bytes, state }
    const problem = `has revision ${found} and ${current.size} keys, not ${revision} and ${keys}`
    throw new AlthingError('corrupt', `${this.#name}: group ${group} ${problem}`)
  }

  #read<T>(read: () => T): T {
    try {
      return read()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      const problem = `${this.#name}: group ${this.#group.group} cannot be read: ${why}`
      throw new AlthingError('corrupt', problem, { cause })
    }
  }
}
