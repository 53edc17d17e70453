import { tmpdir } from 'node:os'
import { openRedisStore } from '../../../src/engines/redis/open-redis-store.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import { RedisServer, urlAt } from '../../engines/servers/redis-server.ts'
import { TcpProxy } from '../../engines/servers/tcp-proxy.ts'
import type { TestBed } from '../register.ts'

/** A real Redis that syncs every write, reached through a proxy that can break connections. */
export async function openRedisBed(): Promise<TestBed> {
  const world = createNodeWorld({ dataFolder: tmpdir(), logger: new NodeLogger('error') })
  const server = await RedisServer.start()
  const proxy = await TcpProxy.start(server.address)
  return {
    world,
    open: () =>
      openRedisStore(world, {
        url: urlAt(proxy.address),
        timeoutMs: 20_000,
        // Compaction is the suite's: one by the engine itself would make older reads a matter of chance.
        keepRevisions: 0,
        keepMs: 0,
      }),
    restart: async () => {
      await server.kill()
      await server.restart()
    },
    cut: () => proxy.drop(),
    [Symbol.asyncDispose]: async () => {
      await proxy.close()
      await server.stop()
    },
  }
}
