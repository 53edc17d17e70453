import { openNatsStore } from '../../../src/engines/nats/open-nats-store.ts'
import { NatsServers } from '../../engines/servers/nats-servers.ts'
import type { Engine } from '../place.ts'
import { proxiedLink } from '../proxied-link.ts'

/** Each store has streams of its own on one server, which does not sync always. */
export async function startNats(): Promise<Engine> {
  const servers = await NatsServers.start({ members: 1 })
  return {
    accept: ['durable', 'fencing'],
    place: (number) =>
      Promise.resolve({
        link: () =>
          proxiedLink(servers.addresses[0] as string, (world, address) =>
            openNatsStore(world, {
              url: `nats://${address}/recipes-${number}`,
              // Else the client would find the server behind the proxy.
              connect: { ignoreClusterUpdates: true },
            }),
          ),
      }),
    close: () => servers.stop(),
  }
}
