import type { Guarantee } from '../../../src/coordination/guarantees.ts'
import { openRedisStore } from '../../../src/engines/redis/open-redis-store.ts'
import { RedisServer, urlAt } from '../../engines/servers/redis-server.ts'
import type { Engine } from '../place.ts'
import { proxiedLink } from '../proxied-link.ts'

export interface RedisSetUp {
  /** Default: each write is synced. */
  readonly settings?: Readonly<Record<string, string>>
  readonly accept: readonly Guarantee[]
}

/** Each store has keys of its own on one server. */
export async function startRedis({ settings, accept }: RedisSetUp): Promise<Engine> {
  const server = await RedisServer.start(settings)
  return {
    accept,
    place: (number) =>
      Promise.resolve({
        link: () =>
          proxiedLink(server.address, (world, address) =>
            openRedisStore(world, { url: urlAt(address), prefix: `recipes_${number}` }),
          ),
      }),
    close: () => server.stop(),
  }
}
