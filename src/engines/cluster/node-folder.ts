import { bytesFromText } from '../../base/bytes.ts'
import type { AlthingError } from '../../contracts/errors.ts'
import type { Disk, World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { DiskStorageOptions } from '../../replication/storage.ts'
import { type NodeStorage, openNodeStorage } from '../../replication/node-storage.ts'
import { readIdentity, writeIdentity } from '../../replication/wal/identity.ts'
import { removedMember } from './membership/admission.ts'
import { KnownMembers } from './membership/known-members.ts'

/** Lies in the folder of a member that was removed: the data stays, but nobody is to start from it. */
const removedFile = 'removed.json'

export interface NodeFolderOptions {
  readonly world: World
  readonly directory: string
  readonly clusterId: string
  readonly nodeId: NodeId
  readonly files?: Omit<DiskStorageOptions, 'identity'>
}

/** What a node finds in its folder. */
export interface NodeFolder {
  readonly storage: NodeStorage
  readonly storageId: string
  readonly known: KnownMembers
}

/** Opens the storage of a node, which has a `storageId` from now on. Rejects with `not-member` when the node was removed from its cluster. */
export async function openNodeFolder(options: NodeFolderOptions): Promise<NodeFolder> {
  const { world, directory, clusterId, nodeId, files } = options
  await assertNotRemoved(world.disk, directory, nodeId)
  const storageId = Buffer.from(world.random.bytes(12)).toString('hex')
  const identity = { clusterId, nodeId, storageId }
  const storage = await openNodeStorage(world, directory, { ...files, identity })
  try {
    const kept = await keptStorageId(world.disk, directory, identity)
    return { storage, storageId: kept, known: await KnownMembers.read(world, directory) }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** That of the folder; one made by a version that drew none gets the one drawn now. */
async function keptStorageId(
  disk: Disk,
  directory: string,
  drawn: { readonly clusterId: string; readonly nodeId: NodeId; readonly storageId: string },
): Promise<string> {
  const kept = await readIdentity(disk, directory)
  if (kept?.storageId !== undefined) return kept.storageId
  await writeIdentity(disk, directory, drawn)
  return drawn.storageId
}

/** Durable when resolved: the node will not start from this folder again. */
export async function markRemoved(disk: Disk, directory: string, reason: AlthingError): Promise<void> {
  const path = `${directory}/${removedFile}`
  const file = await disk.open(`${path}.tmp`, { create: true })
  try {
    await file.truncate(0)
    await file.writeDurably(0, [bytesFromText(`${JSON.stringify({ reason: reason.message })}\n`)])
  } finally {
    await file.close()
  }
  await disk.rename(`${path}.tmp`, path)
  await disk.syncDirectory(directory)
}

async function assertNotRemoved(disk: Disk, directory: string, nodeId: NodeId): Promise<void> {
  // Whatever stands in it: that it is there is the mark.
  if ((await disk.list(directory)).includes(removedFile)) throw removedMember(nodeId)
}
