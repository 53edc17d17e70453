import { AlthingError } from '../../../contracts/errors.ts'
import { malformed } from '../protocol.ts'
import type { CalledNode } from '../operator-links.ts'
import type { BackupGroup, BackupManifest } from './backup-format.ts'
import { BackupWriter } from './backup-writer.ts'
import { answerFields } from './answer-fields.ts'

export interface TakeBackupOptions {
  /** What to back up, and from which node each group is read; one or more. */
  readonly groups: readonly { readonly group: number | string; readonly node: CalledNode }[]
  /** Milliseconds since 1970, to be stated in the backup. */
  readonly takenAtMs: number
  /** Leave out users, roles and tokens, and the history of the store. */
  readonly withoutAccess?: boolean
  /** Read the node's own copy without asking the leader: for a cluster that has lost its quorum. May lack the last acknowledged writes. */
  readonly serializable?: boolean
  /** Told after each piece. */
  onProgress?(bytes: number): void
}

export interface TakenBackup {
  readonly manifest: BackupManifest
  readonly groups: readonly BackupGroup[]
  readonly bytes: number
}

/**
 * Reads a backup from the nodes, piece by piece as it is asked for, while they serve. Each group is as it was at one revision of its own, at or after
 * the moment of the call; two groups are not of one moment. Rejects with what the nodes answer; what was handed out is then no whole backup.
 */
export async function* takeBackup(
  options: TakeBackupOptions,
): AsyncGenerator<Uint8Array[], TakenBackup, undefined> {
  const writer = new BackupWriter()
  const groups: BackupGroup[] = []
  let manifest: BackupManifest | undefined
  for (const { group, node } of options.groups) {
    const begun = await begin(node, group, options)
    try {
      if (manifest === undefined) {
        manifest = { ...begun.origin, ...manifestOf(options) }
        yield writer.begin(manifest)
      }
      if (manifest.clusterId !== begun.origin.clusterId)
        throw new AlthingError('incompatible-peer', 'the groups are not of one cluster')
      groups.push(begun.group)
      yield writer.beginGroup(begun.group)
      for await (const data of chunksOf(node, begun.id)) {
        yield writer.data(data)
        options.onProgress?.(writer.bytes)
      }
      yield writer.endGroup()
    } finally {
      // A node that cannot be told closes it by itself after a while.
      await node.operate('backup.end', { id: begun.id }).catch(() => {})
    }
  }
  if (manifest === undefined) throw new AlthingError('invalid-argument', 'there is no group to back up')
  yield writer.end()
  return { manifest, groups, bytes: writer.bytes }
}

interface Begun {
  readonly id: number
  readonly origin: Pick<BackupManifest, 'clusterId' | 'node' | 'version'>
  readonly group: BackupGroup
}

async function begin(
  node: CalledNode,
  group: number | string,
  { withoutAccess = false, serializable = false }: TakeBackupOptions,
): Promise<Begun> {
  const answer = answerFields(await node.operate('backup.begin', { group, withoutAccess, serializable }))
  const whole = (name: string): number => {
    const value = answer[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed(`answer: ${name}`)
    return value
  }
  return {
    id: whole('id'),
    origin: {
      clusterId: String(answer['clusterId']),
      node: whole('node'),
      version: String(answer['version']),
    },
    group: {
      group: whole('group'),
      name: String(answer['name']),
      revision: whole('revision'),
      compactRevision: whole('compactRevision'),
      index: whole('index'),
      keys: whole('keys'),
      leases: whole('leases'),
    },
  }
}

function manifestOf({ takenAtMs, withoutAccess = false, serializable = false }: TakeBackupOptions) {
  return { takenAtMs: Math.round(takenAtMs), withoutAccess, serializable }
}

async function* chunksOf(node: CalledNode, id: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; ; ) {
    const { data, done } = answerFields(await node.operate('backup.read', { id, offset }))
    if (!(data instanceof Uint8Array)) throw malformed('answer: data')
    if (done === true) return
    yield data
    offset += data.byteLength
  }
}
