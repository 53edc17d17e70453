import type { World } from '../../../src/contracts/world.ts'
import { openEtcdStore } from '../../../src/engines/etcd/etcd-store.ts'
import { EtcdServers } from '../../engines/servers/etcd-servers.ts'
import type { Engine } from '../place.ts'
import { proxiedLink } from '../proxied-link.ts'

/** Each store is a server: etcd has one key space. */
export async function startEtcd(): Promise<Engine> {
  const servers: EtcdServers[] = []
  const open = (world: World, address: string) => openEtcdStore(world, { endpoints: [address] })
  return {
    accept: [],
    place: async () => {
      const server = await EtcdServers.start({ members: 1 })
      servers.push(server)
      return { link: () => proxiedLink(server.addresses[0] as string, open) }
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}
