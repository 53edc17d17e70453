import { assert } from '../../base/assert.ts'
import type { World } from '../../contracts/world.ts'
import { SnapshotReader } from '../../models/store/snapshot-reader.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import { runInSlices } from '../../replication/in-slices.ts'
import type { RaftStorage } from '../../replication/storage.ts'

/** Reads the newest snapshot of the disk into a model: chunk by chunk, in steps that leave the loop free for whoever else lives in the process. */
export async function modelFromSnapshot(world: World, storage: RaftStorage): Promise<StoreModel> {
  const file = await storage.openSnapshot()
  assert(file !== undefined, 'the snapshot that the log starts after is on disk')
  const model = new StoreModel()
  const reader = new SnapshotReader()
  const always = (): boolean => true
  try {
    for await (const chunk of file.chunks()) await runInSlices(world, reader.add(chunk), always)
  } finally {
    await file.close()
  }
  await runInSlices(world, model.adopting(reader), always)
  return model
}
