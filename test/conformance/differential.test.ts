import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/contracts/store.ts'
import { differentialRun } from '../../src/testing/conformance/differential/differential-run.ts'
import { openClusterBed } from './beds/cluster-bed.ts'
import { openLocalBed } from './beds/local-bed.ts'
import { openPostgresBed } from './beds/postgres-bed.ts'
import { postgresUnavailable } from '../engines/servers/postgres-server.ts'
import { openRedisBed } from './beds/redis-bed.ts'
import { redisUnavailable } from '../engines/servers/redis-server.ts'
import type { TestBed } from './register.ts'

const engines: readonly (readonly [engine: string, openBed: () => Promise<TestBed>, clients: number])[] = [
  ['memory:', () => openLocalBed('memory'), 1],
  ['file:', () => openLocalBed('file'), 1],
  ['a cluster of three nodes', openClusterBed, 3],
  ...(postgresUnavailable() === undefined ? ([['PostgreSQL', openPostgresBed, 2]] as const) : []),
  ...(redisUnavailable() === undefined ? ([['Redis', openRedisBed, 2]] as const) : []),
]

describe.each(engines)('%s and the store model', (_, openBed, clients) => {
  let bed: TestBed | undefined
  const stores: Store[] = []
  beforeAll(async () => {
    bed = await openBed()
    for (let n = 0; n < clients; n++) stores.push(await bed.open())
  })
  afterAll(async () => {
    for (const store of stores) await store.close()
    await bed?.[Symbol.asyncDispose]()
  })

  test.each([1, 2, 3])('answer random commands alike (seed %i)', async (seed) => {
    const { world } = bed as TestBed
    const { difference } = await differentialRun({ stores, world, seed, commands: 1_000 })
    expect(difference?.text).toBeUndefined()
  })
})
