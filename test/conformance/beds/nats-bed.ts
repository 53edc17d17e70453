import { tmpdir } from 'node:os'
import { openNatsStore } from '../../../src/engines/nats/open-nats-store.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import { NatsServers } from '../../engines/servers/nats-servers.ts'
import { TcpProxy } from '../../engines/servers/tcp-proxy.ts'
import type { TestBed } from '../register.ts'

/** One real NATS server, or three, each reached through a proxy that can break connections. */
export async function openNatsBed(members: 1 | 3 = 1): Promise<TestBed> {
  const world = createNodeWorld({ dataFolder: tmpdir(), logger: new NodeLogger('error') })
  const servers = await NatsServers.start({ members })
  const proxies = await Promise.all(servers.addresses.map((address) => TcpProxy.start(address)))
  const everyone = servers.addresses.map((_, member) => member)
  return {
    world,
    open: () =>
      openNatsStore(world, {
        url: `nats://${proxies.map(({ address }) => address).join(',')}?replicas=${members}`,
        // Else the client would find the servers behind the proxies.
        connect: { ignoreClusterUpdates: true },
        timeoutMs: 20_000,
        // What the tests can do to a server is to kill it, which costs it nothing: only the power would.
        syncAlways: true,
        // Compaction is the suite's: one by the engine itself would make older reads a matter of chance.
        keepRevisions: 0,
        keepMs: 0,
      }),
    restart: async () => {
      await Promise.all(everyone.map((member) => servers.kill(member)))
      await Promise.all(everyone.map((member) => servers.restart(member)))
    },
    ...(members === 1
      ? {}
      : {
          failover: async () => {
            const leader = await servers.leader('ALTHING_althing')
            await servers.kill(leader)
            await servers.restart(leader)
          },
        }),
    cut: () => {
      for (const proxy of proxies) proxy.drop()
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await servers.stop()
    },
  }
}
