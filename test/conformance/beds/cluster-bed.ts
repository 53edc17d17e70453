import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { World } from '../../../src/contracts/world.ts'
import { openClusterStore } from '../../../src/engines/cluster/cluster-store.ts'
import { freePorts } from '../../../src/node/free-ports.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import { CuttableNetwork, RunningCluster } from '../../engines/servers/cluster-nodes.ts'
import type { TestBed } from '../register.ts'

const size = 3

/** A cluster of three nodes in this process, each with its folder, over TCP on the loopback. */
export async function openClusterBed(): Promise<TestBed> {
  const folder = await mkdtemp(join(tmpdir(), 'althing-conformance-'))
  const world = createNodeWorld({ dataFolder: folder, logger: new NodeLogger('error') })
  const ports = await freePorts(size)
  const members = ports.map((port, i) => ({ id: i + 1, address: `127.0.0.1:${port}` }))
  const cluster = new RunningCluster(world, members)
  await cluster.startAll()
  const network = new CuttableNetwork(world.network)
  const clientWorld: World = { ...world, network }
  const endpoints = members.map(({ address }) => address)
  return {
    world,
    open: async () => {
      const store = openClusterStore(clientWorld, { endpoints, timeoutMs: 20_000 })
      await store.connect()
      return store
    },
    restart: async () => {
      await cluster.stopAll()
      await cluster.startAll()
    },
    failover: () => cluster.replaceLeader(),
    cut: () => network.cut(),
    [Symbol.asyncDispose]: async () => {
      await cluster.stopAll()
      await rm(folder, { recursive: true })
    },
  }
}
