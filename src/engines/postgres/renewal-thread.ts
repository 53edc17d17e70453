import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import { runRenewals } from '../renewal-loop.ts'
import { outliveBrokenConnections } from './connection-source.ts'
import { Connections } from './connections.ts'
import { LeaseCalls } from './lease-calls.ts'
import { loadPostgresLibrary, type PostgresConfig } from './library.ts'
import type { Place } from './place.ts'

/** What the thread is told of its engine. */
export interface RenewalEngine {
  readonly config: PostgresConfig
  readonly place: Place
  readonly timeoutMs: number
  readonly usesNames: boolean
}

/** Renewals that are due together go out together: more than one at a time is for those that hang. */
const connectionsMax = 3

/** The thread that renews leases with connections of its own. */
export async function renewLeases(world: World, channel: Channel, data: RenewalThreadData): Promise<void> {
  const { config, place, timeoutMs, usesNames } = data.engine as RenewalEngine
  const library = await loadPostgresLibrary()
  const pool = new library.Pool({ ...config, max: connectionsMax })
  outliveBrokenConnections(pool, () => {})
  const calls = new LeaseCalls(new Connections(world, pool, { usesNames }), place)
  runRenewals(world, channel, data, {
    keepLeaseAlive: (lease, options) => calls.keepLeaseAlive(lease, options, options.timeoutMs ?? timeoutMs),
    keepLeasesAlive: (leases, options) =>
      calls.keepLeasesAlive(leases, options, options.timeoutMs ?? timeoutMs),
  })
}

export const renewalEntry: ThreadEntry<RenewalThreadData> = {
  moduleUrl: import.meta.url,
  exportName: 'renewLeases',
  run: renewLeases,
}
