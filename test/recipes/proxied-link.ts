import type { Store } from '../../src/contracts/store.ts'
import type { World } from '../../src/contracts/world.ts'
import { TcpProxy } from '../engines/servers/tcp-proxy.ts'
import type { Link } from './place.ts'

/** A way to a server that leads through a proxy of its own. */
export function proxiedLink(server: string, open: (world: World, address: string) => Promise<Store>): Link {
  const starting = TcpProxy.start(server)
  let proxy: TcpProxy | undefined
  return {
    open: async (world) => {
      proxy = await starting
      return await open(world, proxy.address)
    },
    cut: () => {
      if (proxy === undefined) return
      proxy.refuses = true
      proxy.leaveHalfOpen()
    },
    mend: () => {
      if (proxy === undefined) return
      proxy.refuses = false
      proxy.drop()
    },
    close: async () => (await starting).close(),
  }
}
