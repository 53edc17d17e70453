import { openPostgresStore } from '../../../src/engines/postgres/open-postgres-store.ts'
import { PostgresServer, urlAt } from '../../engines/servers/postgres-server.ts'
import type { Engine } from '../place.ts'
import { proxiedLink } from '../proxied-link.ts'

/** Each store is a schema of one database. */
export async function startPostgres(): Promise<Engine> {
  const server = await PostgresServer.start({ max_connections: '600' })
  return {
    accept: [],
    place: (number) =>
      Promise.resolve({
        link: () =>
          proxiedLink(server.address, (world, address) =>
            openPostgresStore(world, { url: urlAt(address), schema: `recipes_${number}` }),
          ),
      }),
    close: () => server.stop(),
  }
}
