import { isAlthingError } from '../../../src/contracts/errors.ts'
import type { World } from '../../../src/contracts/world.ts'
import type { Entry } from '../../../src/protocols/raft/types.ts'
import { openDiskStorage } from '../../../src/replication/storage.ts'
import type { DiskImage, MemoryDisk } from '../memory-disk.ts'
import { worldWith } from './disk-world.ts'

/** What a node's folder holds. */
export interface FolderContent {
  readonly entries: readonly Entry[]
  /** All bytes of the newest snapshot, as text. */
  readonly snapshot: string | undefined
}

const directory = 'node'
const files = { segmentBytes: 8_192, snapshotBlockBytes: 1_024 } as const
const identity = { clusterId: 'fuzz', nodeId: 1 } as const
const snapshot = { index: 60, term: 2, configuration: { voters: [1, 2, 3] } }
const entryCount = 130

/** Fills a folder as a node does: several segments, a snapshot, a vote. */
export async function fillFolder(disk: MemoryDisk): Promise<DiskImage> {
  const { storage } = await openDiskStorage(worldWith(disk), directory, { identity, ...files })
  await storage.append({ hardState: { term: 1, vote: 2 }, entries: [] })
  for (let index = 1; index <= entryCount; index += 2)
    await storage.append({ entries: [entryAt(index), entryAt(index + 1)] })
  await storage.saveSnapshot(snapshot, [Buffer.alloc(2_500, 7), Buffer.from('the end')])
  await storage.append({ hardState: { term: 3, vote: 1 }, entries: [] })
  await storage.close()
  return disk.image
}

function entryAt(index: number): Entry {
  const data = Buffer.alloc(20 + ((index * 37) % 300), index & 0xff)
  return { index, term: index < 50 ? 1 : 2, kind: index % 40 === 1 ? 'empty' : 'command', data }
}

/** Opens the folder as a node does, and reads all of it. */
export async function readFolder(world: World): Promise<FolderContent> {
  const { storage, restored } = await openDiskStorage(world, directory, { identity, ...files })
  try {
    return { entries: restored.entries, snapshot: await readSnapshot(storage) }
  } finally {
    await storage.close().catch((error: unknown) => {
      if (!isAlthingError(error)) throw error
    })
  }
}

type Storage = Awaited<ReturnType<typeof openDiskStorage>>['storage']

async function readSnapshot(storage: Storage): Promise<string | undefined> {
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
