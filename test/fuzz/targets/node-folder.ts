import { isAlthingError } from '../../../src/contracts/errors.ts'
import type { World } from '../../../src/contracts/world.ts'
import type { Entry, LogPosition, RestoredState, SnapshotMeta } from '../../../src/protocols/raft/types.ts'
import { type NodeStorage, type OpenedGroup, openNodeStorage } from '../../../src/replication/node-storage.ts'
import type { DiskImage, MemoryDisk } from '../memory-disk.ts'
import { worldWith } from './disk-world.ts'

/** What a node's folder holds of one group. */
export interface GroupContent {
  readonly entries: readonly Entry[]
  /** All bytes of the newest snapshot, as text. */
  readonly snapshot: string | undefined
  /** What an earlier copy has left. */
  readonly votingFloor: LogPosition | undefined
}

export type FolderContent = ReadonlyMap<number, GroupContent>

const directory = 'node'
const options = {
  identity: { clusterId: 'fuzz', nodeId: 1 },
  segmentBytes: 8_192,
  snapshotBlockBytes: 1_024,
} as const
const configuration = {
  voters: [1, 2, 3],
  learners: [4],
  addresses: { 1: 'a:1', 2: 'b:1', 3: 'c:1', 4: 'd:1' },
}
const snapshot: SnapshotMeta = { index: 60, term: 2, configuration }
const entryCount = 90
const removedGroup = 3
/** Has left, and come back. */
const returnedGroup = 4

/** Fills a folder as a node does: several segments, two groups, one that was removed and one that left and came back, snapshots, votes. */
export async function fillFolder(disk: MemoryDisk): Promise<DiskImage> {
  const node = await openNodeStorage(worldWith(disk), directory, options)
  for (const id of [1, 2, removedGroup, returnedGroup]) await node.createGroup(id, configuration)
  await node.removeGroup(removedGroup)
  await leaveAndReturn(node)
  await Promise.all([fillGroup(node, 1), fillGroup(node, 2)])
  await node.close()
  return disk.image
}

async function leaveAndReturn(node: NodeStorage): Promise<void> {
  const { storage } = node.groups.get(returnedGroup) as OpenedGroup
  await storage.append({ hardState: { term: 9, vote: 2 }, entries: [entryAt(returnedGroup, 1)] })
  await node.retireGroup(returnedGroup, { index: 1, term: 1 })
  await node.createGroup(returnedGroup, configuration)
}

async function fillGroup(node: NodeStorage, id: number): Promise<void> {
  const { storage } = node.groups.get(id) as OpenedGroup
  await storage.append({ hardState: { term: 1, vote: 2 }, entries: [] })
  for (let index = 1; index <= entryCount; index += 2)
    await storage.append({ entries: [entryAt(id, index), entryAt(id, index + 1)] })
  await storage.saveSnapshot(snapshot, [Buffer.alloc(2_500, 7 + id), Buffer.from('the end')])
  await storage.append({ hardState: { term: 3, vote: 1 }, entries: [] })
}

function entryAt(group: number, index: number): Entry {
  const data = Buffer.alloc(20 + ((index * 37) % 300), (index * group) & 0xff)
  return { index, term: index < 50 ? 1 : 2, kind: index % 40 === 1 ? 'empty' : 'command', data }
}

/** Opens the folder as a node does, and reads all of it. */
export async function readFolder(world: World): Promise<FolderContent> {
  const node = await openNodeStorage(world, directory, options)
  try {
    const content = new Map<number, GroupContent>()
    for (const [id, { storage, restored }] of node.groups) content.set(id, await readGroup(storage, restored))
    return content
  } finally {
    await node.close().catch((error: unknown) => {
      if (!isAlthingError(error)) throw error
    })
  }
}

async function readGroup(storage: OpenedGroup['storage'], restored: RestoredState): Promise<GroupContent> {
  const { entries, votingFloor } = restored
  return { entries, snapshot: await readSnapshot(storage), votingFloor }
}

async function readSnapshot(storage: OpenedGroup['storage']): Promise<string | undefined> {
  const reader = await storage.openSnapshot()
  if (reader === undefined) return undefined
  let text = ''
  try {
    for await (const chunk of reader.chunks()) text += Buffer.from(chunk).toString('latin1')
  } finally {
    await reader.close()
  }
  return text
}
