import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { World } from '../../../src/contracts/world.ts'
import { openClusterStore } from '../../../src/engines/cluster/cluster-store.ts'
import { NodeClient } from '../../../src/engines/cluster/node-client.ts'
import { freePorts } from '../../../src/node/free-ports.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import { CuttableNetwork, RunningCluster } from '../../engines/servers/cluster-nodes.ts'
import type { Engine, Link } from '../place.ts'

/** Each store is a group of one cluster of three nodes, over TCP. */
export async function startCluster(clientWorld: World): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'althing-recipes-'))
  const world = createNodeWorld({ dataFolder: folder, logger: new NodeLogger('error') })
  const members = (await freePorts(3)).map((port, i) => ({ id: i + 1, address: `127.0.0.1:${port}` }))
  const cluster = new RunningCluster(world, members)
  await cluster.startAll()
  const endpoints = members.map(({ address }) => address)
  const link = (group: string): Link => {
    const network = new CuttableNetwork(clientWorld.network)
    return {
      open: async (linked) => {
        const store = openClusterStore(linked, { endpoints, group, timeoutMs: 20_000 })
        await store.connect()
        return store
      },
      network,
      cut: () => {
        network.isCut = true
        network.cut()
      },
      mend: () => {
        network.isCut = false
      },
      close: () => Promise.resolve(network.cut()),
    }
  }
  // One after the other: the cluster changes its groups by one.
  let making: Promise<unknown> = Promise.resolve()
  return {
    accept: [],
    place: async (number) => {
      const group = `recipes-${number}`
      const made = making.then(() => createGroup(world, endpoints[0] as string, group))
      making = made.catch(() => undefined)
      await made
      return { link: () => link(group) }
    },
    close: async () => {
      await cluster.stopAll()
      await rm(folder, { recursive: true })
    },
  }
}

async function createGroup(world: World, address: string, name: string): Promise<void> {
  const client = await NodeClient.open(world, address, { timeoutMs: 30_000 })
  await client.operate('group.create', { name, waitMs: 20_000 }).finally(() => client.close())
}
