import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import { runRenewals } from '../renewal-loop.ts'
import { Connections } from './connections.ts'
import { LeaseCalls } from './lease-calls.ts'
import { factoryOfOptions, type RedisOptions } from './library.ts'
import { placeOf } from './place.ts'

/** What the thread is told of its engine. */
export interface RenewalEngine {
  readonly config: RedisOptions
  readonly name: string
  readonly identity: string
  readonly timeoutMs: number
  readonly mayBeginAnew: boolean
}

/** The thread that renews leases with a connection of its own. */
export async function renewLeases(world: World, channel: Channel, data: RenewalThreadData): Promise<void> {
  const { config, name, identity, timeoutMs, mayBeginAnew } = data.engine as RenewalEngine
  const factory = await factoryOfOptions(config, timeoutMs / 2)
  const place = placeOf(name)
  const silentMsMax = timeoutMs / 2
  const connections = new Connections({ world, factory, place, silentMsMax, mayBeginAnew, identity })
  const calls = new LeaseCalls(connections)
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
