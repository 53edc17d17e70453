import { existsSync } from 'node:fs'
import { RecentQuantile } from '../observe/recent-quantile.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'

const writes = 100
const block = new Uint8Array(4_096).fill(0x61)
const fileName = '.doctor'

/** Times durable writes of 4 KiB in the folder, into a file that it removes again. Undefined when there is no such folder. */
export async function measureDiskSync(
  folder: string,
): Promise<{ readonly folder: string; readonly p50Ms: number; readonly p99Ms: number } | undefined> {
  if (!existsSync(folder)) return undefined
  const { disk, clock } = createNodeWorld({ dataFolder: folder, logger: new NodeLogger('warn') })
  const times = new RecentQuantile()
  const file = await disk.open(fileName, { create: true })
  try {
    for (let i = 0; i < writes; i++) {
      const startedMs = clock.monotonicMs()
      await file.writeDurably(i * block.byteLength, [block])
      times.add(clock.monotonicMs() - startedMs)
    }
  } finally {
    await file.close()
    await disk.remove(fileName)
  }
  return { folder, p50Ms: times.at(0.5) ?? 0, p99Ms: times.at(0.99) ?? 0 }
}
