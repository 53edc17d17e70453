import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { LocalCluster } from './local-cluster.ts'

test('a local cluster whose folder cannot be made says which, and starts nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'althing-local-'))
  try {
    const dataFolder = join(folder, 'file')
    writeFileSync(dataFolder, '')
    const world = createNodeWorld({ dataFolder, logger: new NodeLogger('error') })
    await expect(LocalCluster.start({ world, nodes: 1, dataFolder })).rejects.toMatchObject({
      code: 'disk-failed',
      outcome: 'none',
      message: expect.stringContaining(`the folder ${dataFolder} cannot be made: EEXIST`) as string,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
