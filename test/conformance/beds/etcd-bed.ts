import type { World } from '../../../src/contracts/world.ts'
import { openEtcdStore } from '../../../src/engines/etcd/etcd-store.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import { EtcdServers, quickElections } from '../../engines/servers/etcd-servers.ts'
import { TcpProxy } from '../../engines/servers/tcp-proxy.ts'
import type { TestBed } from '../register.ts'

export interface EtcdBed extends TestBed {
  readonly world: World
  /** Of each member. */
  readonly endpoints: readonly string[]
}

/** Real etcd servers, each behind a proxy that can break its connections. */
export async function openEtcdBed(members: 1 | 3): Promise<EtcdBed> {
  const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })
  const flags = { ...quickElections, 'experimental-watch-progress-notify-interval': '200ms' }
  const servers = await EtcdServers.start({ members, flags })
  const proxies = await Promise.all(servers.addresses.map((address) => TcpProxy.start(address)))
  const endpoints = proxies.map(({ address }) => address)
  const all = servers.addresses.map((_, member) => member)
  const failover = async (): Promise<void> => {
    const leader = await servers.leader()
    await servers.kill(leader)
    await servers.leader()
    await servers.restart(leader)
  }
  return {
    world,
    endpoints,
    open: () => openEtcdStore(world, { endpoints }),
    restart: async () => {
      await Promise.all(all.map((member) => servers.kill(member)))
      await Promise.all(all.map((member) => servers.restart(member)))
    },
    ...(members === 1 ? {} : { failover }),
    cut: () => {
      for (const proxy of proxies) proxy.drop()
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await servers.stop()
    },
  }
}
