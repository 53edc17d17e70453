import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openNatsStore } from '../../src/engines/nats/open-nats-store.ts'
import type { NatsStore } from '../../src/engines/nats/open-nats-store.ts'
import { concurrentRun } from '../../src/testing/conformance/concurrent-run.ts'
import { differentialRun } from '../../src/testing/conformance/differential/differential-run.ts'
import { NodeLogger } from '../../src/world/logger.ts'
import { createNodeWorld } from '../../src/world/node-world.ts'
import { NatsServers, natsUnavailable } from '../engines/servers/nats-servers.ts'

const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

describe.skipIf(natsUnavailable() !== undefined)('NATS and the store model', () => {
  let servers: NatsServers
  const stores: NatsStore[] = []

  beforeAll(async () => {
    servers = await NatsServers.start({ members: 1 })
    for (let n = 0; n < 3; n++)
      stores.push(
        await openNatsStore(world, {
          url: `nats://${servers.addresses[0]}`,
          keepRevisions: 0,
          keepMs: 0,
          snapshotMessages: 500,
        }),
      )
  })

  afterAll(async () => {
    for (const store of stores) await store.close()
    await servers?.stop()
  })

  test.each([1, 2, 3])('answer random commands alike (seed %i)', async (seed) => {
    const { difference } = await differentialRun({ stores, world, seed, commands: 1_000 })
    expect(difference?.text).toBeUndefined()
  })

  test('calls of many clients at the same time are linearizable, and all copies end the same', async () => {
    const { verdict } = await concurrentRun({ stores, world, seed: 1, clients: 9 })
    expect(verdict).toBe('ok')
    const hashes: string[] = []
    for (const store of stores) {
      await store.range({ key: 'a' })
      hashes.push(JSON.stringify({ ...store.host.model.stateHash() }))
    }
    expect(new Set(hashes).size).toBe(1)
  })
})
