import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalStore } from '../../../src/engines/local/local-store.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import type { TestBed } from '../register.ts'

/** The embedded engine in this process: in memory, or in a folder of its own. */
export async function openLocalBed(kind: 'memory' | 'file'): Promise<TestBed> {
  const folder = await mkdtemp(join(tmpdir(), 'althing-conformance-'))
  const world = createNodeWorld({ dataFolder: folder, logger: new NodeLogger('error') })
  return {
    world,
    // Compaction is the suite's: one by the engine itself would make older reads a matter of chance.
    open: () =>
      openLocalStore({ world, keepRevisions: 0, ...(kind === 'file' ? { directory: 'store' } : {}) }),
    ...(kind === 'file' ? { restart: () => Promise.resolve() } : {}),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}
