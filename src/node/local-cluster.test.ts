import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

test.skipIf(!existsSync('/proc/self'))(
  'nor does it try for ever where no folder can be made at all',
  async () => {
    const dataFolder = '/proc/althing/data'
    const world = createNodeWorld({ dataFolder, logger: new NodeLogger('error') })
    await expect(LocalCluster.start({ world, nodes: 1, dataFolder })).rejects.toMatchObject({
      code: 'disk-failed',
      message: expect.stringContaining(`the folder ${dataFolder} cannot be made: ENOENT`) as string,
    })
  },
)
